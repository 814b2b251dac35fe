"""Money is never a float (api.md), keys fall into Java's partitions, a state row's version has one id."""

from uuid import UUID

import pytest
from aiokafka.partitioner import murmur2 as reference_murmur2
from hypothesis import given
from hypothesis import strategies as st

from booking_contracts.ids import murmur2, partition_of, state_id, state_id_text, uuid7
from booking_contracts.money import Money, from_provider


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("250000.00", "IDR", 250000),
        ("250000", "IDR", 250000),
        ("19.99", "USD", 1999),
        ("19.9", "USD", 1990),
        ("0", "IDR", 0),
    ],
)
def test_a_providers_amount_becomes_units(text: str, currency: str, amount: int):
    assert from_provider(text, currency) == Money(amount, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        *((text, "IDR") for text in ("250000.50", "-1", "1e5", "NaN", "", " 1", "1,000", "٣", "1.", ".5", "9" * 16)),
        ("19.999", "USD"),
        ("99999999999999.99", "USD"),
        ("1", "XXX"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, currency: str):
    with pytest.raises(ValueError):
        from_provider(text, currency)


@given(st.binary(max_size=80))
def test_the_hash_is_javas(key: bytes):
    assert murmur2(key) == reference_murmur2(key) & 0xFFFFFFFF


def test_the_hash_is_the_one_of_kafkas_own_test():
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert {key: murmur2(key) for key in known} == {key: value & 0xFFFFFFFF for key, value in known.items()}


@given(st.binary(max_size=40), st.integers(1, 50))
def test_a_partition_exists(key: bytes, partitions: int):
    assert 0 <= partition_of(key, partitions) < partitions


def test_new_ids_are_of_version_7_and_rise():
    ids = [uuid7() for _ in range(50)]
    assert {type(i) for i in ids} == {UUID}
    assert {i.version for i in ids} == {7}
    assert ids == sorted(ids)


def test_a_state_rows_version_has_one_id():
    assert state_id("t", "k", 1) == state_id("t", "k", 1)
    assert len({state_id(t, k, v) for t in "ab" for k in "cd" for v in (1, 2)}) == 8
    assert state_id("t", "k", 1).version == 5
    assert state_id_text("t", "k", 1) == str(state_id("t", "k", 1))
