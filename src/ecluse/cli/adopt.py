"""``ecluse ledger adopt``: give a signer that lost its memory a checkpoint that somebody kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli.options import Dir, Json, Yes
from ecluse.cli.screen import Screen

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.ledger.model import Checkpoint
    from ecluse.ledger.sign import Signer


def adopt(
    kept: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The newest signed checkpoint that anybody kept: yours, a processor's, an auditor's.",
            dir_okay=False,
        ),
    ],
    *,
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Begin the signer's memory (state/log.checkpoint) anew from a checkpoint of this log, after it was lost.

    The checkpoint has to be signed by keys/log.key, and the entries in the database have to lead to it. Ask everybody for their newest one first: a signer
    that begins with an older one, on a database that was rolled back, signs a second history.
    """
    from ecluse.cli.reach import load, on_log, read_text
    from ecluse.install import LOG_ID, log_file, signer_of
    from ecluse.ledger.fsck import root_of_entries
    from ecluse.ledger.sign import create_state

    screen, installation = Screen(as_json=as_json), load(folder)
    note = read_text(kept)

    async def look(connection: Connection) -> tuple[Checkpoint, str, int]:
        from ecluse.ledger.serve import checkpoint, current_log, log_of

        log_id = await current_log(connection, LOG_ID)
        signer = signer_of(installation, log_id, (await log_of(connection, log_id)).origin)
        head = await checkpoint(connection, log_id)
        best = _newest(signer, note, head.note if head is not None else None, str(kept))
        _require(best[0], await root_of_entries(connection, log_id, best[0].size))
        return *best, log_id

    found, text, log_id = on_log(installation, look, role="ecluse_reader")
    question = f"Is no checkpoint of this log known that covers more than {found.size} entries? The signer goes on from there."
    if not screen.confirm(question, yes=yes):
        raise typer.Exit(1)
    create_state(installation.state / log_file(log_id, "checkpoint"), text)
    screen.say(f"The signer remembers {found.size} entries, and signs what extends them.", style="green")
    screen.answer({"size": found.size, "root": found.root.hex()})


def _newest(signer: Signer, kept: str, published: str | None, where: str) -> tuple[Checkpoint, str]:
    """Return the larger of the checkpoint that was kept and the one in the database, both signed by our key."""
    from ecluse.cli.edge import Refusal
    from ecluse.ledger.errors import NoteInvalid
    from ecluse.ledger.notes import open_checkpoint

    verifiers = signer.verifiers
    try:
        best = open_checkpoint(kept, verifiers, signer.origin), kept
    except NoteInvalid as bad:
        raise Refusal(
            where, f"it is no checkpoint of this log: {bad}", "Name one that `ecluse ledger status --json` wrote"
        ) from bad
    if published is not None:
        stored = open_checkpoint(published, verifiers, signer.origin)
        if stored.size > best[0].size:
            return stored, published
    return best


def _require(found: Checkpoint, root: bytes | None) -> None:
    """Refuse a checkpoint that the entries in the database do not lead to."""
    from ecluse.cli.edge import Refusal

    if root is None:
        why = f"the checkpoint covers {found.size} entries and the database has fewer: it was rolled back"
        raise Refusal(
            "ledger", why, "Bring the lost entries back from a standby; if there is none, keep everything and tell security"
        )
    if root != found.root:
        raise Refusal(
            "ledger", "the entries in the database are not those of the checkpoint", "Keep everything, and tell security"
        )
