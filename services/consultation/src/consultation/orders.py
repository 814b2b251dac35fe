"""Who asks for what: a person's or the system's order, before it is known in which capacity they give it."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from booking_store import Cause
from consultation.session.append import FreeText
from consultation.session.commands import SYSTEM, Actor, Command
from consultation.session.decider import name_of
from consultation.session.lifecycle import Role, ever
from consultation.session.state import NotRequested, State


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an order came from: what the events' envelopes tell beside the actor."""

    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None

    def cause(self, actor: Actor) -> Cause:
        """The cause of the events of a command by `actor`."""
        return Cause(str(actor), self.correlation_id, self.causation_id, self.traceparent)


@dataclass(frozen=True, slots=True)
class Person:
    """Who calls, with the roles of the token."""

    id: UUID
    roles: frozenset[str]

    def capacities(self, state: State) -> tuple[Actor, ...]:
        """What this person is to that session; nothing at all to most."""
        if isinstance(state, NotRequested):
            return ()
        about = state.about
        is_it: dict[Role, bool] = {
            "practitioner": self.id == about.practitioner_id,
            "member": self.id == about.user_id,
            "admin": True,
        }
        return tuple(Actor(role, self.id) for role, true in is_it.items() if true and role in self.roles)


@dataclass(frozen=True, slots=True)
class Order:
    """A command that still lacks its actor, and the free text that comes with it."""

    command: Callable[[Actor], Command]
    text: FreeText | None = None

    def by(self, person: Person, state: State) -> Command:
        """The command, in the capacity in which this person may give it if there is one.

        For somebody to whom the session does not exist it comes from a stranger, and the decider says 404 (E1).
        """
        capacities = person.capacities(state)
        commands = [self.command(actor) for actor in capacities or (Actor("member", person.id),)]
        fitting = (c for c in commands if c.actor.role in ever(name_of(c, state)))
        return next(fitting, commands[0])

    def by_system(self, _state: State) -> Command:
        """The command, given by a timer or another service's event."""
        return self.command(SYSTEM)
