"""An image of a release through a real registry (Debian's `docker-registry`, where it is found)."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from deploy.release import images
from deploy.release.commands import Refused, run
from tests.e2e.system import until

from booking_local.servers.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]
CONFIGURATION = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    if not (program := shutil.which("docker-registry")):
        pytest.skip("no docker-registry here (Debian has it)")
    folder: Path = tmp_path_factory.mktemp("registry")
    address = f"127.0.0.1:{free_port()}"
    configuration = folder / "config.yml"
    configuration.write_text(CONFIGURATION.format(folder=folder / "data", port=address.partition(":")[2]), "utf-8")
    with subprocess.Popen([program, "serve", configuration], stderr=subprocess.DEVNULL) as running:
        try:
            until("the registry", lambda: _answers(address))
            yield address
        finally:
            running.kill()


def _answers(address: str) -> bool:
    with suppress(httpx2.HTTPError):
        return httpx2.get(f"http://{address}/v2/", timeout=5).status_code == 200
    return False


def test_image__is_built_on_a_digest_and_runs_by_its_digest(registry: str):
    tag = f"{registry}/python:3.13-slim"
    with pytest.raises(Refused):
        images.resolved(tag)
    run("docker", "tag", images.BASE, tag)
    run("docker", "push", "--quiet", tag)
    base = images.resolved(tag)
    assert base.startswith(f"{registry}/python@sha256:")
    arguments = {"PACKAGE": "booking-ops", "PROGRAM": "booking_ops"}
    reference = images.pushed("booking-ops", arguments, f"{registry}/booking", base)
    assert reference.startswith(f"{registry}/booking/booking-ops@sha256:")
    run("docker", "image", "rm", "--force", f"{registry}/booking/booking-ops:0.1.0", reference)
    assert "audit" in run("docker", "run", "--rm", reference, "--help")
    (told,) = json.loads(run("docker", "image", "inspect", reference))
    assert told["Config"]["Labels"]["org.opencontainers.image.revision"] == run("git", "rev-parse", "HEAD").strip()
