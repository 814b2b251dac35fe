"""Which partitions are ours just now. aiokafka rebalances eagerly and does not wait for a running handler (K8)."""
# pyright: standard
# aiokafka and parts of FastStream are untyped, hence not strict here.

from collections.abc import Awaitable, Callable, Iterable

from aiokafka import ConsumerRebalanceListener, TopicPartition

Hook = Callable[[frozenset[TopicPartition]], Awaitable[None]]


class Assignment(ConsumerRebalanceListener):
    """Listens to rebalances. `epoch` counts them: what was read under an older one must not commit offsets any more.

    It is raised at the revocation, never at the assignment: aiokafka hands out records of the new assignment before it
    calls `on_partitions_assigned`.
    """

    def __init__(self, *, on_revoked: Hook, on_assigned: Hook) -> None:
        self.epoch = 0
        self.partitions: frozenset[TopicPartition] | None = None
        """None while no assignment is complete; may be empty, when there are more copies than partitions."""
        self._on_revoked, self._on_assigned = on_revoked, on_assigned

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] -- may be async, it says
        self, revoked: Iterable[TopicPartition]
    ) -> None:
        """aiokafka is about to give everything back."""
        try:
            await self._on_revoked(frozenset(revoked))
        finally:  # whatever happened, aiokafka swallows it and goes on: what was read before is not ours any more
            self.epoch += 1
            self.partitions = None

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] -- likewise
        self, assigned: Iterable[TopicPartition]
    ) -> None:
        """aiokafka has joined the new generation."""
        self.partitions = frozenset(assigned)
        await self._on_assigned(self.partitions)
