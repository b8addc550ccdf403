"""``ecluse replay``: attackers as code, against a gate made for it and against the three usual alternatives, on the same invented people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecluse.cli.options import Json
from ecluse.cli.screen import Screen

if TYPE_CHECKING:
    from ecluse.demo.replay.model import Account, Kind


def replay(
    *,
    people: Annotated[
        int, typer.Option(help="How many invented people the register has; 2100000 is the OFII scenario.")
    ] = 20_000,
    days: Annotated[
        int, typer.Option(help="How many days the compromised processor goes unnoticed, from 25 November 2025 on.")
    ] = 37,
    folder: Annotated[Path, typer.Option("--dir", help="Where the agency is made: a folder of its own.", file_okay=False)] = Path(
        "ecluse-replay"
    ),
    port: Annotated[int, typer.Option(min=1, max=65534, help="Port of the gate; the token API takes the next one.")] = 8080,
    attack: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this attack (more than once: these).", show_default="all")
    ] = None,
    as_json: Json = False,
) -> None:
    """Attack a gate made for it, and a copy, a read account, row-level security and a token API on the same people; compare with the bound said before.

    Exit code 1 if any attack passed its bound, or edited history went unseen. Nobody in it exists. See docs/containment.md.
    """
    from rich.console import Console

    from ecluse.demo.replay.model import ReplayOptions
    from ecluse.embedded_home import wheel_folder

    wheel_folder()  # says what is to be installed
    from ecluse.demo.replay.run import run_replay

    screen = Screen(as_json=as_json)
    account = run_replay(
        ReplayOptions(people=people, days=days, folder=folder, port=port, kinds=_kinds(attack), console=Console(stderr=True))
    )
    if account is None:
        raise typer.Exit(130)
    _show(screen, account)
    screen.answer(account)
    raise typer.Exit(1 if account.wrong else 0)


def _kinds(names: list[str] | None) -> frozenset[Kind]:
    """Return the attacks that were named; none: all."""
    from ecluse.demo.replay.model import Kind

    known = {kind.value: kind for kind in Kind}
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"there is no attack {name}: name one of {', '.join(known)}", param_hint="--attack")
    return frozenset(known[name] for name in names) if names else frozenset(Kind)


def _show(screen: Screen, account: Account) -> None:
    """Tell it to people."""
    from ecluse.demo.replay import telling

    screen.say()
    title = f"Attacked: {account.people:,} people, {telling.day_of(account.from_at)} to {telling.day_of(account.to_at)}, in {account.seconds:,.0f} s"
    screen.table(telling.HEADS, telling.rows_of(account), title=title)
    screen.say()
    for line in telling.asides(account):
        screen.say(line, style="dim")
    rows = telling.thieves_of(account)
    if rows:
        screen.table(telling.THIEF_HEADS, rows, title=f"\nWhat the thief has on {telling.day_of(account.to_at)}")
        screen.say()
        screen.say(telling.ratio_of(account), style="bold")
    told = list(telling.told_of(account))
    if told:
        screen.say(f"\nWhat Écluse could have told the agency on {telling.day_of(account.to_at)}", style="bold")
        for line in told:
            screen.say(f"  {line}")
    for line in telling.missed(account):
        screen.note(f"not reached: {line}")
    screen.say()
    if account.wrong:
        for line in telling.verdict(account):
            screen.note(line)
        screen.say(f"{len(account.wrong)} of {len(account.attacks)} attacks did what must not be: see above.", style="bold red")
    else:
        screen.say(
            "No attack passed the bound that was computed before it; the ledger counts what the thieves do.", style="bold green"
        )
