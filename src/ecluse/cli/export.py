"""``ecluse ledger export``: the public log as static files, for any web server, a mirror or an archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli.options import Dir, Json, LogName, flag
from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecluse.db import Connection
    from ecluse.ledger.export import Exported


def export(
    target: Annotated[
        Path, typer.Argument(metavar="DIR", help="An empty folder, or one that this log was exported to before.", file_okay=False)
    ],
    *,
    entries: Annotated[
        bool, flag("--entries", help="With the entries' own bytes, for auditors: they tell in which hour how much was decided.")
    ] = False,
    log: LogName = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Write checkpoint and tiles (C2SP tlog-tiles) into DIR as static files: `python -m http.server` can serve them, and verifiers read them.

    Run it again to bring DIR up to date: only what is new is written, the checkpoint last. What is written is checked against the checkpoint. A folder that
    is ahead of the log, or of another history, is refused and left alone. May be run while the gate serves, and from cron.
    """
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import load, on_log
    from ecluse.ledger.errors import ExportRefused

    screen, installation = Screen(as_json=as_json), load(folder)
    try:
        with screen.progress("Exporting") as tell:
            done = on_log(
                installation,
                lambda connection: _export(connection, target.absolute(), log, tell, entries=entries),
                role="ecluse_reader",
            )
    except ExportRefused as refused:
        raise Refusal(str(target), refused.why, refused.mend) from None
    except OSError as failed:
        raise Refusal(
            str(target), f"it can't be written ({failed.strerror})", "Mend that, and run this again: it goes on where it stopped"
        ) from None
    new = done.size - done.before
    written = f"{new:,} of them new, {counted(done.written, 'file')} written"
    screen.say(f"{target} holds {done.origin} up to {counted(done.size, 'entry', 'entries')}: {written}.", style="green")
    if done.entries:
        screen.say("It holds the entries' bytes: for auditors, behind a credential, not for the public.", style="yellow")
    screen.answer(done)


async def _export(
    connection: Connection, target: Path, log: str | None, tell: Callable[[int, int], None], *, entries: bool
) -> Exported:
    """Export the log of that name, or the one written now."""
    from ecluse.cli.reach import log_chosen
    from ecluse.ledger.export import export_log

    return await export_log(connection, await log_chosen(connection, log), target, entries=entries, progress=tell)
