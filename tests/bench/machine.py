"""The machine that is measured: its cores, and the versions of what runs on it."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

PACKAGES = (
    "fastapi", "pydantic", "uvicorn", "uvloop", "httptools", "asyncpg", "aiokafka", "msgspec",
    "common-expression-language", "zen-engine",
)  # fmt: skip


def pin(cpu: int, pid: int = 0) -> None:
    """Keep a process and what it starts on one core, where the system can do that."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > cpu:
        os.sched_setaffinity(pid, {cpu})


def described(*servers: str) -> dict[str, object]:
    """For the report: cores, memory, system, versions."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "servers": list(servers),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), ""
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def fsync_milliseconds(folder: Path, times: int = 20) -> float:
    """What a commit waits for at least: the middle of a few writes that the disk confirms."""
    waits = []
    path = folder / "fsync"
    with path.open("wb") as file:
        for _ in range(times):
            file.write(b"x" * 8192)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            waits.append(time.perf_counter() - began)
    path.unlink()
    return round(median(waits) * 1000, 3)
