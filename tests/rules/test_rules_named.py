"""Every rule of the product is named by code and by a test; a number that no rule has is a mistake."""

import pytest
from tests.rules import traceability


@pytest.mark.parametrize("rule", traceability.rules())
def test_every_rule__is_named_in_code(rule: str) -> None:
    assert traceability.code()[rule], f"no code names {rule}"


@pytest.mark.parametrize("rule", traceability.rules())
def test_every_rule__is_named_by_a_test(rule: str) -> None:
    assert traceability.tests()[rule], f"no test names {rule}"


def test_the_page_of_rules__is_up_to_date() -> None:
    assert traceability.PAGE.read_text() == traceability.page(), "run `make generate`"
