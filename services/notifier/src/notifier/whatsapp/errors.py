"""Meta's error codes as data: what may be tried again, what never, what needs a person (reliability.md F84)."""

from notifier.sending.outcome import Later, Outcome, ProviderDown, Refused, Unknown

# Throughput of our number or application: everybody waits.
_THROTTLED = frozenset({4, 80007, 130429, 133016})
# Too many messages to this one person, of ours or of everybody's.
_PACED = frozenset({131049, 131056})
# Meta's own trouble.
_TROUBLE = frozenset({1, 2, 131000, 131016, 131057, 133004})
# The token, the account, its number, its payment, its standing (131048: too many of its messages were blocked) or its
# permissions: nothing leaves until a person acts.
_NEEDS_A_PERSON = frozenset(
    {0, 3, 10, 33, 190, 368, 131005, 131031, 131037, 131042, 131045, 131048, 133000, 133006, 133010}
) | frozenset(range(200, 300))
# A gateway in between that had handed the message on and got no answer, or none it understood: perhaps taken (N3).
_GATEWAYS = frozenset({502, 504})


def outcome_of(code: int | None, status: int, retry_after: float | None) -> Outcome:
    """What an error answer means. `code` is Meta's, None when the body held none; `status` is HTTP's.

    A code that is neither Meta's trouble nor ours to wait for is about this message or this recipient and never heals:
    131026 undeliverable, 131047 re-engagement, 132xxx template, 131008 and 131009 parameters.
    """
    name = f"whatsapp_{code if code is not None else f'http_{status}'}"
    if code in _PACED:
        return Later(name, retry_after)
    if code in _NEEDS_A_PERSON or status == 401:
        return ProviderDown(name, retry_after, alarm=True)
    if code is None and status in _GATEWAYS:
        return Unknown(name)
    if code in _THROTTLED or code in _TROUBLE or status == 429 or status >= 500:
        return ProviderDown(name, retry_after)
    if code is None:
        # No answer of Meta's API at all: a proxy's page, a wrong base URL. Not this recipient's fault.
        return ProviderDown(name, retry_after, alarm=True)
    return Refused(name)
