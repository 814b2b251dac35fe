"""What else people say of themselves (T11)."""

import pytest

from checkout import fields


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
        fields.web_address(bad)


@pytest.mark.parametrize(
    "bad", ["", "Mars", "../etc/passwd", "asia/jakarta", "Asia/Jakarta ", "localtime", "Factory", "posixrules"]
)
def test_zone__refused(bad: str) -> None:
    with pytest.raises(ValueError, match="zone"):
        fields.zone(bad)
