"""``ecluse exposure``, continued: the pictures, and what a thief would have under the usual alternatives."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ecluse.cli.exposure import From, To, app, window_of, written
from ecluse.cli.flows import Language, Paper, write_out
from ecluse.cli.options import Dir, Json
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ecluse.db import Connection
    from ecluse.exposure.alternatives import Comparison, Taken
    from ecluse.exposure.draw import Shown
    from ecluse.register import RegisterMap
    from ecluse.settings import Installation

__all__ = ["app"]

_ROLE: Final = "ecluse_reader"
_MOST_DAYS: Final = 92
_WAYS: Final = {
    "copy": "a copy of the database",
    "read-account": "a read account",
    "token-api": "a token API without budgets",
    "row-level-security": "row-level security by schedule",
    "ecluse": "Écluse",
}
_ENDS: Final = {
    "never": "never: a copy can't be called back",
    "when it is closed": "when somebody closes it",
    "with the last window": "with the last window",
}


class What(StrEnum):
    """What a picture shows."""

    TIME = "time"
    COMPOSITION = "composition"
    ALTERNATIVES = "alternatives"


@app.command("draw")
def draw_exposure(
    *,
    what: Annotated[What, typer.Option(help="The days to come, what it is made of, or beside the usual alternatives.")],
    processor: Annotated[
        str | None, typer.Option(help="Of this processor; `composition` can do without.", show_default="all")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=_MOST_DAYS, help="How many days to come (UTC), for `time`.")] = 30,
    from_day: From = None,
    to_day: To = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the picture (SVG) there.", dir_okay=False)] = None,
    paper: Annotated[
        Paper, typer.Option(help="Its ground: of its own, or (inline) that of the page it stands in.")
    ] = Paper.LIGHT,
    language: Annotated[Language, typer.Option(help="Its language.")] = Language.ENGLISH,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Draw exposure; `--json` gives the data. Under each picture stands the command that answers with its numbers."""
    from ecluse.cli.reach import load
    from ecluse.errors import ConfigurationError
    from ecluse.exposure.draw import draw

    screen = Screen(as_json=as_json)
    if out is None and not as_json:
        raise ConfigurationError(
            "--out", "there is no file to draw to", "Name one, such as exposure.svg, or ask for the data with --json"
        )
    if processor is None and what is not What.COMPOSITION:
        raise typer.BadParameter(f"name the processor: `{what.value}` is drawn of one", param_hint="--processor")
    if what is What.TIME and (from_day is not None or to_day is not None):
        raise typer.BadParameter("`time` begins now: say --days", param_hint="--from / --to")
    installation = load(folder)
    with screen.working("Computing"):
        shown = _shown(installation, what, processor, days, from_day, to_day)
    if out is not None:
        write_out(out, draw(shown, zone=installation.settings.zone, paper=paper.value, language=language.value))
        screen.say(f"Drawn: {out}. Its numbers: {shown.command}", style="green")
    screen.answer(shown)


def _shown(
    installation: Installation, what: What, processor: str | None, days: int, from_day: str | None, to_day: str | None
) -> Shown:
    """Return what is drawn, as data."""
    from ecluse.cli.reach import on_log, register_map
    from ecluse.exposure import Holder, Scope
    from ecluse.exposure.series import composition
    from ecluse.exposure.service import Engine

    if what is What.ALTERNATIVES:
        return _compared(installation, processor or "", from_day, to_day)
    engine = Engine(register_map(installation.folder / "register.toml"), installation.settings.zone)
    holders = [Holder(scope=Scope.PROCESSOR, processor=processor)] if processor is not None else []

    async def work(connection: Connection) -> Shown:
        if what is What.TIME:
            return await engine.over_time(connection, processor or "", days)
        window = await window_of(connection, from_day, to_day)
        found = await engine.reach(connection, holders=holders, window=window)
        return composition(
            found.reaches, names=found.names, together=found.together, at=found.at, window=found.window, standing=found.standing,
            one=processor is not None,
        )  # fmt: skip

    return on_log(installation, work, role=_ROLE)


@app.command("alternatives")
def alternatives(
    *,
    processor: Annotated[str, typer.Option(help="The processor whose credentials a thief has.", show_default=False)],
    from_day: From = None,
    to_day: To = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Say what a thief would have under the usual alternatives (a copy, a read account, a token API, rights by row), and under Écluse."""
    from ecluse.cli.reach import load

    screen, installation = Screen(as_json=as_json), load(folder)
    with screen.working("Computing"):
        found = _compared(installation, processor, from_day, to_day)
    _show(screen, found, installation.settings.zone)
    screen.answer(found)


def _compared(installation: Installation, processor: str, from_day: str | None, to_day: str | None) -> Comparison:
    """Count the register's subjects as its reader, then ask the engine."""
    from ecluse import install
    from ecluse.cli.reach import register_map, require_log, run, with_connection
    from ecluse.exposure.service import Engine
    from ecluse.register.store import count_subjects

    register: RegisterMap = register_map(installation.folder / "register.toml")
    engine = Engine(register, installation.settings.zone)
    with install.databases(installation) as reached:
        subjects = run(
            with_connection(installation, reached, install.REGISTER_ROLE, lambda reader: count_subjects(reader, register))
        )

        async def work(connection: Connection) -> Comparison:
            await require_log(connection)
            window = await window_of(connection, from_day, to_day)
            return await engine.beside(connection, processor, window=window, subjects=subjects)

        return run(with_connection(installation, reached, _ROLE, work))


def _show(screen: Screen, found: Comparison, zone: ZoneInfo) -> None:
    """Show a line for each way, then how many times as much a copy is."""
    when = (
        f"right now, {local_time(found.at, zone)}"
        if found.standing
        else f"between {local_time(found.window.begins, zone)} and {local_time(found.window.ends, zone)}"
    )
    rows = [
        (_WAYS[way.way.value], written(way.persons), way.attributes or "-", f"{way.values:,}", _ends(way, zone))
        for way in found.ways
    ]
    heads = ("a thief has", "persons", "attributes", "persons x attributes", "ends")
    screen.table(heads, rows, title=f"{found.name}, {when}")
    if found.persons_times is None or found.values_times is None:
        screen.say("\nÉcluse lets nobody out.", style="bold")
        return
    screen.say(
        f"\nA copy holds {counted(found.persons_times, 'time')} as many persons as Écluse lets out, "
        f"and {counted(found.values_times, 'time')} as many persons x attributes.",
        style="bold",
    )
    screen.say(
        "Écluse gives attributes in the contract's forms, and seals each reading; the others give them in full, and nobody counts.",
        style="dim",
    )


def _ends(way: Taken, zone: ZoneInfo) -> str:
    """Say when a thief stops having it."""
    return local_time(way.until, zone) if way.until is not None else _ENDS[way.ends.value]
