"""A mail server that wants TLS and a login, and one whose certificate or password is wrong (N5, F80).

Real servers with certificates by an authority of the test's own, which `SSL_CERT_FILE` names as an operator would.
"""

import ssl

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from services.notifier.tests.given import Case
from services.notifier.tests.providers import Authority, Inbox

pytestmark = pytest.mark.servers

PASSWORD = "s3cret pass"


@pytest.fixture
def trusted(tmp_path, monkeypatch) -> Authority:
    """An authority that the notifier trusts."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


def server(chain, tls, password: str | None = PASSWORD) -> Inbox:
    """A mail server that shows this certificate and wants this password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return Inbox(certificate=context, implicit_tls=tls == "tls", password=password)


def settings(tls, password=PASSWORD):
    login = {} if password is None else {"smtp_username": "booking", "smtp_password": SecretStr(password)}
    return {"smtp_tls": tls, **login}


async def told(running):
    """One paid member, by mail alone."""
    case = Case()
    await running.execute_as_owner("INSERT INTO preference VALUES (%s, true, false, 1)", case.member)
    await running.tell(case.contact(case.member), case.created(), case.paid())
    return case


def calls_a_person():
    return REGISTRY.get_sample_value("notifier_provider_refuses_us", {"channel": "email"}) == 1


async def waits(running, case, reason):
    """The message waits, was certainly not taken, and a person is called."""
    await running.until(calls_a_person)
    (row,) = await running.until(lambda: running.ledger(recipient_id=case.member, state="pending", reason=reason))
    assert row["ambiguities"] == 0
    assert running.inbox.mails == []


async def leaves(running, case):
    """Once it is mended, it leaves by itself, and nobody is called any more."""
    (row,) = await running.until(lambda: running.ledger(recipient_id=case.member, state="sent"))
    assert row["ambiguities"] == 0
    assert len(running.inbox.to("budi@example.com")) == 1
    await running.until(lambda: not calls_a_person())


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_tls__mail_leaves_encrypted_and_logged_in(notifier, trusted, tls, password):
    """Both ways of TLS, with and without a login, as the settings say."""
    running = await notifier(mail_server=server(trusted.chain(), tls, password), **settings(tls, password))
    case = await told(running)
    (row,) = await running.settled(recipient_id=case.member)
    assert (row["state"], row["attempts"]) == ("sent", 1)
    assert running.inbox.encrypted == [True]
    assert running.inbox.logins == ([] if password is None else ["booking"])


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["stranger", "other name", "expired"])
async def test_wrong_certificate__the_server_gets_nothing_and_a_person_is_called(
    notifier, trusted, tmp_path_factory, tls, wrong
):
    """Whoever stands between gets neither mail nor password; the message leaves once the certificate is right."""
    chain = {
        "stranger": lambda: Authority(tmp_path_factory.mktemp("stranger")).chain(),
        "other name": lambda: trusted.chain("127.0.0.2"),
        "expired": lambda: trusted.chain(days=-1),
    }[wrong]()
    running = await notifier(mail_server=server(chain, tls), **settings(tls))
    case = await told(running)
    await waits(running, case, "smtp_certificate")
    assert running.inbox.logins == []
    running.inbox.certificate.load_cert_chain(trusted.chain())
    await leaves(running, case)


async def test_no_starttls__the_password_never_goes_out_in_the_clear(notifier, trusted):
    """A server, or somebody between, that offers no TLS."""
    running = await notifier(mail_server=Inbox(password=PASSWORD), **settings("starttls"))
    case = await told(running)
    await waits(running, case, "smtp_no_tls_or_login")
    assert running.inbox.logins == []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted.chain())
    running.inbox.certificate = context
    await leaves(running, case)


async def test_plain_server_behind_implicit_tls__a_person_is_called(notifier):
    """SMTP_TLS=tls against a port that speaks plain text."""
    running = await notifier(smtp_tls="tls")
    await waits(running, await told(running), "smtp_tls")


async def test_login_refused__the_mail_is_not_lost_and_a_person_is_called(notifier, trusted):
    """535: nobody's bad address; the new password lets everything leave."""
    running = await notifier(mail_server=server(trusted.chain(), "starttls", "another"), **settings("starttls"))
    case = await told(running)
    await waits(running, case, "smtp_535")
    assert "booking" in running.inbox.logins
    running.inbox.password = PASSWORD
    await leaves(running, case)


async def test_no_login_offered__a_person_is_called(notifier, trusted):
    """A login is set, the server wants none: the settings and the server disagree."""
    running = await notifier(mail_server=server(trusted.chain(), "starttls", None), **settings("starttls"))
    await waits(running, await told(running), "smtp_no_tls_or_login")
