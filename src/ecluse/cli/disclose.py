"""``ecluse disclose``: be a processor's client for once, over HTTP and with its key, to try an integration. It shows personal values."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json, flag
from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from ecluse.client import Client, Disclosed, Policy, Proven, Refused


def disclose(
    *,
    client: Annotated[str, typer.Option(metavar="ID", help="The client's id: cli_….")],
    key: Annotated[Path, typer.Option(help="Its private key (PEM).", dir_okay=False)],
    agent: Annotated[str | None, typer.Option(metavar="ID", help="For whom it asks: agt_….")] = None,
    appointment: Annotated[
        str | None, typer.Option(metavar="ID", help="Whom it asks for: apt_…. Left out: the client's sessions are listed.")
    ] = None,
    attributes: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="What it asks for, by name; all of it has to be needed.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Which log and witnesses to believe (a tlog-policy file): then the entry's proof is fetched and checked, too.",
            dir_okay=False,
        ),
    ] = None,
    receipt: Annotated[
        Path | None,
        typer.Option(
            help="Write the proven receipt into this file (.tlog-proof), for `ecluse ledger check-receipt`.", dir_okay=False
        ),
    ] = None,
    with_values: Annotated[
        bool, flag("--with-values", help="Write the person's values into the receipt, in clear, so that they are proven, too.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="The gate.", show_default="public_url of the installation")] = None,
    days: Annotated[int, typer.Option(min=1, max=61, help="How many days ahead sessions are listed.")] = 7,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Ask the gate for one scheduled person, as a processor's machine does. Without --appointment: list the sessions it may ask for.

    A granted answer is a real disclosure: it is sealed, counts against the budgets, and SHOWS PERSONAL DATA on this screen.
    """
    from ecluse.client import Client, Refused

    screen, trusted = Screen(as_json=as_json), _trusted(policy, receipt, with_values=with_values)
    wanted = [name.strip() for name in (attributes or "").split(",") if name.strip()]
    if appointment is not None and (agent is None or not wanted):
        raise typer.BadParameter("needs --agent and --attributes", param_hint="--appointment")
    with Client(url or _own_url(folder), client, key, policy=trusted) as gate:
        try:
            if appointment is None or agent is None:
                _list_sessions(screen, gate, days)
                return
            disclosed = gate.disclose(appointment, agent, wanted)
            proven = _proof(screen, gate, disclosed) if trusted else None
        except Refused as refused:
            _show_refusal(screen, refused)
            raise typer.Exit(REFUSED) from None
    if receipt is not None and proven is not None:
        _write(receipt, disclosed, proven, with_values=with_values)
    _show(screen, disclosed, proven, receipt if proven else None)
    if trusted and proven is None:
        raise typer.Exit(REFUSED)


def _proof(screen: Screen, gate: Client, disclosed: Disclosed) -> Proven | None:
    """Wait for the log's proof; None, with a notice, if the gate has none to give yet: the person was disclosed all the same."""
    from ecluse.client import Unavailable

    try:
        with screen.working("Waiting for the log's proof"):
            return gate.proof(disclosed)
    except Unavailable as late:
        screen.note(
            f"The log gave no proof that the policy accepts ({late.last}), and no receipt is written. The disclosure stands."
        )
        return None


def _trusted(policy: Path | None, receipt: Path | None, *, with_values: bool) -> Policy | None:
    """Read the policy, if one is named; refuse what makes no sense before anything is disclosed."""
    from ecluse.cli.proof import read_policy

    if receipt is not None and policy is None:
        raise typer.BadParameter("needs --policy: what is not proven is not written", param_hint="--receipt")
    if with_values and receipt is None:
        raise typer.BadParameter("needs --receipt", param_hint="--with-values")
    if receipt is not None and receipt.exists():
        raise typer.BadParameter("the file is there already: receipts are not overwritten", param_hint="--receipt")
    if receipt is not None and not os.access(receipt.parent, os.W_OK):
        raise typer.BadParameter("its folder is not there, or not yours to write in", param_hint="--receipt")
    return None if policy is None else read_policy(policy)


