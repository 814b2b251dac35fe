"""What is deployed of a release is told by digests, and nothing else is taken for one."""

import pytest
import yaml
from deploy.release import images
from deploy.release.commands import ROOT, Refused

DIGEST = "sha256:" + "a" * 64
REFERENCES = {
    f"booking-{name}": f"registry.test:5000/x/booking-{name}@{DIGEST}"
    for name in ("checkout", "consultation", "notifier", "calendar-projector", "gateway", "ops", "local")
}


def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]


def test_every_image_of_the_compose_file__is_built():
    assert images.ours(compose()).keys() == REFERENCES.keys()
    assert images.ours(compose())["booking-checkout"] == {"PACKAGE": "booking-checkout", "PROGRAM": "checkout"}


@pytest.mark.parametrize("overlay", ["small", "production"])
def test_manifests__name_each_image_by_its_digest(overlay):
    rendered = (ROOT / f"deploy/kubernetes/rendered/{overlay}.yaml").read_text("utf-8")
    told = images.pinned(rendered, REFERENCES)
    lines = [line.strip().removeprefix("- ") for line in told.splitlines() if "image: booking-" in line]
    assert lines == []
    assert told.count(DIGEST) == rendered.count("image: booking-") > 10
    assert len(list(yaml.safe_load_all(told))) == len(list(yaml.safe_load_all(rendered)))


def test_manifest_with_an_image_that_nobody_built__is_refused():
    with pytest.raises(Refused, match="booking-other"):
        images.pinned("  image: booking-other:0.1.0\n", REFERENCES)


def test_override__builds_nothing_and_leaves_what_has_no_digest():
    told = images.override(compose(), REFERENCES)
    assert f"  ops:\n    image: {REFERENCES['booking-ops']}\n    build: !reset null\n" in told
    assert f"  checkout:\n    image: {REFERENCES['booking-checkout']}\n  consultation-migrate:" in told
    assert "grafana" not in told


@pytest.mark.parametrize(
    ("reference", "digests", "found"),
    [
        ("python:3.13-slim", [f"python@{DIGEST}"], f"python@{DIGEST}"),
        ("host:5000/python:3", [f"python@{DIGEST}", f"host:5000/python@{DIGEST}"], f"host:5000/python@{DIGEST}"),
        ("host:5000/python", [f"host:5000/python@{DIGEST}"], f"host:5000/python@{DIGEST}"),
    ],
)
def test_digest__is_the_one_of_the_references_repository(reference, digests, found):
    assert images.by_digest(reference, digests) == found


@pytest.mark.parametrize("digests", [[], [f"elsewhere/python@{DIGEST}"]])
def test_image_that_never_was_in_the_registry__is_refused(digests):
    with pytest.raises(Refused, match="host:5000/python:3 has no digest"):
        images.by_digest("host:5000/python:3", digests)


def test_no_registry__is_said_and_nothing_is_built(capsys):
    images.release("", images.BASE)
    assert "REGISTRY does not say where they go" in capsys.readouterr().out
