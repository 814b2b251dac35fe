"""Mail addresses: one plain mailbox, and its URI."""

import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_people import Unusable, email, mailto


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("budi@example.com", "budi@example.com"),
        (" budi@example.com ", "budi@example.com"),
        ("\u200ebudi@example.com\ufeff", "budi@example.com"),
        ("b.u+d_i@mail.example.co.id", "b.u+d_i@mail.example.co.id"),
        ("BUDI@EXAMPLE.COM", "BUDI@EXAMPLE.COM"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("a%b?c#d&e=f/g@example.com", "a%b?c#d&e=f/g@example.com"),
        ("budi@xn--bcher-kva.example", "budi@xn--bcher-kva.example"),
        ("budi@bücher.example", "budi@xn--bcher-kva.example"),
        ("budi@123.com", "budi@123.com"),
        ("a" * 64 + "@b.de", "a" * 64 + "@b.de"),
    ],
)
def test_address__a_plain_mailbox_is_kept(given_, kept):
    assert email(given_) == kept


@pytest.mark.parametrize(
    "bad",
    [
        "", "budi", "@example.com", "budi@", "a@b", "x@localhost", "a@b.de\r\nRCPT TO:<x@y.de>", "a@b.de\n",
        "a b@c.de", "a@b .de", "a@b.de,c@d.de",
        "a@b.de;c@d.de", "<a@b.de>", "a@b.de>", "Budi <a@b.de>", '"a b"@c.de', '"a"@c.de', "a(comment)@b.de",
        "a@[127.0.0.1]", "a@127.0.0.1",
        "@relay:a@b.de", "a@b@c.de", ".budi@example.com", "budi.@docomo.ne.jp", "b..udi@docomo.ne.jp",
        "a@b..de", "a@.b.de", "a@b.de.", "a@-b.de",
        "a@b-.de", "budi@example.co-", "a@b_c.de", "é@b.de", "a@b\x00.de", "a" * 65 + "@b.de",
        "a@" + "b" * 64 + ".de", "a@" + "b.de." * 60 + "de",
        "a@bü cher.example", "a@ü.", "a@" + "ü" * 80 + ".example", "a\u00a0@b.de",
    ],
)  # fmt: skip
def test_address__anything_else_is_refused(bad):
    """CR, LF, comma, semicolon, brackets, quotes, comments, routes; dots and hyphens at an end; no dot; too long."""
    with pytest.raises(Unusable, match="email"):
        email(bad)


@given(st.text(max_size=60))
def test_any_text__an_address_holds_nothing_that_ends_a_command(text):
    try:
        kept = email(text)
    except Unusable:
        return
    assert re.fullmatch(r"[\x21-\x7e]+", kept)
    assert not set('\r\n,;<> "()[]:\\') & set(kept)


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("budi@example.com", "mailto:budi@example.com"),
        ("a%b@example.com", "mailto:a%25b@example.com"),
        ("a?b@example.com", "mailto:a%3Fb@example.com"),
        ("a#b@example.com", "mailto:a%23b@example.com"),
        ("a&b=c/d@example.com", "mailto:a%26b%3Dc%2Fd@example.com"),
        ("a^`{|}~b@example.com", "mailto:a%5E%60%7B%7C%7D~b@example.com"),
        ("o'brien+x!$*@example.com", "mailto:o'brien+x!$*@example.com"),
    ],
)
def test_mailto__is_percent_encoded(address, uri):
    """RFC 6068 §2."""
    assert mailto(address) == uri


@given(st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}@example\.com", fullmatch=True))
def test_any_address__its_uri_is_one_address_without_a_query(address):
    parts = urlsplit(mailto(address))
    assert (parts.scheme, parts.query, parts.fragment, unquote(parts.path)) == ("mailto", "", "", address)
