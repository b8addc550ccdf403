"""``ecluse ledger witness``: be a witness of somebody's log, from a folder of its own, on a machine of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from ecluse.cli.options import Json, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from ecluse.ledger.model import Verifier
    from ecluse.witness.model import RefusedHead, WitnessedLog

app = typer.Typer(
    no_args_is_help=True,
    help="Be a witness: cosign a log's newest head if it extends what you saw before. Needs no installation.",
)

_PLACE: Final = "https://WITNESS.EXAMPLE"
WitnessDir: TypeAlias = Annotated[
    Path, typer.Option("--dir", envvar="ECLUSE_WITNESS_DIR", help="The witness's folder.", file_okay=False)
]
_HERE: Final = Path("ecluse-witness")


@app.command()
def init(
    *,
    name: Annotated[str, typer.Option(help="The witness's name for ever, such as dpo.example/witness: no blanks, no +.")],
    folder: WitnessDir = _HERE,
    as_json: Json = False,
) -> None:
    """Begin a witness: its key and its store, in a new folder. Nothing is asked of the log that it will watch."""
    import shlex

    from ecluse.witness.service import create

    screen, place = Screen(as_json=as_json), folder.absolute()
    vkey = create(place, name)
    screen.say(f"A new witness, {name}, is in {place}.", style="green")
    _say_policy_line(screen, name, vkey)
    screen.say("\nNext:", style="bold")
    where = "" if folder == _HERE else f" --dir {shlex.quote(str(folder))}"
    screen.say(f"  1. ecluse ledger witness trust VKEY{where}      (the log's verifier key, or its policy file)")
    screen.say(f"  2. ecluse ledger witness serve{where}")
    screen.say("Keep the folder to yourself, and never put an older copy of it back: docs/witness.md says why.", style="dim")
    screen.answer({"name": name, "vkey": vkey, "folder": str(place)})


def _say_policy_line(screen: Screen, name: str, vkey: str) -> None:
    """Show what the keeper of the log needs."""
    screen.say("Its line for the log's policy, with your address at the end:")
    screen.say(f"witness {name} {vkey} {_PLACE}")


@app.command()
def trust(
    source: Annotated[
        str, typer.Argument(metavar="FILE|VKEY", help="A policy file that names the log, or the log's verifier key.")
    ],
    *,
    add_key: Annotated[
        bool, flag("--add-key", help="A log that is watched already has this further key: it is changing keys.")
    ] = False,
    drop_key: Annotated[bool, flag("--drop-key", help="Trust these keys no more. What was seen of their logs stays.")] = False,
    folder: WitnessDir = _HERE,
    as_json: Json = False,
) -> None:
    """Say which log to watch, by which keys. A running server knows at once."""
    from ecluse.ledger.notes import format_vkey
    from ecluse.witness.service import Witness

    if add_key and drop_key:
        raise typer.BadParameter("say one of --add-key and --drop-key", param_hint="--add-key / --drop-key")
    screen, witness = Screen(as_json=as_json), Witness(folder.absolute())
    logs, named = _logs_of(source, witness.vkey)
    if drop_key:
        witness.drop(logs)
        new: list[str] = []
    else:
        new = witness.trust(logs, add_key=add_key)
    for one in logs:
        how = "trusted no more" if drop_key else "trusted now" if format_vkey(one) in new else "trusted already"
        screen.say(f"{one.name}: {how}")
        screen.say(f"  {format_vkey(one)}", style="dim")
    if not named and not drop_key:
        screen.note(
            f"{source} does not name this witness: its log will not ask it. `ecluse ledger witness show` has the line to add"
        )
    screen.answer(
        {
            "origins": sorted({one.name for one in logs}),
            "new": new,
            "dropped": [format_vkey(one) for one in logs] if drop_key else [],
        }
    )


def _logs_of(source: str, own: str) -> tuple[list[Verifier], bool]:
    """Read the logs that a file or a verifier key names; and whether a policy names this witness too (a key alone says nothing of it)."""
    from ecluse.cli.reach import read_bytes
    from ecluse.errors import ConfigurationError
    from ecluse.ledger.errors import KeyInvalid, PolicyInvalid
    from ecluse.ledger.notes import format_vkey, parse_vkey
    from ecluse.ledger.quorum import parse_policy

    path = Path(source)
    if not path.is_file():
        try:
            return [parse_vkey(source)], True
        except KeyInvalid as bad:
            why = f"there is no such file, and it is no log's verifier key: {bad}"
            raise ConfigurationError(source, why, "Copy the whole line that the log's keeper handed over") from bad
    try:
        policy = parse_policy(read_bytes(path))
    except PolicyInvalid as bad:
        where = f"{path}, line {bad.line}" if bad.line else str(path)
        raise ConfigurationError(where, bad.why, bad.mend or "Ask the log's keeper for its policy file") from bad
    if not policy.logs:
        raise ConfigurationError(str(path), "it names no log", "Ask the log's keeper for its verifier key")
    named = any(format_vkey(peer.verifier) == own for peer in policy.witnesses)
    return [peer.verifier for peer in policy.logs], named


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8081,
    folder: WitnessDir = _HERE,
    as_json: Json = False,
) -> None:
    """Cosign what is asked, until Ctrl-C or SIGTERM. Events go to standard error, one JSON line each."""
    import sys

    from ecluse.listen import require_free_port, set_up_logs
    from ecluse.witness.serve import serve as serve_witness
    from ecluse.witness.service import Witness

    screen, witness = Screen(as_json=as_json), Witness(folder.absolute())
    require_free_port(host, port)
    set_up_logs()

    def ready() -> None:
        screen.say(f"The witness {witness.name} is open at http://{host}:{port}. Ctrl-C closes it.", style="bold")
        if not witness.logs():
            screen.note(
                "It watches no log yet: `ecluse ledger witness trust VKEY` in another terminal, with the log's verifier key"
            )
        screen.answer({"ready": True, "name": witness.name, "vkey": witness.vkey, "host": host, "port": port})
        sys.stdout.flush()

    serve_witness(witness, host=host, port=port, ready=ready)


@app.command()
def show(*, folder: WitnessDir = _HERE, as_json: Json = False) -> None:
    """Show the witness's key, and what it has seen of each log. Ends with 1 if a log was caught with two histories."""
    from ecluse.cli.edge import REFUSED
    from ecluse.witness.model import Fault
    from ecluse.witness.service import Witness

    screen, witness = Screen(as_json=as_json), Witness(folder.absolute())
    logs = witness.logs()
    screen.pairs([("witness", witness.name), ("verifier key", witness.vkey)])
    _say_policy_line(screen, witness.name, witness.vkey)
    if not logs:
        screen.say("\nIt watches no log yet. `ecluse ledger witness trust VKEY` begins.")
    for one in logs:
        _show_log(screen, one)
    screen.answer({"name": witness.name, "vkey": witness.vkey, "logs": [_plain(one) for one in logs]})
    if any(head.fault is Fault.OTHER_ROOT for one in logs for head in one.refused):
        raise typer.Exit(REFUSED)


