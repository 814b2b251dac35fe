"""examples/analytics where no stack is needed: whose money is whose, what owners' counts that lack something are worth,
and sentences in place of tracebacks."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.e2e.system import ROOT
from tests.examples.conftest import EXAMPLE

from booking_contracts.topics import ASSESSMENTS, NOTICES, TOPICS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
COUNTED = sorted(topic.name for topic in TOPICS if topic.analytics and topic not in (ASSESSMENTS, NOTICES))


def ran(python: Path, program: str, lake: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [python, EXAMPLE / f"{program}.py", "--lake", lake, *words],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def paid(amount: int = 250, payment: str = "p1") -> tuple[str, dict[str, Any]]:
    return "TransactionPaid", {**_payment(payment), "amount": _money(amount), "settled_at": "2026-01-01T00:00:00Z"}


def review(number: int, received: int, payment: str, direction: str | None = None, returned: int | None = None):
    told = {**_payment(payment), "review_id": str(UUID(int=number)), "received": _money(received)}
    told |= {"direction": direction} if direction else {}
    return "PaymentNeedsReview", told | ({"returned": _money(returned)} if returned else {})


def refunded(amount: int, number: int | None = None) -> tuple[str, dict[str, Any]]:
    return "TransactionRefunded", {"amount": _money(amount), **({"review_id": str(UUID(int=number))} if number else {})}


def _payment(payment: str) -> dict[str, str]:
    return {"provider": "midtrans", "provider_payment_id": payment}


def _money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


MONEY = {
    "a second payment, half of it taken back": (
        [paid(), review(1, 250, "p2"), review(1, 250, "p2", "out", 125)],
        {"paid": 250, "reviewed": 125},
    ),
    "a second payment, dismissed, half of it taken back then": (
        [paid(), review(2, 250, "p2"), review(3, 250, "p2", "out", 125)],
        {"paid": 250, "reviewed": 125},
    ),
    "too late, a part taken back, the rest refunded": (
        [review(4, 250, "p1"), review(4, 250, "p1", "out", 100), refunded(150, 4)],
        {"reviewed": 0},
    ),
    "of what paid two parts were taken back, each told with what had gone in all": (
        [paid(), review(5, 250, "p1", "out", 100), review(6, 250, "p1", "out", 150)],
        {"paid": 250, "withdrawn": -150},
    ),
    "of what paid a part was taken back and the rest refunded": (
        [paid(), review(7, 250, "p1", "out", 100), refunded(150)],
        {"paid": 250, "withdrawn": -100, "refunded": -150},
    ),
    "more came by the payment that paid": ([paid(), review(8, 300, "p1")], {"paid": 250, "reviewed": 50}),
    "another amount of it was heard of first": ([review(9, 100, "p1"), paid()], {"paid": 250}),
}


PRODUCT = str(UUID(int=500))
PRICES = [100, 120, 120, 100]
"""What was asked for one product, sale after sale, before the catalogue told of it."""


@pytest.fixture(scope="module")
def modelled(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a lake with these histories, and the models of money and prices built of it."""
    folder = tmp_path_factory.mktemp("lake")
    told: list[list[Any]] = [
        [str(UUID(int=sale)), version, version, type_, json.dumps({"transaction_id": str(UUID(int=sale)), **data})]
        for sale, (history, _) in enumerate(MONEY.values(), 1)
        for version, (type_, data) in enumerate(history, 1)
    ]
    product = {"id": PRODUCT, "name": "One", "kind": "counseling", "tier": "gold"}
    for hour, amount in enumerate(PRICES):
        sold = {"transaction_id": str(UUID(int=600 + hour)), "product": product, "price": _money(amount)}
        told.append([sold["transaction_id"], 1, hour * 3_600, "TransactionCreated", json.dumps(sold)])
    subprocess.run([python, "-c", _LANDED, EXAMPLE, folder, json.dumps(told)], check=True, timeout=60)
    environment = {name: str(path) for name, path in _DBT.items()} | {"LAKE": str(folder)}
    environment |= {"DBT_TARGET_PATH": str(folder / "dbt"), "DBT_LOG_PATH": str(folder)}
    dbt = [python.with_name("dbt"), "--quiet", "run", "--select", "+money", "+price_history"]
    done = subprocess.run(
        dbt, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout
    return folder / "lake.duckdb"


def rows(python: Path, database: Path, query: str) -> list[list[Any]]:
    asked = [python, "-c", _ROWS, database, query]
    return json.loads(subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout)


def test_money_under_review__is_taken_from_no_revenue_and_counted_once(python: Path, modelled: Path) -> None:
    """P4: what came in minus what went out is in the purchase or under review, whichever way it went last."""
    piles: dict[str, dict[str, int]] = {}
    query = "SELECT transaction_id::VARCHAR, pile, sum(amount)::BIGINT FROM analytics.money GROUP BY ALL"
    for sale, pile, amount in rows(python, modelled, query):
        piles.setdefault(sale, {})[pile] = amount
    found = {what: piles[str(UUID(int=sale))] for sale, what in enumerate(MONEY, 1)}
    assert found == {what: left for what, (_, left) in MONEY.items()}


def test_price_that_came_back__is_told_twice(python: Path, modelled: Path) -> None:
    """By the sales alone, as before the catalogue's topic was first landed."""
    query = f"""SELECT price_amount::BIGINT, valid_to IS NULL FROM analytics.price_history
        WHERE product_id = '{PRODUCT}' ORDER BY valid_from"""
    assert rows(python, modelled, query) == [[100, False], [120, False], [100, True]]


def test_revenue_of_the_page__is_the_net_of_the_models(python: Path, tmp_path: Path) -> None:
    """docs/consuming.md asks the same of an outsider's own table."""
    page = (ROOT / "docs" / "consuming.md").read_text("utf-8")
    (query,) = [block for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "AS net" in block]
    told = [
        [str(UUID(int=sale)), version, f"com.booking.checkout.{type_}.v1", json.dumps(data)]
        for sale, (history, _) in enumerate(MONEY.values(), 1)
        for version, (type_, data) in enumerate(history, 1)
    ]
    words = [python, "-c", _ASKED, json.dumps(told), query]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    net = sum(amount for _, left in MONEY.values() for pile, amount in left.items() if pile != "reviewed")
    assert json.loads(done.stdout) == {"USD": net}


_ASKED = """
import duckdb, json, sys
con = duckdb.connect()
con.execute("CREATE TABLE event (key uuid, ce_sequence bigint, type text, data json, happened_at timestamptz)")
con.executemany("INSERT INTO event VALUES (?, ?, ?, ?, now())", json.loads(sys.argv[1]))
net = {}
for _, currency, amount in con.execute(sys.argv[2]).fetchall():
    net[currency] = net.get(currency, 0) + int(amount)
print(json.dumps(net))
"""
_DBT = {
    "DBT_PROJECT_DIR": EXAMPLE / "dbt",
    "DBT_PROFILES_DIR": EXAMPLE / "dbt",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
}
_LANDED = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import lake as lakes
con = lakes.opened(Path(sys.argv[2]))
for sale, version, second, type_, data in json.loads(sys.argv[3]):
    query = "INSERT INTO landed.event BY NAME SELECT 'booking.checkout.transactions.v1' AS topic, ?::UUID AS key"
    query += ", uuid() AS ce_id, ? AS ce_sequence, ? AS type, ?::JSON AS data, make_timestamptz(?) AS happened_at"
    con.execute(query, [sale, version, type_, data, second * 1_000_000])
"""
_ROWS = "import duckdb, json, sys; print(json.dumps(duckdb.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))"


@pytest.fixture
def empty(python: Path, tmp_path: Path) -> Path:
    """A lake in which nothing was landed yet."""
    assert ran(python, "parquet", tmp_path / "lake")[0] == 0
    return tmp_path / "lake"


def lines() -> list[str]:
    """What owners of nothing say, each range of each topic in a line."""
    none = {"events": 0, "versions": 0, "ids": 0, "until": "2100-01-01T00:00:00Z", "since": None, "waiting": 0}
    return [json.dumps({"topic": topic, "range": f"{digit:x}", **none}) for topic in COUNTED for digit in range(16)]


def test_counts_of_every_range__are_compared(python: Path, empty: Path, tmp_path: Path) -> None:
    (tmp_path / "counts").write_text("\n".join(lines()))
    code, said = ran(python, "verify", empty, "--counts", str(tmp_path / "counts"))
    assert (code, "10 topics, 160 ranges, no difference" in said) == (0, True), said


def test_counts_that_lack_ranges_or_a_topic__verify_nothing(python: Path, empty: Path, tmp_path: Path) -> None:
    """As where the file of one owner was forgotten, or cut off."""
    (tmp_path / "counts").write_text("\n".join(lines()[:40]))
    code, said = ran(python, "verify", empty, "--counts", str(tmp_path / "counts"))
    assert code == 1
    assert f"{COUNTED[2]}: no owner told its counts of the keys …8 …9 …a …b …c …d …e …f" in said
    assert [line for line in said.splitlines() if line.endswith(": no owner told its counts")] == [
        f"{topic}: no owner told its counts" for topic in COUNTED[3:]
    ]


@pytest.mark.parametrize("broken", ['{"topic": "booking.ch', "[]", '{"topic": "a"}'])
def test_line_that_is_no_count__is_named(python: Path, empty: Path, tmp_path: Path, broken: str) -> None:
    (tmp_path / "counts").write_text("\n".join([*lines()[:2], broken]))
    code, said = ran(python, "verify", empty, "--counts", str(tmp_path / "counts"))
    assert (code, "Line 3 is no owner's count" in said, "Traceback" in said) == (1, True, False)


@pytest.mark.parametrize(
    ("program", "words", "sentence"),
    [
        ("report", (), "The models were not built to their end here: run dbt first"),
        ("land", ("--bootstrap", "localhost:1", "--option", "tls"), "'tls' is no NAME=VALUE"),
    ],
)
def test_what_cannot_be_done__is_said_in_a_sentence(
    python: Path, empty: Path, program: str, words: tuple[str, ...], sentence: str
) -> None:
    code, said = ran(python, program, empty, *words)
    assert code != 0
    assert sentence in said
    assert "Traceback" not in said


def test_folder_that_cannot_be__is_said_in_a_sentence(python: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, said = ran(python, "parquet", tmp_path / "file")
    assert (code, "can't be the lake's folder" in said, "Traceback" in said) == (1, True, False), said
