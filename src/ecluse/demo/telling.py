"""Telling the account to people: whoever decides about such a gate, and whoever will stand in front of it with a class waiting."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecluse.demo.account import Account, StepCount
from ecluse.demo.expected import GRANTED, Told
from ecluse.demo.governance import Notified, Shut
from ecluse.demo.premises import MAIL, TIMEZONE, WITNESSES
from ecluse.demo.tally import WITHHELD

_MEBIBYTE: Final = 1024 * 1024
_FORMS: Final = {
    "full": "in full", "initial": "as an initial", "year": "as a year", "age_band": "as an age band", "masked": "masked", "relay": "as a relay address",
}  # fmt: skip
_HEADINGS: Final = {
    Told.THROUGH: "What went through",
    Told.REFUSED: "What the gate refused",
    Told.TURNED_AWAY: "What a thief tried, turned away before anything was decided",
}
_ANSWERS: Final = {
    GRANTED: "disclosed, with a receipt",
    "redelivered": "the first answer again",
    "budget-spent:reads-per-appointment": "budget-spent (reads)",
    "budget-spent:client-per-hour": "budget-spent (hour)",
    "gate-frozen:contract:clause:missing:28.3.h": "gate-frozen (clause)",
    "gate-frozen:evidence:lapsed:pentest": "gate-frozen (evidence)",
    "gate-frozen:finding:overdue": "gate-frozen (finding)",
    "gate-frozen:sub-processor:undeclared": "gate-frozen (sub-processor)",
    "outside-window:late": "outside-window (late)",
    "outside-window:early": "outside-window (early)",
    "outside-window:cancelled": "outside-window (cancelled)",
    "suspended:client": "suspended",
}
_MOVES: Final = {"processor": "the processor's move", "controller": "the agency's move", "nobody": "nobody's move"}
_PARTIES: Final = {"processor": "the processor", "controller": "the agency, its DPO"}
_WHICH: Final = re.compile(r" \((?:evd|fnd)_[a-z2-7]+\)")


def tell(console: Console, account: Account) -> None:
    """Print the account."""
    console.print()
    _headline(console, account)
    _steps(console, account)
    _gates(console, account)
    _disclosed(console, account)
    _never(console, account)
    _flows(console, account)
    _papers(console, account)
    _ledger(console, account)
    _run(console, account)
    _next(console, account)
    _verdict(console, account)


def _say(console: Console, text: str) -> None:
    console.print(Text.from_markup(text), highlight=False)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _table(*heads: str) -> Table:
    """Return an empty table; its last column holds figures."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads[:-1]:
        table.add_column(head)
    table.add_column(heads[-1], justify="right")
    return table


def _headline(console: Console, account: Account) -> None:
    """Say in three sentences what the day was."""
    agency, tally = account.agency, account.tally
    share = 100 * tally.persons / agency.people
    console.rule("[bold]The day in short[/bold]", align="left")
    _say(
        console,
        f"{agency.processors} processors worked with {agency.sessions} sessions of {agency.places:,} places. They saw [bold]{tally.persons:,}"
        f"[/bold] of {agency.people:,} people ({share:.{2 if share < 1 else 1}f} %): those who were due, and only the fields of their contracts.",
    )
    _say(
        console,
        f"The other {agency.people - tally.persons:,} were never read. A contractor with an account on the database could have read all of them.",
    )
    refused = sum(tally.refusals.values())
    _say(
        console,
        f"{tally.grants:,} disclosures and {refused:,} refusals are sealed in the ledger, each before its answer left.",
    )


def _disclosed(console: Console, account: Account) -> None:
    """Show which attributes were disclosed, in which forms."""
    _heading(console, f"Which fields: {account.tally.fields:,}")
    table = _table("attribute", "form", "times")
    for name, forms in account.tally.forms.items():
        for form, count in sorted(forms.items()):
            if form != WITHHELD:
                table.add_row(name.replace("_", " "), _FORMS[form], f"{count:,}")
    console.print(table)
    withheld = {name.replace("_", " "): forms[WITHHELD] for name, forms in account.tally.forms.items() if WITHHELD in forms}
    if withheld:
        words = ", ".join(f"{name} ({count:,})" for name, count in withheld.items())
        _say(
            console,
            f"Named by a contract and withheld, as its form can't be given (no relay address yet, or a one-letter name): {words}.",
        )


def _steps(console: Console, account: Account) -> None:
    """Show what happened and how the gate answered."""
    for told, heading in _HEADINGS.items():
        steps = [step for step in account.steps if step.told is told]
        _heading(console, f"{heading}: {sum(step.count for step in steps):,}")
        table = _table("what happened", "the gate's answer", "times")
        for step in steps:
            table.add_row(step.says, _answer(step), f"{step.count:,}")
        console.print(table)
        if told is Told.REFUSED:
            reasons = ", ".join(f"{name} {count:,}" for name, count in account.tally.refusals.items())
            _say(console, f"In the ledger, by reason: {reasons}. Who is refused gets a receipt too.")


