"""``ecluse ledger check-receipt``: a receipt's file, a policy, and one screen for a judge. No installation, no account, no network."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Json
from ecluse.cli.screen import Screen, counted

if TYPE_CHECKING:
    from ecluse.client import Policy, ReceiptBroken, Statement

_LONGEST_TIME: Final = 253_402_300_799  # the last second of the year 9999
_WITHHELD: Final = "withheld"
_GDPR: Final = re.compile(r"6\.1\.([a-f])")
_ASSURANCES: Final = {
    "asserted": "asserted: its own machine named the person",
    "authenticated": "authenticated: signed in at the desk with a passkey",
}


def check_receipt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt: a .tlog-proof file.", dir_okay=False)],
    *,
    policy: Annotated[
        Path,
        typer.Option(
            help="Which log and which witnesses to believe (a tlog-policy file), from a hand you trust.", dir_okay=False
        ),
    ],
    as_json: Json = False,
) -> None:
    """Check a receipt offline: who was given what, about whom, when, by which log, seen by which witnesses; and what it does not prove.

    For processors, persons, auditors and judges: no account, no installation, nothing is sent. Exit code 0: it holds. 1: it does not hold.
    2: a file can't be read, or the policy is none.
    """
    from ecluse.cli.reach import read_bytes
    from ecluse.client import ReceiptBroken, check_file

    screen, trusted = Screen(as_json=as_json), read_policy(policy)
    try:
        statement = check_file(read_bytes(file), trusted)
    except ReceiptBroken as broken:
        _show_broken(screen, broken)
        raise typer.Exit(REFUSED) from None
    _show(screen, statement, trusted)


def read_policy(path: Path) -> Policy:
    """Read a policy file that was named on the command line; its errors name the file and the line."""
    from ecluse.cli.reach import read_bytes
    from ecluse.client import parse_policy
    from ecluse.errors import ConfigurationError

    try:
        return parse_policy(read_bytes(path))
    except ConfigurationError as bad:
        if not bad.where.startswith("policy"):
            raise
        raise ConfigurationError(f"{path}{bad.where.removeprefix('policy')}", bad.why, bad.mend) from None


def _show_broken(screen: Screen, broken: ReceiptBroken) -> None:
    """Say that nothing is proven, why, and what that does not mean."""
    from ecluse.client.errors import QuorumMissing

    screen.say("The receipt does NOT hold: it proves nothing.", style="bold red")
    screen.pairs([("why", f"{broken}.")])
    few = isinstance(broken, QuorumMissing)
    advice = (
        "The log has signed it, and too few of the witnesses that you trust. Ask its holder for a file written later, or whoever wrote the policy."
        if few
        else "It was changed, or it is of another log than the policy names, or it was never true: which of these can't be told from the file."
    )
    screen.say(f"\n{advice}")
    screen.answer({"holds": False, "code": broken.code, "quorum_missing": few, "why": str(broken)})


def _show(screen: Screen, statement: Statement, policy: Policy) -> None:
    """Show what a receipt proves, and what it does not."""
    missing = _not_proven(statement, policy)
    screen.say("The receipt holds.", style="bold green")
    screen.say(_headline(statement), style="bold")
    screen.say()
    screen.pairs(_who(statement))
    screen.say()
    if statement.forms:
        rows = [(name, form, _value(statement, name)) for name, form in statement.forms.items()]
        screen.table(("attribute", "given as", "value"), rows)
        screen.say()
    elif statement.attributes:
        screen.table(("attribute asked for",), [(name,) for name in statement.attributes])
        screen.say()
    screen.pairs(_where(statement, policy))
    screen.say("\nNot proven by it", style="bold")
    for each in missing:
        screen.say(f"- {each}")
    shown = None if statement.values is None else dict(statement.values)
    screen.answer(_answer(statement, policy) | {"values": shown, "not_proven": missing})


def _headline(statement: Statement) -> str:
    """Say in a sentence what happened."""
    from ecluse.client import Kind

    day, processor = f"{statement.at:%Y-%m-%d}", statement.processor
    if statement.kind is Kind.LOOKED:
        return f"On {day} one person's record of who was given their data was looked at."
    if statement.kind is Kind.CONSULTED:
        return f"On {day} an officer of the controller looked at one person's record, with a second officer's approval."
    if statement.kind is Kind.EMERGENCY:
        return f"On {day} the controller's duty officer saw {counted(len(statement.forms), 'attribute')} of one person in an emergency."
    if statement.kind is Kind.REFUSED:
        return f"On {day} {processor} asked for {counted(len(statement.attributes), 'attribute')} of one person and was refused."
    given = [name for name, form in statement.forms.items() if form != _WITHHELD]
    held = len(statement.forms) - len(given)
    return f"On {day} {processor} was given {counted(len(given), 'attribute')} of one person" + (
        f"; {held} withheld." if held else "."
    )


def _where(statement: Statement, policy: Policy) -> list[tuple[str, object]]:
    """Return the log, its key and the witnesses that saw it."""
    head = statement.head.checkpoint
    return [
        ("log", f"{head.origin}: entry number {statement.index} (counted from 0), under its signed head of {head.size} entries"),
        ("signed by", ", ".join(f"the log's key {key.key_id.hex()}" for key in statement.head.signed_by)),
        ("witnesses", "none is asked for by this policy" if policy.quorum is None else "as many as the policy asks for:"),
        *((f"  {name}", f"saw this head on {_time(at)}") for name, at in _seen_by(statement, policy)),
    ]


def _who(statement: Statement) -> list[tuple[str, object]]:
    """Return who, about whom, when and what for, as far as the holder was shown it."""
    legal = _GDPR.fullmatch(statement.legal_basis or "")
    contract = statement.contract or {}
    given = [
        ("by", f"the controller that keeps the log {statement.head.checkpoint.origin}"),
        ("to", statement.processor and f"processor {statement.processor}"),
        ("for its agent", statement.agent or (statement.processor and "not shown to this holder")),
        ("that agent is", _ASSURANCES.get(statement.assurance or "", statement.assurance or "")),
        ("by its machine", statement.client),
        ("about", statement.subject or f"the person of appointment {statement.appointment}"),
        ("at", f"{statement.at:%Y-%m-%d %H:%M:%S} UTC, by the controller's clock"),
        ("for", statement.purpose),
        ("legal basis", f"Article 6(1)({legal[1]}) GDPR" if legal else statement.legal_basis),
        (
            "contract",
            f"{contract['reference']}, version {contract['version']}" if {"reference", "version"} <= contract.keys() else None,
        ),
        ("refused because", statement.reason),
        ("decision", statement.disclosure),
    ]
    return [(name, value) for name, value in given if value]


def _value(statement: Statement, name: str) -> str:
    """Write what is known of one attribute's value."""
    if statement.forms[name] == _WITHHELD:
        return "(withheld: nothing was given)"
    if statement.values is not None and name in statement.values:
        value = statement.values[name]
        return "(the register had none)" if value is None else str(value)
    if statement.committed is not None and name in statement.committed:
        return "(sealed; the file does not show it)"
    return "(not shown to this holder)"


