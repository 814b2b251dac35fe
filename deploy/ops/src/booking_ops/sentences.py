"""What a person is told of each kind of thing that can break, and what to do then."""

_NOT_MIGRATED = (
    "The database is not as this release needs it: {words}. Is the address that service's own, and is it migrated to "
    "this release (`<service> migrate`)?"
)
_NOT_LET_IN = (
    "Kafka doesn't let this user in, or do that: {words}. Are KAFKA_SECURITY_PROTOCOL, KAFKA_USERNAME and "
    "KAFKA_PASSWORD right? `booking-ops access compare` tells what it may."
)
_AWAY = "{server} can't be used: {words}. Is its address right, is it up?"

SENTENCES = (
    (
        "psycopg.errors",
        "InsufficientPrivilege",
        (
            "PostgreSQL doesn't let this role do that: {words}. Give the address of the database's owner; `access` "
            "needs a superuser's."
        ),
    ),
    ("psycopg.errors", "UndefinedTable UndefinedColumn UndefinedFunction InvalidSchemaName", _NOT_MIGRATED),
    (
        "psycopg.errors",
        "ReadOnlySqlTransaction",
        "PostgreSQL takes no change there: {words}. Is the address that of a replica? Give the primary's.",
    ),
    (
        "psycopg.errors",
        "LockNotAvailable DeadlockDetected",
        "Something else holds what this needs: {words}. Run it again when no migration and no other such command runs.",
    ),
    ("psycopg", "Error", _AWAY.replace("{server}", "PostgreSQL")),
    ("booking_process.database", "DatabaseDownError", _AWAY.replace("{server}", "PostgreSQL")),
    ("booking_process.database", "UnsafeDatabaseError", "PostgreSQL can't be used: {words}."),
    (
        "booking_outbox",
        "LockBusy",
        (
            "Nothing was published: {words}. It stands at something: a topic that is missing (`booking-ops topics "
            "compare`, then `topics create`), or a broker that acknowledges nothing. Mend that, or stop the service's "
            "workers, then run this again."
        ),
    ),
    (
        "booking_outbox",
        "Unpublished",
        (
            "Kafka did not acknowledge what was published: {words}. What went before is there. Has it every topic "
            "(`booking-ops topics compare`), and enough brokers in step? Then run this again."
        ),
    ),
    (
        "booking_outbox",
        "LeadLost",
        "The connection to PostgreSQL was lost midway: {words}. What was published is there; run this again.",
    ),
    (
        "booking_outbox",
        "StoreOlderThanTopic",
        "Nothing was published: {words}. See docs/operations.md, A database was restored from before its topics.",
    ),
    (
        "booking_contracts.errors",
        "NewerVersion",
        "An event is of a newer release: {words}. Use that release's `booking-ops`.",
    ),
    (
        "booking_contracts.errors",
        "ContractError",
        "An event can't be read: {words}. Is the address that service's own, of this release?",
    ),
    (
        "aiokafka.errors",
        "UnknownTopicOrPartitionError",
        (
            "Kafka lacks a topic that is needed, or this user may not see it: {words}. `booking-ops topics compare` "
            "names those that are missing, `topics create` makes them."
        ),
    ),
    (
        "aiokafka.errors",
        (
            "TopicAuthorizationFailedError GroupAuthorizationFailedError ClusterAuthorizationFailedError "
            "TransactionalIdAuthorizationFailed AuthenticationFailedError SaslAuthenticationFailed "
            "UnsupportedSaslMechanismError IllegalSaslStateError"
        ),
        _NOT_LET_IN,
    ),
    (
        "aiokafka.errors",
        "InvalidReplicationFactorError",
        "Kafka has fewer brokers than each topic should have replicas: {words}. Say how many with --replication.",
    ),
    ("aiokafka.errors", "KafkaError", _AWAY.replace("{server}", "Kafka")),
    ("httpx2", "HTTPError InvalidURL", _AWAY.replace("{server}", "A service")),
    ("ssl", "SSLError", "TLS failed: {words}. Are the address and the certificates right?"),
)
"""The first that fits: module and classes of what was raised; the module is loaded when it can have been."""
