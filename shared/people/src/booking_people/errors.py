"""The one error of this package."""


class Unusable(ValueError):  # noqa: N818 - a finding about what was given
    """What was given can be no name, number or address; the text says what is expected, never what was given."""
