"""Permissions follow from the catalogue: who writes, who reads, and nothing else."""

import pytest

from booking_contracts.access import ANALYTICS, GROUPS, OPERATOR, all_grants, grants, principals
from booking_contracts.topics import CONTACTS, TOPICS


def _may(principal: str, operation: str) -> set[str]:
    return {one.name for one in grants(principal) if one.resource == "topic" and one.operation == operation}


def test_each_topic__is_written_by_its_writers_alone():
    writers = {(one.name, one.principal) for one in all_grants() if one.operation == "Write"}
    assert writers == {(topic.name, writer) for topic in TOPICS for writer in topic.writers}


@pytest.mark.parametrize("principal", principals())
def test_a_program__reads_what_it_is_a_reader_of_and_what_it_writes(principal: str):
    if principal in (ANALYTICS, OPERATOR, "assessments"):
        return
    expected = {topic.name for topic in TOPICS if principal in (*topic.readers, *topic.writers)}
    assert _may(principal, "Read") == expected


def test_contacts__are_read_by_their_readers_their_writer_and_the_operator_only():
    readers = {one.principal for one in all_grants() if one.name == CONTACTS.name and one.operation == "Read"}
    assert readers == {*CONTACTS.readers, *CONTACTS.writers, OPERATOR}
    assert CONTACTS.name not in {one.name for one in grants(ANALYTICS)}


def test_assessments__are_written_from_outside_and_nothing_is_read():
    assert {one.operation for one in grants("assessments")} == {"Write", "Describe"}


def test_groups__are_of_one_principal():
    names = list(GROUPS.values())
    assert not [(a, b) for a in names for b in names if a != b and a.startswith(b)]


def test_prefix__stands_before_topics_and_not_before_groups():
    prefixed = grants("notifier", "eu.")
    assert all(one.name.startswith("eu.") for one in prefixed if one.resource == "topic")
    assert {one.name for one in prefixed if one.resource == "group"} == {"notifier"}


def test_nobody_unknown__is_granted_anything():
    with pytest.raises(KeyError):
        grants("somebody")
