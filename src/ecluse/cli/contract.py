"""``ecluse contract``: explain a contract file, say what it changes for access, put it in force, list what is in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.gates import STATES, gate, gates_now
from ecluse.cli.options import Dir, Json, RegisterFile, Yes
from ecluse.cli.screen import Screen, counted, local_time
from ecluse.cli.shadow import shadow

if TYPE_CHECKING:
    from ecluse.contracts import Change, Contract, Finding, GateReport, Purpose
    from ecluse.contracts.service import Applied
    from ecluse.db import Connection
    from ecluse.register import AttributeType

app = typer.Typer(no_args_is_help=True, help="Contract files: check, compare, put in force. The contract is the policy.")
File: TypeAlias = Annotated[Path, typer.Argument(help="The contract file (TOML).", dir_okay=False)]

app.command()(gate)
app.command()(shadow)


@app.command()
def check(file: File, *, register: RegisterFile = None, folder: Dir = None, as_json: Json = False) -> None:
    """Explain a contract file without applying it: errors and warnings by line, what it would give, how its gate would stand.

    Exit code 1 if there are errors; warnings alone are 0.
    """
    from ecluse.cli.reach import read_text
    from ecluse.contracts import check_contract, parse_contract

    screen, text, attributes = Screen(as_json=as_json), read_text(file), _attributes(register, folder)
    report = check_contract(text, attributes)
    show_findings(screen, file, "error", report.errors)
    if report.gate is not None:
        contract = parse_contract(text, attributes)
        screen.say(f"{contract.processor.name} ({contract.processor.id}), contract {contract.reference}", style="bold")
        show_terms(screen, contract)
    show_findings(screen, file, "warn", report.warnings)
    if report.gate is not None:
        _show_gate(screen, report.gate)
    screen.answer(
        {"file": str(file), "valid": not report.errors, "errors": report.errors, "warnings": report.warnings, "gate": report.gate}
    )
    if report.errors:
        raise typer.Exit(REFUSED)


def _attributes(register: Path | None, folder: Path | None) -> dict[str, AttributeType]:
    """Return what the register maps: of the file that was named, else of the installation."""
    from ecluse.cli.reach import attributes_of, register_map
    from ecluse.settings import folder_of

    return attributes_of(register_map(register or folder_of(folder) / "register.toml"))


def show_findings(screen: Screen, file: Path, level: str, findings: Iterable[Finding]) -> None:
    """Show findings by line."""
    rows = [(level, found.line, found.where, found.why, found.mend) for found in findings]
    if rows:
        title = (
            f"{file}: {counted(len(rows), 'error')}, so it can't be applied"
            if level == "error"
            else f"{file}: {counted(len(rows), 'warning')}"
        )
        screen.table(("level", "line", "where", "why", "mend"), rows, title=title)
        screen.say()


def show_terms(screen: Screen, contract: Contract) -> None:
    """Say in words what a contract gives: for each purpose when, and each attribute in which form."""
    from ecluse.contracts import duration_text

    for purpose in contract.purposes.values():
        opens, closes = duration_text(purpose.opens_before), duration_text(purpose.closes_after)
        screen.say(f"\n{purpose.label} ({purpose.id}), legal basis: {_article(purpose.legal_basis)}", style="bold")
        screen.say(
            f"From {_hours(opens)} before a session to {_hours(closes)} after it, at most {purpose.reads_per_appointment} times a person,"
        )
        screen.say(
            f"{purpose.max_capacity} persons a session, {purpose.persons_per_agent_per_hour} persons an hour for each agent:"
        )
        screen.table(("attribute", "is given as", "on the roll-call as"), _forms(purpose))
    screen.say()


def _article(basis: str) -> str:
    """Write a point of Art. 6(1) as lawyers do."""
    article, paragraph, point = basis.split(".")
    return f"Art. {article}({paragraph})({point}) GDPR"


def _hours(duration: str) -> str:
    """Say an ISO 8601 duration in words."""
    return duration.removeprefix("PT").replace("H", " h ").replace("M", " min").strip()


def _forms(purpose: Purpose) -> list[tuple[str, str, str]]:
    """List attributes with their forms."""
    return [
        (name, form.value, purpose.sheet[name].value if name in purpose.sheet else "-")
        for name, form in purpose.attributes.items()
    ]


def _show_gate(screen: Screen, report: GateReport) -> None:
    """Say how the gate will stand."""
    from ecluse.contracts.words import words_of

    words, style = STATES[report.state.value]
    screen.say(f"Once applied, from {report.starts_on} to {report.ends_on}, the gate is {words}.", style=style)
    for reason in report.reasons:
        screen.say(f"  - {words_of(reason).what}")
    if report.evidence:
        screen.say(
            f"The contract asks for evidence: {', '.join(report.evidence)}. Without an accepted and fresh one of each the gate is frozen: "
            "`ecluse contract gate` says how it stands."
        )


@app.command()
def diff(file: File, *, folder: Dir = None, as_json: Json = False) -> None:
    """Say what a contract file would change for access against the version in force, before it does."""
    from ecluse.cli.reach import attributes_of, load, on_log, read_text, register_map
    from ecluse.contracts import parse_contract

    screen, installation = Screen(as_json=as_json), load(folder)
    attributes = attributes_of(register_map(installation.folder / "register.toml"))
    contract = parse_contract(read_text(file), attributes)
    version, changes, _ = on_log(installation, lambda connection: _compare(connection, contract, attributes))
    show_changes(screen, contract, version, changes)
    screen.answer({"processor": contract.processor.id, "version_in_force": version, "changes": changes, "first": not version})


async def _compare(
    connection: Connection, contract: Contract, attributes: Mapping[str, AttributeType]
) -> tuple[int, tuple[Change, ...], str | None]:
    """Return the version in force (0: none), what would change against it, and its text's hash."""
    from ecluse.cli.store import rows_of
    from ecluse.contracts import diff_contracts
    from ecluse.contracts.errors import ProcessorUnknown
    from ecluse.contracts.service import current_contract

    known = {row["id"]: row["hash"] for row in await rows_of(connection, "processors")}
    if contract.processor.id not in known:
        raise ProcessorUnknown(contract.processor.id)
    version, before = await current_contract(connection, contract.processor.id, attributes)
    return version, () if before is None else diff_contracts(before, contract), known[contract.processor.id]


