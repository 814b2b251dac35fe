"""Who people are now, told by checkout on the `booking.directory.*` topics, and what they chose, told
by notifier; contacts are kept apart (E4)."""

from typing import ClassVar
from uuid import UUID

from booking_contracts.event import Code, Event, Link, Text, ZoneName


class PractitionerProfile(Event):
    """A practitioner's public profile as it is now, after the practitioner or an admin changed it (L1).
    Consultation shows the name and takes the zone as the default of schedules."""

    NAMESPACE: ClassVar[str] = "com.booking.directory"
    id: UUID
    name: Text
    photo_url: Link | None = None
    bio: Text | None = None
    profession: Text | None = None
    tiers: tuple[Code, ...]
    timezone: ZoneName
    active: bool


class PersonContact(Event):
    """A person's contact data as they are now, from the token's claims at first and later from the person (E4).
    Notifier reaches people by it, consultation shows names and makes the WhatsApp link, the calendar's words are in its
    locale and its events show the name; a tombstone erases it."""

    NAMESPACE: ClassVar[str] = "com.booking.directory"
    person_id: UUID
    name: Text | None = None
    email: Code | None = None
    phone: Code | None = None
    locale: Code
    timezone: ZoneName


class PersonPreferences(Event):
    """By which channels a person wants to be told, chosen at the notifier (N2). Analytics reads it; whoever never chose
    has no record, and a tombstone says that the person was erased (E4)."""

    NAMESPACE: ClassVar[str] = "com.booking.notifier"
    person_id: UUID
    email: bool
    whatsapp: bool


class PersonErased(Event):
    """An admin erased a person (E4). Every service deletes what E4 names. Of before the contract's 2.2.0 the person is
    the record's key alone."""

    NAMESPACE: ClassVar[str] = "com.booking.directory"
    person_id: UUID | None = None
