"""``ecluse disclose``: be a processor's client for once, over HTTP and with its key, to try an integration. The one command that shows personal values."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json
from ecluse.cli.screen import Screen

if TYPE_CHECKING:
    from ecluse.client import Client, Disclosed, Proven, Refused


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
    log_vkey: Annotated[
        str | None, typer.Option(help="The log's verifier key: then the entry's proof is fetched and checked, too.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="The gate.", show_default="public_url of the installation")] = None,
    days: Annotated[int, typer.Option(min=1, max=61, help="How many days ahead sessions are listed.")] = 7,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Ask the gate for one scheduled person, as a processor's machine does. Without --appointment: list the sessions it may ask for.

    A granted answer is a real disclosure: it is sealed, counts against the budgets, and SHOWS PERSONAL DATA on this screen.
    """
    from ecluse.client import Client, Refused

    screen = Screen(as_json=as_json)
    wanted = [name.strip() for name in (attributes or "").split(",") if name.strip()]
    if appointment is not None and (agent is None or not wanted):
        raise typer.BadParameter("needs --agent and --attributes", param_hint="--appointment")
    with Client(url or _own_url(folder), client, key, log_vkey=log_vkey) as gate:
        try:
            if appointment is None or agent is None:
                _list_sessions(screen, gate, days)
                return
            disclosed = gate.disclose(appointment, agent, wanted)
            proven = gate.proof(disclosed) if log_vkey else None
        except Refused as refused:
            _show_refusal(screen, refused)
            raise typer.Exit(REFUSED) from None
    _show(screen, disclosed, proven)


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


def _show(screen: Screen, disclosed: Disclosed, proven: Proven | None) -> None:
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
            (
                "proof",
                f"in the log, under a signed head of {proven.checkpoint.size} entries"
                if proven
                else "not fetched: say --log-vkey",
            ),
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
            "checkpoint": proven.note if proven else None,
        }
    )