def show_changes(screen: Screen, contract: Contract, version: int, changes: Iterable[Change]) -> None:
    """Say what changes for access."""
    if not version:
        screen.say(f"{contract.processor.id} has no contract yet: all that this one gives is new.", style="bold yellow")
        show_terms(screen, contract)
        return
    rows = [("neither" if change.effect == "other" else change.effect, change.sentence) for change in changes]
    screen.table(
        ("access", "what changes"),
        rows,
        title=f"{contract.processor.id}: against version {version}, which is in force",
        empty="Nothing changes.",
    )
    wider = sum(change.effect == "wider" for change in changes)
    if wider:
        gives = "gives" if wider == 1 else "give"
        screen.say(f"\n{wider} of these {gives} the processor more than it has now.", style="bold yellow")


@app.command()
def apply(file: File, *, yes: Yes = False, folder: Dir = None, as_json: Json = False) -> None:
    """Put a contract file in force: shows what it changes for access, asks, then keeps it as a new version and seals its hash."""
    from ecluse.cli.reach import actor, attributes_of, load, on_log, read_text, register_map
    from ecluse.contracts import ContractInvalid, contract_hash, parse_contract
    from ecluse.contracts.service import apply_contract
    from ecluse.install import LOG_ID

    screen, installation = Screen(as_json=as_json), load(folder)
    text, attributes = read_text(file), attributes_of(register_map(installation.folder / "register.toml"))
    try:
        contract = parse_contract(text, attributes)
    except ContractInvalid as invalid:
        show_findings(screen, file, "error", invalid.findings)
        screen.answer({"file": str(file), "valid": False, "errors": invalid.findings})
        raise typer.Exit(REFUSED) from None
    version, changes, digest = on_log(installation, lambda connection: _compare(connection, contract, attributes))
    if digest == contract_hash(text):
        screen.say(f"This very file is in force already, as version {version}.", style="green")
        screen.answer({"applied": False, "processor": contract.processor.id, "version": version, "hash": digest})
        return
    show_changes(screen, contract, version, changes)
    if not screen.confirm(f"Put it in force as version {version + 1} of {contract.processor.id}?", yes=yes):
        screen.say("Nothing was changed.")
        raise typer.Exit(REFUSED)
    applied = on_log(
        installation,
        lambda connection: apply_contract(connection, log_id=LOG_ID, text=text, attributes=attributes, actor=actor()),
    )
    _show_applied(screen, applied, version)


def _show_applied(screen: Screen, applied: Applied, seen: int) -> None:
    """Say that it is in force; ``seen``: the version that the differences were shown against."""
    screen.say(
        f"In force: version {applied.version} of {applied.processor}, sealed as entry {applied.index} of the ledger.",
        style="green",
    )
    screen.say(f"SHA-256 of the file: {applied.hash}")
    if applied.version != seen + 1:
        screen.note(
            "warn: another version was applied while you looked; run `ecluse contract list` and compare what is in force now"
        )
    screen.answer(
        {
            "applied": True,
            "processor": applied.processor,
            "version": applied.version,
            "hash": applied.hash,
            "index": applied.index,
            "changes": applied.changes,
        }
    )


@app.command("list")
def list_contracts(*, folder: Dir = None, as_json: Json = False) -> None:
    """List the contracts in force, and how each gate stands now."""
    from ecluse.cli.reach import attributes_of, load, on_log, register_map

    screen, installation = Screen(as_json=as_json), load(folder)
    attributes = attributes_of(register_map(installation.folder / "register.toml"))
    zone = installation.settings.zone
    listed = on_log(installation, lambda connection: gates_now(connection, attributes, zone))
    found = [(row, stands) for row, stands in listed if row["text"] is not None]
    screen.table(
        ("processor", "version", "reference", "gate", "why", "days", "in force since", "by"),
        [
            (
                row["id"],
                row["version"],
                row["reference"],
                stands.state,
                stands.why,
                stands.days,
                local_time(row["applied_at"], zone),
                row["applied_by"],
            )
            for row, stands in found
        ],
        empty="No contract is in force. `ecluse contract apply FILE` puts one in force.",
    )
    names = ("version", "reference", "hash", "applied_at", "applied_by")
    screen.answer(
        {
            "contracts": [
                {"processor": row["id"], **{name: row[name] for name in names}, "gate": stands.state, "reasons": stands.why}
                for row, stands in found
            ]
        }
    )
