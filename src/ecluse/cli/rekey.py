"""``ecluse ledger rotate-key``: change the log's key while it is signed, so that nobody who pinned the old one is left behind.

Each step may be repeated after a crash at any point:
 1. the next key's file is written beside the present one (0600); alone it has no effect
 2. an entry says so (``control:log:rekeyed``); from the head that holds it on both keys sign, gates take the file by themselves
 3. ``--finish``, once verifiers have the new key: an entry ends the old one
 4. the next key's file takes the place of the old one's
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from ecluse.cli.options import Dir, Json, Yes, flag
from ecluse.cli.screen import Screen

if TYPE_CHECKING:
    from ecluse.db import Connection
    from ecluse.ledger.model import Log, LogKey
    from ecluse.settings import Installation

STATES: Final = {
    "single": "one key signs",
    "made": "the next key is made and not sealed: run `ecluse ledger rotate-key` again",
    "waiting": "the next key is sealed; the gate has not signed with it yet",
    "both": "both keys sign: hand the new one over, then `ecluse ledger rotate-key --finish`",
    "ended": "the old key is ended and its file still there: run `ecluse ledger rotate-key --finish` again",
}
"""How a log's keys may stand, and what is to be done next."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a log's keys stand. ``state``: a word of `STATES`; ``following``: the verifier key in the next key's file, '' if there is none."""

    state: str
    log: Log
    keys: tuple[LogKey, ...]
    following: str

    @property
    def in_use(self) -> list[str]:
        """The verifier keys that sign now, older first."""
        return [key.vkey for key in self.keys if key.until_size is None]


def rotate_key(
    *,
    finish: Annotated[
        bool,
        flag("--finish", help="End the old key: whoever pinned it and nothing else, witnesses too, follows the log no further."),
    ] = False,
    status: Annotated[bool, flag("--status", help="Only say how the keys stand.")] = False,
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Change the log's key: make the next one, let both sign, and with --finish end the old. No gate is restarted.

    Between the two, hand the lines that this prints to witnesses, processors and auditors: they replace the log's line of their policies.
    """
    from ecluse.cli.reach import load, on_log
    from ecluse.cli.rotate import one_at_a_time

    screen, installation = Screen(as_json=as_json), load(folder)
    with one_at_a_time(installation):
        stands = on_log(installation, lambda connection: standing(connection, installation))
        if not status and finish:
            _finish(screen, installation, stands, yes=yes)
        elif not status:
            _begin(installation, stands)
        if not status:
            stands = on_log(installation, lambda connection: standing(connection, installation))
    _show(screen, installation, stands)
    if not status:
        screen.say(f"Copy keys/ to your safe now, and to no host but the one that signs {stands.log.origin}.")


async def standing(connection: Connection, installation: Installation) -> Standing:
    """Say how the keys of the log that is written now stand."""
    from ecluse.install import LOG_ID, log_file
    from ecluse.ledger.notes import format_vkey, verifier_of_key
    from ecluse.ledger.serve import checkpoint, current_log, keys_of, log_of
    from ecluse.ledger.sign import load_log_key

    log_id = await current_log(connection, LOG_ID)
    log, keys, head = await log_of(connection, log_id), await keys_of(connection, log_id), await checkpoint(connection, log_id)
    name, following = log_file(log_id, "next.key"), ""
    if (installation.keys / name).exists():
        following = format_vkey(verifier_of_key(log.origin, load_log_key(installation.secret(name))))
    in_use = [key for key in keys if key.until_size is None]
    if len(in_use) > 1:
        state = "both" if head is not None and in_use[-1].signs(head.size) else "waiting"
    elif following:
        state = "ended" if following == in_use[0].vkey else "made"
    else:
        state = "single"
    return Standing(state=state, log=log, keys=tuple(keys), following=following)


def _begin(installation: Installation, stands: Standing) -> None:
    """Make the next key (step 1) and seal that it signs (step 2)."""
    from ecluse import install
    from ecluse.cli.edge import Refusal
    from ecluse.ledger.notes import format_vkey, verifier_of_key
    from ecluse.ledger.sign import load_log_key

    if stands.state not in {"single", "made"}:
        raise Refusal("keys", STATES[stands.state], "A third key waits until this change is finished")
    path = installation.keys / install.log_file(stands.log.id, "next.key")
    if stands.state == "single":
        install.write_secret(path, install.new_log_key())
    vkey = format_vkey(verifier_of_key(stands.log.origin, load_log_key(installation.secret(path.name))))
    _seal(installation, "begin", old=stands.in_use[0], new=vkey)


def _finish(screen: Screen, installation: Installation, stands: Standing, *, yes: bool) -> None:
    """End the old key (step 3) and let the next one's file take its place (step 4)."""
    from ecluse.cli.edge import Refusal
    from ecluse.install import log_file

    if stands.state not in {"both", "ended"}:
        raise Refusal("keys", STATES[stands.state], "Nothing is ended before both keys have signed")
    if stands.state == "both":
        question = "Have all witnesses, processors and auditors the new key? Who has the old one only follows the log no further."
        if not screen.confirm(question, yes=yes):
            raise typer.Exit(1)
        old, new = stands.in_use
        if stands.following != new:
            raise Refusal(
                f"keys/{log_file(stands.log.id, 'next.key')}", "it is not the key that was sealed", "Restore it from your safe"
            )
        _seal(installation, "finish", old=old, new=new)
    (installation.keys / log_file(stands.log.id, "next.key")).replace(installation.keys / log_file(stands.log.id, "key"))


def _seal(installation: Installation, step: str, *, old: str, new: str) -> None:
    """Seal one step; the entry names both keys."""
    from ecluse.cli.reach import actor, on_log
    from ecluse.install import LOG_ID
    from ecluse.ledger.fields import Event
    from ecluse.ledger.service import seal_control

    on_log(
        installation,
        lambda connection: seal_control(
            connection, log_id=LOG_ID, event=Event.LOG_REKEYED, act="log:rekey", actor=actor(), target=new,
            detail={"new": new, "old": old, "step": step}, body={"step": step, "vkey": new if step == "begin" else old},
        ),
    )  # fmt: skip


def _show(screen: Screen, installation: Installation, stands: Standing) -> None:
    """Show the keys, what to hand over, and what comes next."""
    url = f"{installation.settings.public_url}/ledger/{stands.log.name}/"
    lines = [f"log {vkey} {url}" for vkey in stands.in_use]
    rows = [
        (key.vkey, f"{key.from_size}", "in use" if key.until_size is None else f"ended at {key.until_size}")
        for key in stands.keys
    ]
    screen.table(("verifier key", "from size", "state"), rows)
    screen.say(
        f"\n{STATES[stands.state][0].upper()}{STATES[stands.state][1:]}.", style="bold yellow" if len(lines) > 1 else "green"
    )
    if stands.state in {"waiting", "both"}:
        screen.say("For witnesses, processors and auditors, in the place of the log's line in their policies:")
    if stands.state != "made":
        screen.say("\n".join(lines))
    screen.answer({"state": stands.state, "origin": stands.log.origin, "keys": stands.keys, "policy": lines})
