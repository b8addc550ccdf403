"""What an act changes for a processor's gate, on the screen before it is done: state and reasons now, and then."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ecluse.contracts import Standing
    from ecluse.db import Connection
    from ecluse.evidence.service import Foreseen
    from ecluse.settings import Installation

    Change: TypeAlias = Callable[[Standing, datetime], Standing]

Shown: TypeAlias = dict[str, Any] | None


async def look_ahead(connection: Connection, installation: Installation, processor: str, change: Change) -> Foreseen | None:
    """Compute a processor's gate as it is and as it would be."""
    from ecluse.cli.reach import attributes_of, register_map
    from ecluse.evidence.service import foresee

    attributes = attributes_of(register_map(installation.folder / "register.toml"))
    return await foresee(connection, processor, change, attributes=attributes, timezone=installation.settings.zone)


def show_foreseen(screen: Screen, processor: str, foreseen: Foreseen | None) -> None:
    """Say what the act changes for the gate: which reasons are settled by it, lifted or new, and which stay."""
    from ecluse.cli.examine import gate_words
    from ecluse.cli.gates import STATES

    if foreseen is None:
        screen.say(f"{processor} has no contract in force, so there is no gate to move.", style="yellow")
        return
    before, after = foreseen.before, foreseen.after
    if (before.state, before.reasons) == (after.state, after.reasons):
        screen.say(f"The gate of {processor} stays as it is: {before.state.value}.", style="dim")
        return
    then = f"after this {'still ' if before.state is after.state else ''}{after.state.value}"
    screen.say(f"The gate of {processor}: now {before.state.value}, {then}.", style=STATES[after.state.value][1])
    lifted = set(_lifted(after.reasons)) - set(_lifted(before.reasons))
    rows = [("settled", reason) for reason in before.reasons if reason not in after.reasons]
    rows += [
        ("new" if reason not in before.reasons else "lifted" if reason in lifted else "stays", reason) for reason in after.reasons
    ]
    screen.table(("", "reason"), [(word, gate_words(reason)) for word, reason in rows])
    screen.say()


def _lifted(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Return the reasons that are told beside an override: those that it lifts."""
    first = next((place for place, reason in enumerate(reasons) if reason.startswith("override:")), len(reasons))
    return reasons[first:]


def told(foreseen: Foreseen | None) -> Shown:
    """Return what a program is told of it; None: no contract is in force."""
    if foreseen is None:
        return None
    return {
        name: {"state": gate.state.value, "reasons": list(gate.reasons)}
        for name, gate in (("before", foreseen.before), ("after", foreseen.after))
    }


def ask(screen: Screen, question: str, *, yes: bool) -> None:
    """Go on only if that is wanted."""
    if not screen.confirm(question, yes=yes):
        screen.say("Nothing was changed.")
        raise typer.Exit(REFUSED)


def read_day(option: str, text: str) -> date:
    """Read a day in its one spelling."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise typer.BadParameter("is not a day; write one such as 2026-01-31", param_hint=option)
    return day


def maybe_day(option: str, text: str | None) -> date | None:
    """Read a day that may be left out."""
    return None if text is None else read_day(option, text)
