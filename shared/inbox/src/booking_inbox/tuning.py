"""The knobs of a consumer, with why each stands where it does."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Seconds, unless the name says otherwise. The defaults are for production; tests shorten them."""

    max_attempts: int = 5
    """Tries of a record that fails for no transient reason, before it is held: about a second altogether."""
    first_backoff: float = 0.05
    backoff_cap: float = 3.0
    """A transient failure is tried again at least this often, so recovery follows the fault's end within seconds."""
    apply_deadline: float = 60.0
    """One try. Longer counts as transient: a slow database must not hold records (F10)."""
    gap_limit: int = 1000
    """Keys of a partition that may wait for a predecessor; beyond it the topic lost records (pause, alarm).
    Services set it by CONSUMER_GAP_LIMIT."""
    tick: float = 1.0
    """How often the monitor looks: lag, membership, stalls."""
    stall_after: float = 20.0
    """A backlog that has not moved for so long, nothing in hand, the broker answering: a new Kafka client (K3).
    Likewise when offsets cannot be committed for so long while the broker answers."""
    grace: float = 10.0
    """A stop takes so long altogether. The record in hand has most of it; then it is rolled back and left for the next
    owner (K11, K19)."""
    open_deadline: float = 60.0
    """A broker that accepts and says nothing: aiokafka's start() asks it again and again, deaf to a stop."""
    close_deadline: float = 5.0
    """aiokafka's stop() may hang (K9): after this the process goes on without it."""
    commit_deadline: float = 5.0
    session_timeout: float = 10.0
    heartbeat_interval: float = 3.0
    max_poll_interval: float = 300.0
    fetch_wait: float = 0.5
    metadata_age: float = 10.0
    """How soon a topic that was lost and made again is read: the client would ask for topics each 5 minutes only, and
    until then the group has none of its partitions, so no lag of them either."""
    batch_size: int = 1
    """Records that are handed over together at most: those of one transaction of a `BatchConsumer`."""
    lanes: int = 4
    """Keys whose records a `Consumer` takes side by side, each record in a transaction of its own."""
