"""What every attack is: asked about first, then carried out, then compared with what was said and with what is sealed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import ClassVar

from ecluse.demo.replay.model import START, Attacked, Bound, Found, Kind
from ecluse.demo.replay.stage import Stage
from ecluse.demo.replay.terms import SAYS, Contractor
from ecluse.demo.replay.thief import Loot
from ecluse.exposure import Holder


class Attack(ABC):
    """One attack. ``kind``, ``against``: what it is; ``through``: the processors that are compromised; ``begins``: its first instant.

    ``bound``: said before it began, None where nothing bounds it; ``persons``, ``values``, ``forms``: what was obtained; ``more``: further figures; ``wrong``:
    what must not be, besides a bound that is passed.
    """

    kind: ClassVar[Kind]
    against: ClassVar[Attacked] = Attacked.ECLUSE
    through: ClassVar[tuple[Contractor, ...]] = ()

    def __init__(self, stage: Stage, begins: datetime = START) -> None:
        """Prepare; nothing is done yet."""
        self.stage, self.begins, self.seconds = stage, begins, 0.0
        self.bound: Bound | None = None
        self.persons = self.values = 0
        self.forms: dict[str, str] = {}
        self.more: dict[str, int | float | str] = {}
        self.wrong: list[str] = []
        self._since = 0

    @abstractmethod
    def play(self) -> AsyncGenerator[datetime, None]:
        """Attack; yield the instant at which to go on."""

    @property
    def says(self) -> str:
        """Say what the attacker does."""
        return SAYS[self.kind]

    async def ask_first(self, *holders: Holder, until: datetime) -> Bound:
        """Have the engine say what could be obtained, and note where the ledger stands."""
        self.bound = await self.stage.bound(holders, until)
        self._since = await self.stage.size()
        return self.bound

    async def promise_nothing(self, promise: str) -> None:
        """Expect nobody, by a promise of the design: the engine counts what credentials reach, and these are none."""
        self.bound = Bound(persons=0, attributes=0, exact=True, by=promise)
        self._since = await self.stage.size()

    def keep(self, *loots: Loot) -> None:
        """Add what thieves have."""
        for loot in loots:
            self.persons += len(loot.given)
            self.values += loot.values
            self.forms |= loot.forms

    async def found(self) -> Found:
        """Compare, and say what came of it."""
        ledger = None
        if self.against is Attacked.ECLUSE:
            ledger = (await self.stage.sealed(self.through, self._since)).persons
        bound, most = self.bound, max(self.persons, ledger or 0)
        wrong = list(self.wrong)
        if bound is not None and most > bound.persons:
            wrong.append(f"{most:,} persons obtained, {bound.persons:,} were said to be the most")
        if bound is not None and len(self.forms) > bound.attributes:
            wrong.append(f"{len(self.forms)} attributes obtained, {bound.attributes} were said to be the most")
        if ledger is not None and ledger != self.persons:
            wrong.append(f"the thief has {self.persons:,} persons, the ledger says {ledger:,}")
        return Found(
            attack=self.kind, alternative=self.against, says=self.says, persons=self.persons, attributes=len(self.forms), values=self.values,
            forms=dict(sorted(self.forms.items())), bound=None if bound is None else bound.persons, exact=bound is not None and bound.exact,
            bound_attributes=None if bound is None else bound.attributes, held_down_by="" if bound is None else bound.by,
            reached=bound is not None and self.persons == bound.persons, ledger=ledger, seconds=round(self.seconds, 3), alarm=None,
            wrong="; ".join(wrong), more=self.more,
        )  # fmt: skip


class Strike(Attack):
    """An attack that is over in one instant of the simulated time."""

    @abstractmethod
    async def strike(self) -> None:
        """Attack."""

    async def play(self) -> AsyncGenerator[datetime, None]:
        """Take one turn."""
        yield self.begins
        await self.strike()
