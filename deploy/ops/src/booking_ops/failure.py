"""How a command of this program says no: one sentence with what to do; a traceback with BOOKING_TRACEBACK=1 alone.

Exit codes: 0 good, 1 something differs or was refused, 2 misused, a setting is missing, or a server can't be used.
"""

import re
import sys
from typing import Any

from booking_ops.sentences import SENTENCES

GOOD, DIFFERENT, UNUSABLE = 0, 1, 2
_NAMED = re.compile(r"^(?:\[Error -?\d+\] )?\w+(?:Error|Exception|Unavailable)\w*(?:: ?|$)")
"""How aiokafka begins what it says: by its class."""
_QUOTED = re.compile(r"""\b\w+(?:Error|Exception)\((?:(["'])(?P<said>.*?)\1)?\)""")
"""Another's failure within the words, as Python writes it."""


class Failure(Exception):
    """Something that a person can put right; the message is that sentence."""

    code = UNUSABLE


class Refused(Failure):
    """Everything answered, and the answer is no."""

    code = DIFFERENT


def said(broken: BaseException) -> tuple[str, int]:
    """The sentence for what broke, of a group its first, and the exit code."""
    while isinstance(broken, BaseExceptionGroup) and broken.exceptions:
        broken = next((one for one in broken.exceptions if isinstance(one, Failure)), broken.exceptions[0])
    if isinstance(broken, Failure):
        return str(broken), broken.code
    words = _words(broken)
    for module, names, sentence in SENTENCES:
        kinds: Any = tuple(getattr(sys.modules.get(module), name, _Never) for name in names.split())
        if isinstance(broken, kinds):
            return sentence.format(words=words), UNUSABLE
    if isinstance(broken, OSError):
        where = f": {broken.filename}" if broken.filename else ""
        return f"{broken.strerror or words}{where}. Are the addresses and files right?", UNUSABLE
    return f"{type(broken).__name__}: {words}. With BOOKING_TRACEBACK=1 it shows where.", UNUSABLE


class _Never(Exception):
    """What a module that is not loaded has raised."""


def _words(broken: BaseException) -> str:
    """What it says itself, on one line, without its class and without a stop at its end. Of several tries at one server
    (a host has several addresses) the first tells enough."""
    text = str(getattr(broken, "reason", "") or broken).split("Multiple connection attempts failed")[0]
    text = re.sub(r"\s*(?:Is the server running on that host|\nLINE \d+: ).*", "", text, flags=re.DOTALL)
    text = text.replace("Unable to bootstrap from", "no broker answers at")
    words = _QUOTED.sub(lambda found: found["said"] or "no answer", _NAMED.sub("", " ".join(text.split()))).rstrip(
        ".?^ "
    )
    return words or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(broken).__name__.removesuffix("Error")).lower()
