"""The analytics example's views of the events are written from the contract (`make generate`)."""

import re
import subprocess
import sys

from tests.e2e.system import ROOT


def test_staging_models__are_what_the_contract_says() -> None:
    words = [sys.executable, ROOT / "examples" / "analytics" / "staging.py", "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_object_within_an_object__is_typed_columns_and_no_text_of_json() -> None:
    """A refund's amount is money within an object within an event."""
    view = (ROOT / "examples/analytics/dbt/models/staging/stg_transaction_state.sql").read_text("utf-8")
    assert re.search(r"->>'amount'\)::bigint as refund_amount", view)
    assert re.search(r"->>'currency'\)::varchar as refund_currency", view)
