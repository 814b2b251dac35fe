"""Two things at once to the same person, product or sale, in any sequence of such pairs, on a real database.

Whichever comes first: nothing answers 5xx, no version is given twice, a sale's practitioner is its begun session's, and
of an erased person no word is left.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from services.checkout.tests import rig as rigs
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.rig import Caller, Rig, Shop
from services.checkout.tests.sessions import Session

pytestmark = pytest.mark.servers


class Rivals(RuleBasedStateMachine):
    """A shop of its own for every history; its people come and are erased."""

    rig: Rig
    runner: asyncio.Runner

    def run(self, coroutine: Any) -> Any:
        return self.runner.get_loop().run_until_complete(coroutine)

    def at_once(self, *coroutines: Any) -> list[Any]:
        async def both() -> list[Any]:
            return await asyncio.gather(*coroutines)

        answers = self.run(both())
        assert [a.text for a in answers if isinstance(a, httpx2.Response) and a.status_code >= 500] == []
        return answers

    @initialize()
    def begin(self) -> None:
        self.shop: Shop = self.run(self.rig.shop())

    @rule()
    def two_first_puts_of_a_product(self) -> None:
        path = f"/v1/products/{uuid4()}"
        bodies = [
            {"name": name, "kind": "counseling", "tier": self.shop.tier, "price": rigs.PRICE}
            for name in ("Satu", "Dua")
        ]
        self._each_has_its_version(path, [self.shop.admin] * 2, bodies)

    @rule()
    def two_first_puts_of_a_profile(self) -> None:
        """The person and an admin."""
        practitioner = self.rig.caller("practitioner")
        bodies = [{"name": "Satu", "bio": "Lama"}, {"name": "Dua", "active": True, "tiers": [self.shop.tier]}]
        self._each_has_its_version(f"/v1/practitioners/{practitioner.id}", [practitioner, self.shop.admin], bodies)

    @rule()
    def two_first_puts_of_a_contact(self) -> None:
        member = self.rig.caller("member", name="Sari")
        self._each_has_its_version("/v1/me", [member] * 2, [{"name": "Satu"}, {"locale": "en"}], already=1)

    def _each_has_its_version(
        self, path: str, callers: list[Caller], bodies: list[dict[str, Any]], already: int = 0
    ) -> None:
        answers = self.at_once(*(caller.put(path, body) for caller, body in zip(callers, bodies, strict=True)))
        taken = [a.json()["version"] for a in answers if a.is_success]
        assert {a.status_code for a in answers if not a.is_success} <= {409, 412}, [a.text for a in answers]
        assert sorted(taken) == list(range(already + 1, already + len(taken) + 1))
        assert self.run(callers[0].get(path)).json()["version"] == already + len(taken)

    @rule(ending=st.sampled_from(["started", "completed"]), heard_of=st.booleans())
    def reassign_against_a_beginning(self, ending: str, heard_of: bool) -> None:
        paid, other = self.run(self.shop.paid()), uuid4()
        self.run(self.shop.introduce(other))
        session = Session(self.shop.practitioner.id, UUID(paid["id"]), self.shop.member.id)
        records = [session.requested()]
        if heard_of:
            self.run(self.rig.take(*records))
            records = []
        records.append(getattr(session, ending)())
        body = {"practitioner_id": str(other), "reason": "Sakit"}
        path = f"/v1/transactions/{paid['id']}/practitioner"
        answer, _ = self.at_once(self.shop.admin.put(path, body), self.rig.take(*records))
        assert answer.status_code in {200, 409}, answer.text
        # Nothing more comes after a result: the pair is right now or never.
        assert self.run(self.shop.seen(paid))["practitioner_id"] == str(self.shop.practitioner.id)

    @rule(command=st.sampled_from(["reassign", "refund", "me", "buy"]))
    def erase_against_a_command(self, command: str) -> None:
        member = self.rig.caller("member", name="Sari", email="sari@example.com")
        shop = Shop(self.rig, self.shop.admin, member, self.shop.practitioner, self.shop.product, self.shop.tier)
        paid, other = self.run(shop.paid()), uuid4()
        self.run(shop.introduce(other))
        path = f"/v1/transactions/{paid['id']}"
        words = "kata-kata kanari"
        commands = {
            "reassign": lambda: shop.admin.put(
                f"{path}/practitioner", {"practitioner_id": str(other), "reason": words}
            ),
            "refund": lambda: shop.admin.post(f"{path}/refund", {"reason": words}),
            "me": lambda: member.put("/v1/me", {"name": words}),
            "buy": shop.buy,
        }
        _, erased = self.at_once(commands[command](), shop.admin.put(f"/v1/erasures/{member.id}"))
        assert erased.status_code == 200, erased.text
        found = self.run(self.rig.rows("SELECT 1 FROM free_text WHERE transaction_id = %s", paid["id"]))
        person = self.run(self.rig.rows("SELECT name, email FROM person WHERE id = %s", member.id))
        assert (found, person) == ([], [(None, None)])

    @rule()
    def erase_against_a_profile(self) -> None:
        practitioner = self.rig.caller("practitioner", name="Budi")
        path = f"/v1/practitioners/{practitioner.id}"
        self.run(self.shop.introduce(practitioner.id))
        self.at_once(
            practitioner.put(path, {"name": "kanari"}),
            self.shop.admin.put(path, {"name": "kanari", "active": True, "tiers": [self.shop.tier]}),
            practitioner.put("/v1/me", {"name": "kanari"}),
            self.shop.admin.put(f"/v1/erasures/{practitioner.id}"),
        )
        rows = (
            "SELECT 1 FROM practitioner WHERE id = %s AND name = 'kanari' UNION ALL SELECT 1 FROM person WHERE id = %s"
        )
        assert self.run(self.rig.rows(f"{rows} AND name = 'kanari'", practitioner.id, practitioner.id)) == []


def test_any_rivals__leave_what_one_after_the_other_would(fresh_database, midtrans: MidtransServer):
    """P2, E4, I3, F19: 8 histories of 10 pairs."""

    async def opened(stack: AsyncExitStack) -> Rig:
        return await stack.enter_async_context(
            rigs.rig_of(rigs.settings(fresh_database("checkout"), midtrans.address), midtrans)
        )

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        Rivals.rig, Rivals.runner = runner.run(opened(stack)), runner
        try:
            run_state_machine_as_test(
                Rivals,
                settings=settings(
                    max_examples=8,
                    stateful_step_count=10,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
                ),
            )
        finally:
            runner.run(stack.aclose())