def _answer(step: StepCount) -> Text:
    """Write an outcome for people; a word stands beside every colour."""
    words = _ANSWERS.get(step.outcome) or step.outcome
    return Text(words, style="green" if step.told is Told.THROUGH else "yellow")


def _gates(console: Console, account: Account) -> None:
    """Show the gates that let nothing through: why, the mend, whose move it is, what was refused, and who was told."""
    governed = account.governed
    _heading(console, f"Gates that let nothing through: {len(governed.shut)}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("processor", no_wrap=True)
    table.add_column("why, and the mend")
    table.add_column("refused", justify="right")
    table.add_column("who was told", no_wrap=True)
    for number, one in enumerate(governed.shut):
        if number:
            table.add_row()
        told = Text("\n").join(_notified(each) for each in one.notified)
        table.add_row(
            Text.assemble(one.processor, "\n", (one.state, "bold red")),
            _why(one),
            f"{one.refused:,}",
            told or Text("nobody", "bold red"),
        )
    console.print(table)
    folder = _shown(Path(account.run.folder) / MAIL)
    _say(
        console,
        f"No worker shut them: each request asks contract, documents, findings and dates anew. The processor reads the reason in each refusal; "
        f"{governed.mails} mails left the gate and are kept in {folder}/.",
    )


def _why(one: Shut) -> Text:
    """Say why a gate is shut, the mend, and whose move it is."""
    return Text("\n").join(
        Text.assemble(_WHICH.sub("", each.what), "\n", (f"→ {each.mend}", "green"), (f" ({_MOVES[each.move]})", "dim"))
        for each in one.reasons
    )


def _notified(one: Notified) -> Text:
    """Say who was told, when and where."""
    at = one.at.astimezone(ZoneInfo(TIMEZONE))
    return Text.assemble(f"{at:%H:%M:%S} {_PARTIES[one.party]}", *((f"\n{address}", "dim") for address in one.addresses))


def _flows(console: Console, account: Account) -> None:
    """Compare what contracts declare with what was seen."""
    flows = account.governed.flows
    _heading(console, "What flowed, against what the contracts declare")
    _say(
        console,
        f"Of {flows.declared} declared flows {flows.seen} were seen, each as declared; {flows.unasked} nobody has asked for yet. "
        f"{flows.counted:,} of {flows.entries:,} entries are counted.",
    )
    for flagged in flows.flagged:
        console.print(Text(f"Flagged: {flagged.processor}, {flagged.outcome}: {flagged.why}", style="yellow"))
    for one in flows.proposed:
        _say(
            console,
            f"Could be less: the contract of {flows.proposal_of} names {one.attribute.replace('_', ' ')} for {one.purpose}, {one.why}. "
            f"Proposed: {one.before} becomes {one.after}; a person decides.",
        )
    if not flows.proposed:
        _say(console, "No weaker form is proposed: below 100 disclosures of a purpose a day says too little of what is needed.")


def _papers(console: Console, account: Account) -> None:
    """List what was printed."""
    papers = account.governed.papers
    _heading(console, f"The papers, from the same contracts and the same ledger: {len(papers)}")
    table = _table("file", "what", "KiB")
    for paper in papers:
        table.add_row(_shown(Path(account.run.folder) / paper.file), paper.title, f"{(paper.size_bytes + 1023) // 1024:,}")
    console.print(table)
    missing = sum(paper.missing for paper in papers)
    _say(
        console,
        "Evidence for Art. 28 and 30 GDPR. "
        + (
            "No field that the law asks for is empty."
            if not missing
            else f"[bold red]{missing} fields that the law asks for are empty.[/bold red]"
        ),
    )


def _never(console: Console, account: Account) -> None:
    """Say what nobody got to see."""
    forms = account.tally.forms
    never = [name for name in account.agency.attributes if not set(forms.get(name, {})) - {WITHHELD}]
    weaker = [
        f"{name} ({', '.join(_FORMS[f] for f in sorted(forms[name]) if f != WITHHELD)})"
        for name in forms
        if "full" not in forms[name] and name not in never
    ]
    _heading(console, "What was never disclosed")
    _say(console, f"To nobody, in any form: {_list(never)}.")
    _say(console, f"Never in full: {_list(weaker)}.")
    _say(
        console,
        f"Not even mapped, so that no contract can name it (columns of the register): {', '.join(account.agency.unmapped)}.",
    )


def _list(names: list[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names) or "nothing"


def _ledger(console: Console, account: Account) -> None:
    """Show the ledger's state and that it was checked."""
    ledger, tally = account.ledger, account.tally
    _heading(console, f"The ledger: {ledger.size:,} entries")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    verdict = (
        "[green]sound[/green]" if not ledger.problems else "[bold red]NOT SOUND: " + "; ".join(ledger.problems) + "[/bold red]"
    )
    table.add_row(
        f"{ledger.size:,}",
        f"entries and their openings recomputed, {ledger.tiles} tiles, {ledger.checkpoints} checkpoints: {verdict}",
    )
    table.add_row(f"{account.receipts:,}", "receipts recomputed by the processors, value by value")
    table.add_row(f"{account.proofs}", "inclusion proofs checked by the policy: the log's own key, and its witnesses'")
    table.add_row(f"{len(account.witnesses)}", f"witnesses cosigned the head below: {' and '.join(account.witnesses)}")
    table.add_row(f"{tally.redelivered}", "delivered again after a lost answer, from the first entry; nothing spent")
    table.add_row(f"{tally.unlisted}", "disclosed to a colleague who is not on the session's list, and marked as such")
    table.add_row(f"{tally.while_held}", "disclosed to the suspended machine while it was suspended")
    console.print(table)
    _say(console, "The signed head that vouches for all of it:")
    lines = [line for line in account.checkpoint.strip().splitlines() if line]
    console.print(Text("\n".join(f"  {line}" for line in lines), style="dim"), soft_wrap=True)


def _run(console: Console, account: Account) -> None:
    """Say what it took."""
    run = account.run
    most = run.memory_most_bytes / _MEBIBYTE
    memory = (
        f" The gate holds {run.memory_bytes / _MEBIBYTE:.0f} MiB of memory, at most {most:.0f} MiB." if run.memory_bytes else ""
    )
    _say(console, f"\nAll this took {run.seconds:.1f} s, of which the working day {run.day_seconds:.1f} s.{memory}")


def _next(console: Console, account: Account) -> None:
    """Give commands to try, as they can be copied."""
    _heading(console, "What to try next (from this folder, in another terminal)")
    for says, command in _commands(account):
        console.print(Text(f"# {says}", style="dim"), soft_wrap=True)
        console.print(Text(command), soft_wrap=True)


def _commands(account: Account) -> Iterator[tuple[str, str]]:
    """Yield each hint and its command."""
    one, folder, ecluse = account.example, _shown(Path(account.run.folder)), _program()
    ask = f"{ecluse} disclose --dir {folder} --client {one.client_id} --key {_shown(Path(one.key_file))} --agent {one.agent}"
    fields = ",".join(one.attributes)
    yield "the log's signed head, as any witness reads it", f"curl -s {account.run.base_url}/ledger/main/checkpoint"
    yield "be the trainer: one learner who is due", f"{ask} --appointment {one.appointment} --attributes {fields}"
    yield "the same, for another processor's learner", f"{ask} --appointment {one.foreign} --attributes {fields}"
    hold = f"{ecluse} processor hold processor {one.processor} --reason 'a stolen laptop' --dir {folder}"
    yield "be the agency: suspend that processor; then be the trainer again", hold
    yield "check every entry of the ledger", f"{ecluse} ledger fsck --dir {folder}"
    witness = _shown(Path(account.run.folder) / WITNESSES / "dpo")
    yield (
        "be a witness: what the data-protection officer's office has seen of it",
        f"{ecluse} ledger witness show --dir {witness}",
    )
    for shut in account.governed.shut[:1]:
        yield (
            "why a gate lets nothing through, and what comes if nobody acts",
            f"{ecluse} contract gate {shut.processor} --dir {folder}",
        )
        yield "who was told of it", f"{ecluse} notices list {shut.processor} --dir {folder}"
    if account.governed.flows.proposed:
        less = f"{ecluse} flows propose {account.governed.flows.proposal_of} --dir {folder}"
        yield "what could be disclosed less, and what that changes", less
    yield "addresses, clients and keys, for scripts", f"cat {folder}/demo.json"


def _shown(path: Path) -> str:
    """Write a path for a shell, from the current folder where it lies below it."""
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def _program() -> str:
    """Return how this very Écluse is called from here."""
    own = Path(sys.executable).with_name("ecluse")
    if not own.exists():
        return f"{_shown(Path(sys.executable))} -m ecluse"
    return "ecluse" if shutil.which("ecluse") == str(own) else _shown(own)


def _verdict(console: Console, account: Account) -> None:
    """End with whether everything was as expected."""
    console.print()
    if not account.surprises:
        kinds = len(account.steps)
        steps = sum(step.count for step in account.steps)
        _say(
            console,
            f"[bold green]As expected:[/bold green] {steps:,} steps of {kinds} kinds, each with the outcome that it must have.",
        )
        return
    _say(console, f"[bold red]Not as expected:[/bold red] {len(account.surprises)}")
    for surprise in account.surprises[:20]:
        console.print(
            Text(f"  {surprise.step}, {surprise.who}: expected {surprise.expected}, found {surprise.found}"), soft_wrap=True
        )
