"""What checkout publishes: the events of Transactions and erasures, and the directory's rows as they are now."""

from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS, TRANSACTIONS
from booking_outbox import EventTopic, Published, StateTopic

_META = "updated_at AS occurred_at, actor, correlation_id, causation_id, traceparent"

# An erased row has no value: a tombstone, with the row's version, which never restarts (E4).
PROFILES = f"""
SELECT id::text AS key, version::bigint AS version, CASE WHEN erased_at IS NULL THEN json_strip_nulls(json_build_object(
    'id', id, 'name', name, 'photo_url', photo_url, 'bio', bio, 'profession', profession, 'tiers', to_json(tiers),
    'timezone', timezone, 'active', active))::text END AS value, {_META}
FROM practitioner WHERE id = ANY(%(keys)s::text[]::uuid[])
"""  # noqa: S608 - constants
PEOPLE = f"""
SELECT id::text AS key, version::bigint AS version, CASE WHEN erased_at IS NULL THEN json_strip_nulls(json_build_object(
    'person_id', id, 'name', name, 'email', email, 'phone', phone, 'locale', locale,
    'timezone', timezone))::text END AS value, {_META}
FROM person WHERE id = ANY(%(keys)s::text[]::uuid[])
"""  # noqa: S608 - constants

PUBLISHED: tuple[Published, ...] = (
    EventTopic(TRANSACTIONS),
    EventTopic(ERASURES),
    StateTopic(PRACTITIONERS, PROFILES, all_keys="SELECT id::text AS key FROM practitioner"),
    StateTopic(CONTACTS, PEOPLE, all_keys="SELECT id::text AS key FROM person"),
)