def _write(path: Path, disclosed: Disclosed, proven: Proven, *, with_values: bool) -> None:
    """Write the receipt's file, for its owner's eyes: it is about a person."""
    from ecluse.client import receipt_file
    from ecluse.errors import ConfigurationError

    try:
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(receipt_file(disclosed, proven, with_values=with_values))
    except OSError as bad:
        raise ConfigurationError(str(path), f"it can't be written ({bad.strerror})", "Name a file in a folder of yours") from None


def _own_url(folder: Path | None) -> str:
    """Return the address of this installation's gate."""
    from ecluse.cli.reach import load

    return load(folder).settings.public_url


def _list_sessions(screen: Screen, gate: Client, days: int) -> None:
    """List the sessions that the client may see, and their handles: no personal data."""
    from ecluse import clock

    now = clock.now()
    sessions = gate.sessions(now - timedelta(days=1), now + timedelta(days=days))
    rows = [
        (
            one.purpose,
            one.site,
            f"{one.starts_at:%Y-%m-%d %H:%M}",
            place.id,
            f"{place.opens_at:%m-%d %H:%M}",
            f"{place.closes_at:%m-%d %H:%M}",
        )
        for one in sessions
        for place in one.appointments
    ]
    heads = ("purpose", "site", "starts (UTC)", "appointment", "opens", "closes")
    screen.table(heads, rows, empty=f"No session in the next {days} days.")
    if rows:
        screen.say("\nAsk for one: --appointment ID --agent ID --attributes A,B")
    screen.answer({"sessions": sessions})


def _show_refusal(screen: Screen, refused: Refused) -> None:
    """Say that the gate refused, and what it tells."""
    screen.say(f"Refused: {refused.code}. {refused.title}", style="bold yellow")
    screen.say(refused.detail)
    screen.pairs([(name, _in_words(value)) for name, value in refused.extra.items() if value is not None])
    told = {"code": refused.code, "title": refused.title, "detail": refused.detail, **refused.extra}
    screen.answer({"granted": False, "problem": told})


def _in_words(value: object) -> object:
    """Write a member of a refusal for people: a list by commas, of the receipt its entry."""
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return f"entry {value['index']} of {value['log']}" if isinstance(value, dict) and {"index", "log"} <= set(value) else value


def _show(screen: Screen, disclosed: Disclosed, proven: Proven | None, file: Path | None) -> None:
    """Show the values, the receipt, and the proof if it was fetched."""
    values: dict[str, object] = {name: disclosed.subject[name] for name in disclosed.subject}
    shown = {name: "(the register has none)" if value is None else value for name, value in values.items()}
    rows = [(name, form, shown.get(name, "(withheld)")) for name, form in disclosed.forms.items()]
    screen.table(("attribute", "given as", "value"), rows)
    receipt = disclosed.receipt
    screen.say()
    screen.pairs(
        [
            ("disclosure", disclosed.disclosure),
            ("window closes", f"{disclosed.window_closes_at:%Y-%m-%d %H:%M} UTC"),
            ("receipt", f"entry {receipt.index} of {receipt.log}; it holds: the values are those sealed"),
            ("proof", _in_log(proven) if proven else "not fetched, or not there yet: say --policy"),
            *([("written to", file)] if file else []),
        ]
    )
    screen.answer(
        {
            "granted": True,
            "disclosure": disclosed.disclosure,
            "appointment": disclosed.appointment,
            "agent": disclosed.agent,
            "subject": values,
            "forms": disclosed.forms,
            "window_closes_at": disclosed.window_closes_at,
            "receipt": {
                "log": receipt.log,
                "index": receipt.index,
                "leaf_hash": receipt.leaf_hash.hex(),
                "opening": receipt.opening,
                "value_salts": {name: salt.hex() for name, salt in receipt.value_salts.items()},
            },
            "checkpoint": proven.head.note if proven else None,
            "receipt_file": str(file) if file else None,
        }
    )


def _in_log(proven: Proven) -> str:
    """Say under which head the entry is, and who saw it."""
    seen = counted(len(proven.head.cosigned_at), "witness", "witnesses")
    return f"in the log, under a signed head of {proven.head.checkpoint.size} entries, cosigned by {seen}"
