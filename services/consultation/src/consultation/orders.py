"""A person's or the system's command, before it is known in which capacity they give it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consultation.session.commands import SYSTEM, Actor, Command
from consultation.session.decider import name_of
from consultation.session.lifecycle import Role, ever
from consultation.session.state import NotRequested, State

Draft = Callable[[Actor, datetime], Command]
"""A command that still lacks its actor and its time."""


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


def by_person(person: Person, draft: Draft, at: datetime) -> Callable[[State], Awaitable[Command]]:
    """The command, in the capacity in which this person may give it if there is one.

    For somebody to whom the session does not exist it comes from a stranger, and the decider says 404 (E1).
    """

    async def command(state: State) -> Command:
        commands = [draft(actor, at) for actor in person.capacities(state) or (Actor("member", person.id),)]
        return next((c for c in commands if c.actor.role in ever(name_of(c, state))), commands[0])

    return command


def by_system(draft: Draft, at: datetime) -> Command:
    """The command, given by a timer or another service's event."""
    return draft(SYSTEM, at)
