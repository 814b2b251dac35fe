"""What people may call themselves (T11, T14, T15, T17)."""

import pytest

from checkout.directory import text


@pytest.mark.parametrize("bad", ["", " ", "a\nb", "a\r\nBcc: x@y", "a\x00", "a\u202eb", "a\u2028b", "x" * 201])
def test_name__refused(bad: str) -> None:
    with pytest.raises(ValueError, match="name"):
        text.name(bad)


@pytest.mark.parametrize("good", ["Sari", "Ni Luh Putu", "Dr. Ágnes O'Brien-Łuk", "李雷"])
def test_name__kept(good: str) -> None:
    assert text.name(f" {good} ") == good


@pytest.mark.parametrize(
    "bad",
    ["a", "a@b", "a@b\r\nRCPT TO:<x>", "a b@c.de", "a,b@c.de", "<a@b.de>", "a@b..de", "é@b.de", "a" * 65 + "@b.de"],
)
def test_email__refused(bad: str) -> None:
    with pytest.raises(ValueError, match="email"):
        text.email(bad)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("081234567890", "+6281234567890"), ("+62 812-3456-7890", "+6281234567890"), ("+493012345678", "+493012345678")],
)
def test_phone__in_one_spelling(given: str, kept: str) -> None:
    assert text.phone(given) == kept


@pytest.mark.parametrize("bad", ["", "abc", "123", "+6281234567890;ext=5", "\x00"])
def test_phone__refused(bad: str) -> None:
    with pytest.raises(ValueError, match="phone"):
        text.phone(bad)


@pytest.mark.parametrize(
    "bad",
    [
        "http://example.com/a.jpg",
        "https://a@b.de/",
        "https://evil.example\\@b.de",
        "https://localhost/",
        "https://b.de/ x",
        "javascript:alert(1)",
        "https://b.de/\nx",
        "https://",
        "https://bé.de/",
    ],
)
def test_web_address__refused(bad: str) -> None:
    with pytest.raises(ValueError, match="https"):
        text.web_address(bad)


@pytest.mark.parametrize(
    "bad", ["", "Mars", "../etc/passwd", "asia/jakarta", "Asia/Jakarta ", "localtime", "Factory", "posixrules"]
)
def test_zone__refused(bad: str) -> None:
    with pytest.raises(ValueError, match="zone"):
        text.zone(bad)
