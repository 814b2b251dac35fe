"""What checkout publishes: the events of Transactions and erasures, and people's rows as they are now."""

from booking_contracts.topics import ERASURES, TRANSACTIONS
from booking_outbox import EventTopic, Published
from checkout.people import store

PUBLISHED: tuple[Published, ...] = (EventTopic(TRANSACTIONS), EventTopic(ERASURES), *store.PUBLISHED)
