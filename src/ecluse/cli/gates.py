"""``ecluse contract gate``, and the gates of all processors where they are listed: computed by the function that every disclosure asks, of the same facts."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from ecluse.cli.edge import Refusal
from ecluse.cli.options import Dir, Json, ProcessorName
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    import asyncpg

    from ecluse.contracts import Gate, GateState
    from ecluse.contracts.history import GateHistory
    from ecluse.db import Connection
    from ecluse.register import AttributeType

AHEAD: Final = timedelta(days=90)
"""How far ahead changes are told, unless ``--until`` says otherwise."""

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "open": ("open: disclosures are possible inside each appointment's window", "bold green"),
    "warn": ("open, with a warning", "bold yellow"),
    "frozen": ("frozen: nothing is disclosed until this is settled", "bold red"),
    "closed": ("closed: nothing is disclosed", "bold red"),
}
"""Each state in words, and how it is coloured."""

_MOVES: Final = {"processor": "the processor's", "controller": "ours", "nobody": "nobody's"}
_CLOCK: Final = "select ecluse.clock()"


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """How a gate stands now. ``state``: a gate's, or ``unreadable`` where the register map does not fit; ``why``: in words; ``mend``: of the worst reason."""

    state: str
    why: str
    mend: str
    days: str


async def gates_now(
    connection: Connection, attributes: Mapping[str, AttributeType], zone: ZoneInfo
) -> list[tuple[asyncpg.Record, Stands]]:
    """Return every processor, as it is listed, with its gate at this instant of the database's clock."""
    from ecluse.cli.store import rows_of
    from ecluse.contracts.store import REMEMBERED, load_facts, standing_of

    async with connection.transaction(isolation="repeatable_read", readonly=True):
        at = await connection.fetchval(_CLOCK)
        rows = await rows_of(connection, "processors")
        facts = await load_facts(connection, [row["id"] for row in rows], REMEMBERED)
    return [(row, _stands(row["text"], standing_of(facts.get(row["id"])), attributes, at, zone)) for row in rows]


def _stands(text: str | None, standing: Any, attributes: Mapping[str, AttributeType], at: datetime, zone: ZoneInfo) -> Stands:  # noqa: ANN401 - a Standing: its module is imported when it is needed
    """Say how one gate stands."""
    from ecluse.cli.reach import unreadable
    from ecluse.contracts import ContractInvalid, gate_of, parse_contract
    from ecluse.contracts.words import words_of

    if text is None:
        return Stands(state="closed", why="no contract", mend=words_of("contract:absent").mend, days="")
    try:
        contract = parse_contract(text, attributes)
    except ContractInvalid as invalid:
        return Stands(state="unreadable", why=unreadable(invalid), mend=words_of("contract:unreadable").mend, days="")
    gate = gate_of(contract, standing, at=at, timezone=zone)
    words = [words_of(reason) for reason in gate.reasons]
    return Stands(
        state=gate.state.value,
        why=", ".join(each.what for each in words),
        mend=words[0].mend if words else "",
        days=f"{contract.starts_on} to {contract.ends_on}",
    )


def gate(
    processor: ProcessorName,
    *,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="At which instant, past or to come.", show_default="now")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Until when changes are told.", show_default="90 days later")
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Say how a processor's gate stands, why, the mend and whose move it is; and what changes by itself if nobody does anything.

    Any instant can be asked for: of the past by the contract, documents, findings and overrides that counted then.
    """
    from ecluse.cli.holds import read_instant
    from ecluse.cli.reach import attributes_of, load, on_log, register_map
    from ecluse.contracts import FAR_FUTURE, FAR_PAST

    screen, installation = Screen(as_json=as_json), load(folder)
    attributes = attributes_of(register_map(installation.folder / "register.toml"))
    zone = installation.settings.zone
    asked, ends = read_instant("--at", at), read_instant("--until", until)
    history, row, now = on_log(installation, lambda connection: _history(connection, processor, attributes, zone))
    begins = asked or now
    ends = ends or begins + AHEAD
    if not FAR_PAST <= begins < ends < FAR_FUTURE:
        raise typer.BadParameter("is not after --at, or out of the years 1900 to 9998", param_hint="--until")
    stands, coming = history.at(begins), list(history.changes(begins, ends))[1:]
    if not as_json:
        _show(screen, row, stands, begins, zone)
        _show_coming(screen, stands, coming, ends, zone)
        if row["holds"]:
            screen.say(
                f"\nBeside its gate: {counted(row['holds'], 'hold')} in force. `ecluse processor holds` lists them.",
                style="bold red",
            )
    screen.answer(
        {
            "processor": processor, "at": begins, "state": stands.state.value, "reasons": [_said(reason) for reason in stands.reasons],
            "same_permission": [stands.valid_from, stands.valid_until], "holds": row["holds"],
            "changes": [{"at": when, "state": state.value, "reasons": list(reasons)} for when, state, reasons in coming],
        }
    )  # fmt: skip


async def _history(
    connection: Connection, processor: str, attributes: Mapping[str, AttributeType], zone: ZoneInfo
) -> tuple[GateHistory, asyncpg.Record, datetime]:
    """Read all that a processor's gate follows from, what is listed of it, and the database's clock."""
    from ecluse.cli.store import rows_of
    from ecluse.contracts.store import load_history

    row = next((one for one in await rows_of(connection, "processors") if one["id"] == processor), None)
    if row is None:
        raise Refusal(processor, "no such processor is registered", "`ecluse processor list` lists them")
    return await load_history(connection, processor, attributes, zone), row, await connection.fetchval(_CLOCK)


def _said(reason: str) -> dict[str, str]:
    """Return a reason with its words, for programs."""
    from ecluse.contracts.words import words_of

    words = words_of(reason)
    return {"code": reason, "what": words.what, "mend": words.mend, "move": words.move.value}


def _show(screen: Screen, row: asyncpg.Record, stands: Gate, at: datetime, zone: tzinfo) -> None:
    """Say how the gate stands, and why."""
    words, style = STATES[stands.state.value]
    screen.say(f"{row['name']} ({row['id']}), {local_time(at, zone)}", style="bold")
    screen.say(f"The gate is {words}.", style=style)
    rows = [(each["what"], each["mend"], _MOVES[each["move"]]) for each in map(_said, stands.reasons)]
    if rows:
        screen.say()
        screen.table(("why", "the mend", "whose move"), rows)


def _show_coming(
    screen: Screen, stands: Gate, coming: list[tuple[datetime, GateState, tuple[str, ...]]], ends: datetime, zone: tzinfo
) -> None:
    """Say what changes by itself."""
    from ecluse.contracts.words import words_of

    rows, before = [], stands.reasons
    for when, state, reasons in coming:
        came = [words_of(reason).what for reason in reasons if reason not in before]
        gone = [f"no more: {words_of(reason).what}" for reason in before if reason not in reasons]
        rows.append((local_time(when, zone), state.value, "; ".join(came + gone)))
        before = reasons
    screen.say()
    title = f"If nobody does anything, until {local_time(ends, zone)}:"
    screen.table(("from", "gate", "what changes"), rows, title=title, empty="nothing changes.")
