"""``ecluse schedule``: import a file of who is due when, where and with whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from ecluse.install import Databases
    from ecluse.register import RegisterMap
    from ecluse.schedule.service import ImportReport
    from ecluse.settings import Installation

app = typer.Typer(no_args_is_help=True, help="Schedules: only the controller says who is due when, where and with whom.")

_COUNTS = {
    "sessions_new": "new sessions",
    "sessions_moved": "sessions moved",
    "sessions_unchanged": "sessions as they were",
    "places_new": "new places",
    "places_cancelled": "places cancelled",
    "places_reinstated": "places reinstated",
    "places_unchanged": "places as they were",
    "places_absent": "cancelled places that were never known",
}


@app.callback()
def schedule() -> None:
    """Keep ``import`` a word of its own: with one command alone the framework would leave it out."""


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="The schedule (CSV or JSON).", dir_okay=False)],
    *,
    kind: Annotated[str | None, typer.Option(help="csv or json.", show_default="by the file's ending")] = None,
    dry_run: Annotated[bool, flag("--dry-run", help="Check only: say what it would change.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Import a schedule: all of the file takes effect in one sealed instant, or nothing does.

    Columns: source, session_ref, place_ref, subject_ref, purpose, processor, site, room, starts_at, ends_at, agents, status; course_ref may be left out.
    No value of the file is ever shown: a problem names row, column, reason and mend.
    """
    import msgspec

    from ecluse import install
    from ecluse.cli.reach import load, read_bytes, register_map, run
    from ecluse.schedule.service import ImportRefused

    screen, installation = Screen(as_json=as_json), load(folder)
    mapped, content = register_map(installation.folder / "register.toml"), read_bytes(file)
    with screen.working("Checking" if dry_run else "Checking and importing"), install.databases(installation) as reached:
        report = run(
            _import(installation, reached, mapped, content, kind=kind or file.suffix.lower().removeprefix("."), dry_run=dry_run)
        )
    _show(screen, file, report)
    refused = isinstance(report, ImportRefused)
    screen.answer({"applied": not refused and not dry_run, **msgspec.to_builtins(report)})
    if refused:
        raise typer.Exit(REFUSED)


async def _import(
    installation: Installation, reached: Databases, mapped: RegisterMap, content: bytes, *, kind: str, dry_run: bool
) -> ImportReport:
    """Import through a small pool, as the gate does."""
    from ecluse.cli.reach import APP, actor, require_log
    from ecluse.db import open_pool
    from ecluse.install import LOG_ID
    from ecluse.schedule.service import import_schedule
    from ecluse.settings import with_user

    dsn = with_user(reached.database_url, APP, installation.secret("db-app.password"))
    async with await open_pool(dsn, size=1, name="cli") as pool:
        async with pool.acquire() as connection:
            await require_log(connection)
        zone = installation.settings.zone
        return await import_schedule(
            pool, file_bytes=content, kind=kind, actor=actor(), dry_run=dry_run, register=mapped, zone=zone, log_id=LOG_ID
        )


def _show(screen: Screen, file: Path, report: ImportReport) -> None:
    """Say what came of it."""
    import msgspec

    from ecluse.schedule.service import ImportApplied, ImportRefused

    if isinstance(report, ImportRefused):
        found = report.findings
        rows = [(problem.row, problem.column or "", problem.why, problem.mend) for problem in found.problems]
        screen.table(
            ("row", "column", "why", "mend"), rows, title=f"{file}: {counted(found.total, 'problem')}, so nothing was applied"
        )
        if found.truncated:
            screen.say(f"… and {found.total - len(rows)} more.")
        return
    counts = [(_COUNTS[name], number) for name, number in msgspec.to_builtins(report.counts).items() if number]
    if isinstance(report, ImportApplied):
        screen.say(f"Applied: {file}, sealed as entry {report.index} of the ledger.", style="green")
    else:
        screen.say(f"{file} is in order. Nothing was applied; this is what it would change:", style="green")
    screen.pairs([("source", report.source), *(counts or [("changes", "none: all of it is so already")])])
