# `make` prints what can be made. Everything runs from .venv, which `make setup` fills once.

.DEFAULT_GOAL := help
.PHONY: help setup demo up fresh test check bench lock
MAKEFLAGS += --no-print-directory

UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.parcelcover-ready

# The processes that share the tests: one a core, at most four unless more are asked for, as each has
# a PostgreSQL and a broker of its own. With 0 there is none but pytest itself.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 4 ? cores : 4)))

# Compiled modules are kept, whatever the machine says: a service starts in half the time.
export PYTHONDONTWRITEBYTECODE :=

# Downloads may be slow, and behind proxies slower.
export PIP_DEFAULT_TIMEOUT ?= 120
export PIP_RETRIES ?= 10
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1
export UV_HTTP_TIMEOUT ?= 120
export UV_NO_PROGRESS ?= 1
export UV_COMPILE_BYTECODE ?= 1

help: ## Print these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1 \t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(STAMP) ## Make .venv with everything at its locked version (the first time only)

demo: setup ## Show a parcel's whole way, on a stack of its own
	$(BIN)/parcelcover demo

up: setup ## Run PostgreSQL, Kafka and the four services until Ctrl-C
	$(BIN)/parcelcover up

fresh: ## Forget what the stack in .parcelcover kept
	rm -rf .parcelcover

test: check ## Check the code, then run every test
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal

check: setup ## Lint, format, types and the contracts between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure, and write bench.json
	$(BIN)/python -m tests.bench

lock: setup ## Resolve requirements.lock anew
	$(BIN)/uv pip compile --universal --generate-hashes --all-extras --no-header -q \
		-o requirements.lock pyproject.toml

$(STAMP): requirements.lock pyproject.toml
	@python=$$(for name in python3.11 python3.12 python3.13 python3; do \
		"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
			&& { command -v "$$name"; break; }; done); \
	if [ -z "$$python" ]; then \
		echo "Parcelcover needs Python 3.11 or newer; this machine has: $$(python3 --version 2>&1)" >&2; \
		exit 1; \
	fi; \
	[ -x $(BIN)/python ] || "$$python" -m venv $(VENV) || { \
		rm -rf $(VENV); \
		echo "$$python cannot make an environment; on Debian: apt-get install python3-venv" >&2; \
		exit 1; \
	}
	$(BIN)/python -m pip install -q uv==$(UV_VERSION)
	$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@
