"""Which mail addresses we are willing to put into an SMTP command (T15)."""

import re

# Narrower than RFC 5321 on purpose: no quoted local part, no comment, no group, no source route, nothing but one ASCII
# mailbox. CR, LF, comma, semicolon and angle brackets would let one recipient become several, or a command.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
    re.ASCII,
)


def mailbox(text: str) -> str | None:
    """The address if it is exactly one plain mailbox, else None."""
    fits = len(text) <= 254 and len(text.rpartition("@")[0]) <= 64
    # fullmatch, never match with `$`: that would let a trailing newline through.
    return text if fits and _ADDRESS.fullmatch(text) else None
