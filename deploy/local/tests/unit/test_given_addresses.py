"""What the services are told of a PostgreSQL that the settings name."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from booking_local.layout import Layout
from booking_local.stack.external import External
from booking_local.stack.secrets import load_or_make


@pytest.mark.parametrize(
    ("url", "hosts", "ports", "parameters"),
    [
        ("postgresql://postgres:x@one/postgres", "one", "5432", {}),
        ("postgresql://postgres:x@one:5433/postgres?sslmode=require", "one", "5433", {"sslmode": "require"}),
        (
            "postgresql://postgres:x@one,two:5433/postgres?target_session_attrs=read-write",
            "one,two",
            "5432,5433",
            {"target_session_attrs": "read-write"},
        ),
    ],
)
def test_given_postgresql__services_get_its_hosts_and_parameters(url, hosts, ports, parameters, tmp_path):
    secrets = load_or_make(Layout(tmp_path), issuer="http://127.0.0.1:1")
    given = External(postgres_url=url).postgres
    assert given is not None
    found = conninfo_to_dict(secrets.database_url(given, "checkout", "app"))
    assert (found["host"], found["port"]) == (hosts, ports)
    assert (found["dbname"], found["user"]) == ("checkout", "checkout_app")
    assert parameters.items() <= found.items()
    assert len(found) == 5 + len(parameters), "nothing else"
