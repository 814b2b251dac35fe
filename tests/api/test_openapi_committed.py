"""The committed contract is the service's own: `make generate` was not forgotten."""

from pathlib import Path

import pytest
from tests.api.service_under_test import MODULES, offline

from booking_web.openapi import printed

SERVICES = Path(__file__).resolve().parents[2] / "services"


@pytest.mark.parametrize("name", list(MODULES))
def test_document__is_the_committed_one(name):
    folder = SERVICES / MODULES[name].replace("_", "-")
    assert (folder / "openapi.json").read_text(encoding="utf-8") == printed(offline(name)), "make generate"


@pytest.mark.parametrize("name", list(MODULES))
def test_document__names_each_operation_once_and_secures_it_or_says_why_not(name):
    document = offline(name).openapi()
    operations = [
        operation for path in document["paths"].values() for method, operation in path.items() if method != "parameters"
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert {operation["operationId"] for operation in operations if not operation.get("security")} <= PROVEN_OTHERWISE


PROVEN_OTHERWISE = {"notify_payment", "verify_whatsapp_webhook", "receive_whatsapp_statuses", "get_calendar_feed"}
"""By a provider's signature, or by a secret in the address."""
