"""From a record to the message at the provider: N1 to N3 on real servers."""

import pytest
from services.notifier.tests.given import Case

pytestmark = pytest.mark.servers


async def test_requested__the_practitioner_is_told_by_mail_and_whatsapp(notifier):
    """N1, R3."""
    case, running = Case(), await notifier()
    await running.tell(*case.contacts(), case.profile(), case.requested())
    rows = await running.settled(recipient_id=case.practitioner, template="session_requested")
    assert [(r["channel"], r["state"], r["attempts"]) for r in rows] == [("email", "sent", 1), ("whatsapp", "sent", 1)]
    (mail,) = running.inbox.to("sari@example.com")
    assert "Budi" in mail["Subject"]
    assert running.inbox.to("budi@example.com") == []
    (message,) = running.meta.messages
    assert message["to"] == "6281234567891"
    assert message["template"]["name"] == "session_requested"
    assert message["biz_opaque_callback_data"] == str(next(r["id"] for r in rows if r["channel"] == "whatsapp"))