def _seen_by(statement: Statement, policy: Policy) -> list[tuple[str, int]]:
    """Return the witnesses of the policy that saw the head, by their key's name, and when, earliest first."""
    seen = [
        (one.key.name, statement.head.cosigned_at[one.key]) for one in policy.witnesses if one.key in statement.head.cosigned_at
    ]
    return sorted(seen, key=lambda one: one[1])


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC" if at <= _LONGEST_TIME else f"second {at} since 1970"


def _not_proven(statement: Statement, policy: Policy) -> list[str]:
    """Say, in sentences, what a reader might take for proven and is not."""
    from ecluse.client import Kind

    seen, gaps = _seen_by(statement, policy), []
    if seen:
        gaps.append(
            f"The instant: it is the controller's clock. The witnesses prove that the entry was there by {_time(seen[0][1])}."
        )
    if policy.quorum is None:
        gaps.append(
            "That everybody is shown this history, or since when: the policy asks for no witness, so the log's key alone stands for it."
        )
    if statement.kind is Kind.LOOKED:
        gaps.append("Who looked: the person, or somebody at the controller's portal.")
    if statement.kind is Kind.EMERGENCY:
        gaps.append("Who saw it, why, and what another person said of it: the controller's ledger holds that, not this file.")
    if statement.kind is Kind.GIVEN:
        gaps.append("That the data arrived: it was sealed before it was sent, and counts as given.")
        if statement.values is None and statement.committed != ():
            gaps.append("Which values: the file shows none.")
        gaps.append("That the values are true: they are what the controller's register held.")
    if statement.kind in {Kind.GIVEN, Kind.REFUSED} and statement.assurance != "authenticated":
        gaps.append("Who sat at the screen: no passkey of the agent stands behind it.")
    if statement.subject is None:
        gaps.append("Who the person is: the controller alone knows whose appointment that was.")
    gaps.append("That this is all: it speaks of one entry, and of no other.")
    return gaps


def _answer(statement: Statement, policy: Policy) -> dict[str, object]:
    """Return the statement for programs."""
    names = (
        "kind",
        "at",
        "event",
        "processor",
        "client",
        "agent",
        "assurance",
        "disclosure",
        "appointment",
        "subject",
        "purpose",
    )
    more = ("legal_basis", "contract", "attributes", "forms", "reason", "committed", "index")
    head = statement.head
    return {
        "holds": True,
        **{name: getattr(statement, name) for name in (*names, *more)},
        "leaf_hash": statement.leaf_hash.hex(),
        "log": head.checkpoint.origin,
        "size": head.checkpoint.size,
        "root": head.checkpoint.root.hex(),
        "signed_by": [key.key_id.hex() for key in head.signed_by],
        "quorum": "none" if policy.quorum is None else "reached",
        "witnesses": [{"name": name, "seen_at": _time(at)} for name, at in _seen_by(statement, policy)],
    }
