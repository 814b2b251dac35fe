"""The one error of this package."""


class Unusable(ValueError):
    """What was given can be no name, number or address; the text says what is expected, never what was given."""
