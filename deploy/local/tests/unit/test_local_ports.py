"""Ports of a stack: stable, free, and a sentence when they aren't."""

import socket

import pytest

from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_local.servers.ports import NAMES, choose


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path)
    made.make()
    return made


def test_first_time__every_name_has_a_port_of_its_own(layout):
    chosen = choose(layout, None)
    assert set(chosen) == set(NAMES)
    assert len(set(chosen.values())) == len(NAMES)


def test_again__the_same_ports_where_they_are_free(layout):
    first = choose(layout, None)
    assert choose(layout, None) == first


def test_again_with_one_taken__only_that_one_moves(layout):
    first = choose(layout, None)
    with socket.create_server(("127.0.0.1", first["checkout"])):
        second = choose(layout, None)
    assert second["checkout"] != first["checkout"]
    assert {name: port for name, port in second.items() if name != "checkout"} == {
        name: port for name, port in first.items() if name != "checkout"
    }


def test_port_base_taken__one_sentence_names_port_and_remedy(layout):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Failure, match=rf"Port {port} \(for checkout\).*another --port-base"):
            choose(layout, port)


def test_port_base_too_high__refused(layout):
    with pytest.raises(Failure, match="65535"):
        choose(layout, 65530)
