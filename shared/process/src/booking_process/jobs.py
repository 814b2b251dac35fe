"""An operator's job beside the service, such as `republish` or `rebuild`: what it says when a server is away."""

import sys
from collections.abc import Callable

import psycopg
from aiokafka.errors import KafkaError  # pyright: ignore[reportMissingTypeStubs]

from booking_process.database import DatabaseDownError


def told(run: Callable[[], int]) -> int:
    """The exit code of `run`; 1 and a sentence on stderr when PostgreSQL or Kafka can't be used. What was done stays
    done: every job may be run again."""
    try:
        return run()
    except DatabaseDownError as away:
        sentence = f"The database can't be used: {away.reason or away.why}"
    except psycopg.OperationalError as away:
        sentence = f"The database can't be used: {' '.join(str(away).split())}"
    except (KafkaError, OSError, TimeoutError) as away:
        sentence = f"Kafka can't be used: {' '.join(str(away).split()) or type(away).__name__}"
    sys.stderr.write(sentence.rstrip(".?") + ". Run it again when it answers.\n")
    return 1
