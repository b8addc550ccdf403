"""``ecluse ledger witnesses``: whose cosignatures the log needs. Put a policy in force, see how it stands."""

from __future__ import annotations

from datetime import timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json, Yes, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    import asyncpg

    from ecluse.db import Connection
    from ecluse.ledger.policies import Applied, Standing
    from ecluse.ledger.quorum import Policy
    from ecluse.settings import Installation

app = typer.Typer(no_args_is_help=True, help="The log's witnesses: who is asked to cosign each checkpoint, and how many have to.")


@app.command()
def apply(
    file: Annotated[
        Path,
        typer.Argument(
            help="The policy file (C2SP tlog-policy): the log's key, its witnesses with addresses, the quorum.", dir_okay=False
        ),
    ],
    *,
    check: Annotated[bool, flag("--check", help="Only say what the file would change.")] = False,
    yes: Yes = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Put a witness policy in force: shows who is new, who is gone and what the quorum becomes, asks, then seals it. Every version is kept."""
    from hashlib import sha256

    from ecluse.cli.reach import load, on_log, read_bytes
    from ecluse.ledger.policies import changes_of

    screen, installation, raw = Screen(as_json=as_json), load(folder), read_bytes(file)
    standing, policy = on_log(installation, lambda connection: _compare(connection, file, raw))
    changes, digest = changes_of(standing.policy, policy), sha256(raw).hexdigest()
    if digest == standing.hash:
        screen.say(f"This very file is in force already, as version {standing.version}.", style="green")
    else:
        _show_changes(screen, installation, standing, policy, changes)
    if check or digest == standing.hash:
        screen.answer({"applied": False, "version": standing.version, "hash": digest, "changes": changes})
        return
    if not screen.confirm(f"Put it in force as version {standing.version + 1}?", yes=yes):
        screen.say("Nothing was changed.")
        raise typer.Exit(REFUSED)
    applied = on_log(installation, lambda connection: _put(connection, raw))
    screen.say(f"In force: version {applied.version}, sealed as entry {applied.index} of the ledger.", style="green")
    screen.say(f"SHA-256 of the file: {applied.hash}")
    if applied.version != standing.version + 1:
        screen.note("warn: another version was applied while you looked; `ecluse ledger witnesses show` says how it stands now")
    if not policy.witnesses:
        screen.note("warn: nobody is asked to witness the log")
    screen.answer(
        {"applied": True, "version": applied.version, "hash": applied.hash, "changes": applied.changes, "index": applied.index}
    )


async def _compare(connection: Connection, file: Path, raw: bytes) -> tuple[Standing, Policy]:
    """Read the file against the log; say where it is wrong as of any other file."""
    from ecluse.errors import ConfigurationError
    from ecluse.install import LOG_ID
    from ecluse.ledger.errors import PolicyInvalid
    from ecluse.ledger.policies import check_policy, read_standing
    from ecluse.ledger.serve import current_log

    standing = await read_standing(connection, await current_log(connection, LOG_ID))
    try:
        return standing, check_policy(raw, standing.log_vkeys)
    except PolicyInvalid as bad:
        where = f"{file}, line {bad.line}" if bad.line else str(file)
        raise ConfigurationError(
            where, bad.why, bad.mend or "docs/operator-guide.md, Witnesses, has a file to begin with"
        ) from None


async def _put(connection: Connection, raw: bytes) -> Applied:
    """Apply the file to the log that is written now."""
    from ecluse.cli.reach import actor
    from ecluse.install import LOG_ID
    from ecluse.ledger.policies import apply_policy
    from ecluse.ledger.serve import current_log

    return await apply_policy(connection, log_id=await current_log(connection, LOG_ID), raw=raw, actor=actor())


def _show_changes(
    screen: Screen, installation: Installation, standing: Standing, policy: Policy, changes: tuple[str, ...]
) -> None:
    """Say what changes, and what it means for disclosures."""
    against = f"against version {standing.version}, which is in force" if standing.version else "which has no witness policy yet"
    screen.say(f"What this file changes for {standing.origin}, {against}:", style="bold")
    for change in changes:
        screen.say(f"  - {change}")
    if not changes:
        screen.say("  Nothing but words: the same witnesses, the same quorum.")
    screen.say()
    if policy.quorum is None:
        screen.say("No cosignature is needed: if somebody bends the log, nobody else will have noted it.", style="bold yellow")
        return
    limits = installation.settings.ledger
    warn, freeze = _long(limits.max_uncosigned), _long(limits.max_uncosigned_frozen)
    screen.say(
        f"If entries wait longer than {warn} for that quorum, the gate warns. Longer than {freeze}, and nothing is disclosed"
    )
    screen.say("until the witnesses are back, or another policy is in force.")


def _long(length: timedelta) -> str:
    """Say a duration in words."""
    minutes = length // timedelta(minutes=1)
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


@app.command()
def show(*, folder: Dir = None, as_json: Json = False) -> None:
    """Say who witnesses the log, what each cosigned last, and how long entries have been waiting."""
    from ecluse.cli.reach import load, on_log
    from ecluse.ledger.notes import format_vkey
    from ecluse.ledger.policies import name_of, overdue, quorum_words

    screen, installation = Screen(as_json=as_json), load(folder)
    standing, signed, last = on_log(installation, _read)
    limits, zone, policy = installation.settings.ledger, installation.settings.zone, standing.policy
    state = overdue(
        standing.uncosigned_since, standing.at, warn_after=limits.max_uncosigned, freeze_after=limits.max_uncosigned_frozen
    )
    screen.pairs(
        [
            ("log", standing.origin),
            ("policy", _version(standing, zone)),
            ("quorum", quorum_words(policy)),
            ("signed", counted(signed, "entry", "entries")),
            ("waiting for the quorum", _waiting(standing)),
            ("state", state.value),
        ]
    )
    witnesses = policy.witnesses if policy else ()
    rows = [(name_of(one), *_seen(last.get(format_vkey(one.verifier)), signed, zone), one.url) for one in witnesses]
    if standing.version:
        screen.say()
        screen.table(("witness", "cosigned up to", "when", "behind by", "asked at"), rows, empty="The policy names no witness.")
    screen.answer(
        {
            "origin": standing.origin, "version": standing.version, "hash": standing.hash, "applied_at": standing.applied_at,
            "applied_by": standing.applied_by, "policy": standing.text, "quorum": quorum_words(policy), "signed_size": signed,
            "uncosigned_since": standing.uncosigned_since, "state": state.value,
            "witnesses": [
                {
                    "name": name_of(one), "vkey": format_vkey(one.verifier), "url": one.url,
                    "size": seen["size"] if (seen := last.get(format_vkey(one.verifier))) else None,
                    "at": seen["received_at"] if seen else None,
                }
                for one in witnesses
            ],
        }
    )  # fmt: skip


async def _read(connection: Connection) -> tuple[Standing, int, dict[str, asyncpg.Record]]:
    """Read how the log stands, its signed size, and what each witness of the policy cosigned last, by key."""
    from ecluse.install import LOG_ID
    from ecluse.ledger.notes import format_vkey
    from ecluse.ledger.policies import read_standing
    from ecluse.ledger.serve import checkpoint, current_log, query

    log_id = await current_log(connection, LOG_ID)
    standing, head = await read_standing(connection, log_id), await checkpoint(connection, log_id)
    vkeys = [format_vkey(one.verifier) for one in standing.policy.witnesses] if standing.policy else []
    rows = {vkey: await connection.fetchrow(query("last_cosigned"), log_id, vkey) for vkey in vkeys}
    return standing, head.size if head else 0, {vkey: row for vkey, row in rows.items() if row is not None}


def _version(standing: Standing, zone: tzinfo) -> str:
    """Say which policy is in force."""
    if standing.applied_at is None:
        return "none yet. `ecluse ledger witnesses apply FILE` puts one in force"
    return f"version {standing.version}, applied {local_time(standing.applied_at, zone)} by {standing.applied_by}"


def _waiting(standing: Standing) -> str:
    """Say how long entries have waited."""
    if standing.quorum_since is None:
        return "nothing: no quorum is asked for"
    if standing.uncosigned_since is None:
        return "nothing"
    return f"for {_age(standing.at - standing.uncosigned_since)}"


def _age(age: timedelta) -> str:
    """Say how long ago in two figures."""
    minutes, seconds = divmod(int(age.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _seen(last: asyncpg.Record | None, signed: int, zone: tzinfo) -> tuple[str, str, str]:
    """Say what a witness cosigned last, when, and by how many entries it is behind."""
    if last is None:
        return "nothing yet", "", counted(signed, "entry", "entries")
    behind = signed - last["size"]
    return counted(last["size"], "entry", "entries"), local_time(last["received_at"], zone), f"{behind:,}" if behind else "-"