def _show_log(screen: Screen, one: WitnessedLog) -> None:
    """Show one log for people."""
    from base64 import b64encode

    from ecluse.witness.model import Fault

    screen.say(f"\n{one.origin}", style="bold")
    seen = one.seen
    rows: list[tuple[str, object]] = [("keys", vkey) for vkey in one.vkeys] or [
        ("keys", "none: all were dropped, so nothing is cosigned")
    ]
    if seen is None:
        rows.append(("cosigned", "nothing yet: its keeper has not asked"))
    else:
        rows += [
            ("cosigned", f"{counted(seen.size, 'entry', 'entries')}, {_time(seen.at)}"),
            ("root", b64encode(seen.root).decode()),
        ]
    for fault, words in ((Fault.OTHER_ROOT, "two histories"), (Fault.PROOF, "not shown to extend")):
        rows += [(words, _refused_words(head)) for head in one.refused if head.fault is fault]
    screen.pairs(rows)
    if any(head.fault is Fault.OTHER_ROOT for head in one.refused):
        screen.say(
            "This log signed two different histories. Both signed heads are kept here: `show --json` has them. Tell its auditors.",
            style="bold red",
        )
    elif one.refused:
        screen.say(
            "Each was signed by the log and refused: a second history, or a wrong proof sent by anybody. Ask its keeper if they go on.",
            style="yellow",
        )


def _refused_words(head: RefusedHead) -> str:
    return f"a head of {counted(head.size, 'entry', 'entries')}, refused {_time(head.at)}"


def _time(at: int) -> str:
    return local_time(datetime.fromtimestamp(at, UTC), UTC)


def _plain(one: WitnessedLog) -> dict[str, object]:
    """Return a log for programs."""
    from ecluse.witness.service import origin_hash_of

    seen = one.seen
    return {
        "origin": one.origin,
        "origin_hash": origin_hash_of(one.origin),
        "vkeys": one.vkeys,
        "size": seen.size if seen else None,
        "root": seen.root.hex() if seen else None,
        "cosigned_at": datetime.fromtimestamp(seen.at, UTC) if seen else None,
        "checkpoint": seen.note if seen else None,
        "refused": [
            {
                "fault": head.fault, "size": head.size, "root": head.root.hex(), "at": datetime.fromtimestamp(head.at, UTC), "checkpoint": head.note,
                "cosigned_then": head.ours,
            }
            for head in one.refused
        ],
    }  # fmt: skip
