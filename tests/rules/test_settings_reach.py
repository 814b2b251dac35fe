"""A setting that an operator turns in an emergency must reach every consumer of every service."""

from collections.abc import Callable
from typing import Any

import pytest

import calendar_projector.app
import checkout.app
import consultation.app
import notifier.app
from booking_inbox import Consumer
from booking_process.settings import ServiceSettings
from calendar_projector.settings import Settings as CalendarSettings
from checkout.settings import Settings as CheckoutSettings
from consultation.settings import Settings as ConsultationSettings
from notifier.settings import Settings as NotifierSettings

SERVICES = {
    "checkout": (checkout.app.build, CheckoutSettings),
    "consultation": (consultation.app.build, ConsultationSettings),
    "notifier": (notifier.app.build, NotifierSettings),
    "calendar": (calendar_projector.app.build, CalendarSettings),
}


@pytest.mark.parametrize(("build", "kind"), SERVICES.values(), ids=SERVICES)
def test_gap_limit__is_every_consumers(build: Callable[[Any], Any], kind: type[ServiceSettings]):
    service = build(kind.documented().model_copy(update={"consumer_gap_limit": 5_000}))
    consumers = [worker for worker in service.workers if isinstance(worker, Consumer)]
    assert [one.tuning.gap_limit for one in consumers] == [5_000]
