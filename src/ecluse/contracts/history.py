"""The gate of a processor over all versions of its contract: each version's, from the instant it was applied to that of the next. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from ecluse.contracts.gate import FAR_FUTURE, FAR_PAST, Gate, Gatekeeper, GateState

ABSENT = "contract:absent"
UNREADABLE = "contract:unreadable"


class GateHistory:
    """Knows what a processor's gate was, is and will be if nothing else is done."""

    def __init__(self, versions: Sequence[tuple[datetime, Gatekeeper | None]]) -> None:
        """Take each version with the instant it was applied, oldest first; None: this version of Écluse can't read it."""
        begins = [FAR_PAST, *(applied_at for applied_at, _ in versions)]
        keepers = [None, *(keeper for _, keeper in versions)]
        self._spans = list(zip(begins, [*begins[1:], FAR_FUTURE], keepers, strict=True))

    def at(self, instant: datetime) -> Gate:
        """Return the gate at an instant, no interval of it longer than the version's own."""
        begins, ends, keeper = next(span for span in self._spans if span[0] <= instant < span[1])
        if keeper is None:
            state, reasons = self._without(begins)
            return Gate(state=state, reasons=reasons, valid_from=begins, valid_until=ends, told_from=begins, told_until=ends)
        gate = keeper.at(instant)
        return Gate(
            state=gate.state, reasons=gate.reasons, valid_from=max(gate.valid_from, begins), valid_until=min(gate.valid_until, ends),
            told_from=max(gate.told_from, begins), told_until=min(gate.told_until, ends),
        )  # fmt: skip

    def changes(self, begins: datetime, ends: datetime) -> Iterator[tuple[datetime, GateState, tuple[str, ...]]]:
        """Yield each instant of ``[begins, ends)`` from which state or reasons are other than before, the first of them ``begins``."""
        told = None
        for first, past, keeper in self._spans:
            if past <= begins or ends <= first or past <= first:
                continue
            since = max(begins, first)
            found = [(since, *self._without(first))] if keeper is None else keeper.changes(since, min(ends, past))
            for at, state, reasons in found:
                if (state, reasons) != told:
                    yield at, state, reasons
                told = state, reasons

    @staticmethod
    def _without(begins: datetime) -> tuple[GateState, tuple[str, ...]]:
        return GateState.CLOSED, (ABSENT if begins == FAR_PAST else UNREADABLE,)
