"""``ecluse contract shadow``: a contract file tried on what was decided, without applying it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse import clock
from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecluse.flows.shadow import Shadow, Turned


def shadow(
    file: Annotated[Path, typer.Argument(help="The contract file (TOML).", dir_okay=False)],
    *,
    from_day: Annotated[
        str | None, typer.Option("--from", help="First day (UTC), such as 2026-01-31.", show_default="30 days ago")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", help="Last day (UTC).", show_default="today")] = None,
    listed: Annotated[bool, flag("--list", help="List the disclosures by id, never persons.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Try a contract file on the past: who would have been refused, or let through, by reason, purpose and day. Nothing is applied."""
    from ecluse.cli.reach import attributes_of, load, on_log, read_text, register_map
    from ecluse.contracts import parse_contract
    from ecluse.flows.service import shadow as use_case

    screen, installation = Screen(as_json=as_json), load(folder)
    contract = parse_contract(read_text(file), attributes_of(register_map(installation.folder / "register.toml")))
    today = clock.now().date()
    first, last = _day("--from", from_day, today - timedelta(days=30)), _day("--to", to_day, today)
    if first > last:
        raise typer.BadParameter("is after --to", param_hint="--from")
    span = _midnight(first), _midnight(last + timedelta(days=1))
    with screen.working("Deciding again"):
        found = on_log(
            installation,
            lambda connection: use_case(connection, contract, span, installation.settings.zone),
            role="ecluse_reader",
        )
    _show(screen, found, first, last)
    if listed:
        _list(screen, found)
    screen.answer(_told(found, listed=listed))


def _day(name: str, text: str | None, otherwise: date) -> date:
    """Read a day of the command line."""
    try:
        return otherwise if text is None else date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("is no day: write it as 2026-01-31", param_hint=name) from None


def _midnight(day: date) -> datetime:
    """Return the beginning of a UTC day."""
    return datetime.combine(day, time(), tzinfo=UTC)


def _show(screen: Screen, found: Shadow, first: date, last: date) -> None:
    """Show what would have been otherwise."""
    lost, won = sum(one.count for one in found.refused), sum(one.count for one in found.allowed)
    screen.say(f"{found.processor}, {first} to {last} (UTC), under the contract of the file:", style="bold")
    screen.pairs(
        [
            ("decisions", f"{found.decisions:,}, of them {found.granted:,} granted"),
            ("granted as well", f"{found.still_granted:,}"),
            ("WOULD BE REFUSED", f"{lost:,}"),
            ("would be granted now", f"{won:,}"),
            ("refused as well", f"{found.still_refused:,}"),
        ]
    )
    screen.table(
        ("day", "purpose", "reason", "disclosures"),
        _rows(found.refused),
        title="\nGranted then, refused by this contract",
        empty="None.",
    )
    if found.allowed:
        screen.table(
            ("day", "purpose", "reason", "disclosures"), _rows(found.allowed), title="\nRefused then, granted by this contract"
        )
    if found.weaker:
        rows = [(one.purpose, one.attribute, one.before, one.after or "(not shown)", f"{one.count:,}") for one in found.weaker]
        screen.table(
            ("purpose", "attribute", "was given as", "would be", "disclosures"), rows, title="\nGranted, and given otherwise"
        )
    if found.not_scheduled:
        sessions = [(one.reason, one.purpose, f"{one.sessions:,}", f"{one.places:,}") for one in found.not_scheduled]
        screen.table(
            ("why", "purpose", "sessions", "places"), sessions, title="\nSessions that the schedule would not have let in"
        )
    _show_left_out(screen, found)


def _rows(turned: Sequence[Turned]) -> list[tuple[object, ...]]:
    """Write decisions that turn by day, purpose and reason."""
    return [(one.day, one.purpose, one.reason or "-", f"{one.count:,}") for one in turned]


def _show_left_out(screen: Screen, found: Shadow) -> None:
    """Say what could not be tried."""
    screen.say("\nThe contract's own first and last day were not applied, and its budgets began empty.", style="dim")
    for why, count in sorted(found.not_replayed.items()):
        screen.say(f"Not tried: {counted(count, 'decision')}: {why}.", style="yellow")
    if found.erased:
        screen.say(
            f"{counted(found.erased, 'entry', 'entries')} of these days, of any processor, were erased: they can't be tried.",
            style="yellow",
        )
    if found.counted:
        screen.say(f"{counted(found.counted, 'refusal')} over the rate were only counted, and are not in this.", style="yellow")


def _list(screen: Screen, found: Shadow) -> None:
    """List the disclosures that would go the other way."""
    rows = [
        (one.day, "refused" if one.reason else "granted", one.reason or "-", name)
        for one in (*found.refused, *found.allowed)
        for name in one.disclosures
    ]
    screen.table(("day", "would be", "reason", "disclosure"), rows, title="\nDisclosures", empty="None.")


def _told(found: Shadow, *, listed: bool) -> dict[str, object]:
    """Write the result for programs; ids of disclosures only where they were asked for."""
    by_reason: Counter[str] = Counter()
    for one in found.refused:
        by_reason[one.reason] += one.count

    def turned(some: Sequence[Turned]) -> list[dict[str, object]]:
        return [
            {
                "day": one.day,
                "purpose": one.purpose,
                "reason": one.reason,
                "count": one.count,
                **({"disclosures": one.disclosures} if listed else {}),
            }
            for one in some
        ]

    told = {name: getattr(found, name) for name in found.__struct_fields__}
    return {
        **told,
        "refused": turned(found.refused),
        "allowed": turned(found.allowed),
        "refused_by_reason": dict(sorted(by_reason.items())),
    }
