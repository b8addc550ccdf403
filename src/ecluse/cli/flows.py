"""``ecluse flows``: what contracts declare against what was seen, what could be given less of, the map."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from ecluse.cli.edge import REFUSED
from ecluse.cli.options import Dir, Json, ProcessorName, flag
from ecluse.cli.screen import Screen, counted, local_time

if TYPE_CHECKING:
    from datetime import tzinfo

    from ecluse.flows.model import Compared, Coverage, FlowMap
    from ecluse.flows.propose import Proposal

READER: Final = "ecluse_reader"
app = typer.Typer(no_args_is_help=True, help="Flows: what contracts declare against what the ledger saw. See docs/flows.md.")
Days: TypeAlias = Annotated[
    int, typer.Option(min=1, max=1100, help="How many days back, and today; unseen for so long is dormant.")
]

_WORDS: Final = {
    "matched": "seen as declared", "dormant": "not seen any more", "unneeded": "never asked for", "too-early": "new, nobody asked yet",
}  # fmt: skip


class Paper(StrEnum):
    """What a drawing stands on."""

    LIGHT = "light"
    DARK = "dark"
    INLINE = "inline"


class Language(StrEnum):
    """The languages of a drawing."""

    ENGLISH = "en"
    FRENCH = "fr"


@app.command()
def fold(*, folder: Dir = None, as_json: Json = False) -> None:
    """Count now what the ledger holds and nobody has counted yet; the gate that signs does it each minute."""
    from ecluse.cli.edge import Refusal
    from ecluse.cli.reach import load, on_log
    from ecluse.flows.service import fold_all

    screen, installation = Screen(as_json=as_json), load(folder)
    with screen.progress("Counting entries") as tell:
        done = on_log(installation, lambda connection: fold_all(connection, tell), role="ecluse_jobs")
    if done is None:
        raise Refusal("flows", "another process is counting, or openings are being erased", "Wait a moment, and run it again")
    screen.say(f"Counted: {counted(done, 'entry', 'entries')} more.", style="green")
    screen.answer({"folded": done})


@app.command()
def show(
    *,
    days: Days = 30,
    processor: Annotated[str | None, typer.Option(help="Of this processor alone.", show_default="all")] = None,
    every: Annotated[bool, flag("--all", help="Show each declared flow on a line of its own.")] = False,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Compare what contracts declare with what was seen. Exit code 1 where something was given, or stands, otherwise than a contract says."""
    from ecluse.cli.reach import attributes_of, load, on_log, register_map
    from ecluse.flows.service import flow_map

    screen, installation = Screen(as_json=as_json), load(folder)
    kinds, zone = attributes_of(register_map(installation.folder / "register.toml")), installation.settings.zone
    found = on_log(
        installation,
        lambda connection: flow_map(connection, kinds=kinds, zone=zone, days=days, processor=processor),
        role=READER,
    )
    _show_flagged(screen, found, zone)
    if every:
        _show_each(screen, found, zone)
    else:
        _show_declared(screen, found)
    _show_others(screen, found, zone)
    _show_coverage(screen, found.coverage)
    screen.answer({**_told(found), "flagged": len(found.flagged)})
    if found.flagged:
        raise typer.Exit(REFUSED)


def _told(found: FlowMap) -> dict[str, object]:
    """Write a map for programs."""
    return {name: getattr(found, name) for name in found.__struct_fields__}


def _show_flagged(screen: Screen, found: FlowMap, zone: tzinfo) -> None:
    """Show what a person has to look at."""
    rows = [
        (
            flow.outcome.value, flow.processor, flow.purpose or "-", _what(flow), flow.persons or "-", flow.why,
            local_time(flow.last_seen_at, zone) if flow.last_seen_at else "-",
        )
        for flow in found.flagged
    ]  # fmt: skip
    screen.table(
        ("outcome", "processor", "purpose", "what", "persons", "why", "last seen"),
        rows,
        title=f"Otherwise than declared, {found.since} to {found.at.date()}",
        empty="Nothing: all that was seen was as declared.",
    )


def _what(flow: Compared) -> str:
    """Say what a flagged flow is about."""
    if flow.site:
        return f"site {flow.site}"
    if not flow.attribute:
        return "sub-processor"
    return f"{flow.attribute} as {', '.join(flow.seen)}" + (" (roll-call)" if flow.roll_call else "")


def _show_declared(screen: Screen, found: FlowMap) -> None:
    """Show what contracts name, a line for each purpose and outcome."""
    groups: dict[tuple[str, str, str], list[Compared]] = defaultdict(list)
    for flow in found.flows:
        if flow.outcome.value in _WORDS:
            groups[flow.processor, flow.purpose, flow.outcome.value].append(flow)
    rows = [
        (
            processor, purpose, _WORDS[outcome], ", ".join(flow.attribute + ("*" if flow.roll_call else "") for flow in some),
            max((flow.persons for flow in some), default=0) or "-",
        )
        for (processor, purpose, outcome), some in sorted(groups.items(), key=lambda one: (one[0][:2], list(_WORDS).index(one[0][2])))
    ]  # fmt: skip
    heads = ("processor", "purpose", "outcome", "attributes (* on the roll-call)", "persons")
    screen.table(heads, rows, title="\nDeclared by the contracts in force", empty="No contract is in force.")


def _show_each(screen: Screen, found: FlowMap, zone: tzinfo) -> None:
    """Show each declared flow."""
    rows = [
        (
            flow.processor, flow.purpose, flow.attribute + (" (roll-call)" if flow.roll_call else ""), flow.declared, ", ".join(flow.seen) or "-",
            _WORDS[flow.outcome.value], f"{flow.disclosures:,}", f"{flow.persons:,}", local_time(flow.last_seen_at, zone) if flow.last_seen_at else "never",
        )
        for flow in found.flows
        if flow.outcome.value in _WORDS
    ]  # fmt: skip
    heads = ("processor", "purpose", "attribute", "declared as", "given as", "outcome", "disclosures", "persons", "last seen")
    screen.table(heads, rows, title="\nDeclared by the contracts in force", empty="No contract is in force.")


def _show_others(screen: Screen, found: FlowMap, zone: tzinfo) -> None:
    """Show what was asked for in vain, and what was seen elsewhere."""
    tried = [
        (
            one.processor,
            one.purpose or "-",
            one.attribute or "(the purpose)",
            f"{one.attempts:,}",
            local_time(one.last_seen_at, zone),
        )
        for one in found.attempts
    ]
    if tried:
        heads = ("processor", "purpose", "attribute", "refused", "last tried")
        screen.table(heads, tried, title="\nAsked for outside the contract, and refused: nothing was given")
    brought = [(one.recipient, one.attribute, one.from_on, one.until_on, one.source) for one in found.imported]
    if brought:
        heads = ("recipient", "attribute", "from", "until", "source")
        screen.table(heads, brought, title="\nSeen elsewhere, as somebody brought it: of lower confidence")


def _show_coverage(screen: Screen, rests: Coverage) -> None:
    """Say what all this rests on."""
    screen.say(
        f"\nSeen by Écluse: {rests.seen} of {counted(rests.declared, 'declared flow')}, {counted(rests.disclosures, 'disclosure')}; "
        f"{rests.declared - rests.seen} declared only. {rests.counted:,} of {rests.entries:,} entries are counted."
    )
    if rests.counted < rests.entries:
        screen.say("The others are counted within a minute, or now by `ecluse flows fold`.", style="yellow")
    if rests.erased or rests.unreadable:
        screen.say(
            f"Not counted: {rests.erased:,} entries that were erased before, {rests.unreadable:,} that say nothing readable.",
            style="yellow",
        )
    for processor in rests.unreadable_contracts:
        screen.say(f"The contract of {processor} can't be read with the register's present map.", style="bold yellow")
    screen.say("What goes another way than through Écluse is not seen here.", style="dim")


@app.command("propose")
def propose_less(
    processor: ProcessorName,
    *,
    days: Days = 30,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the contract file with these forms there.", dir_okay=False)
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Propose what a processor could be given less of, from what it asked for. Nothing is applied: a person reads, decides, and applies the file."""
    from ecluse.cli.reach import attributes_of, load, on_log, register_map
    from ecluse.flows.service import propose_less as use_case

    screen, installation = Screen(as_json=as_json), load(folder)
    kinds = attributes_of(register_map(installation.folder / "register.toml"))
    found = on_log(installation, lambda connection: use_case(connection, processor, kinds=kinds, days=days), role=READER)
    _show_proposal(screen, found, days)
    if out is not None and found.proposed:
        write_out(out, found.text)
        screen.say(
            f"Written: {out}. `ecluse contract shadow {out}` tries it on the past, `ecluse contract apply {out}` puts it in force."
        )
    elif found.proposed:
        screen.say("`--out FILE` writes the contract file with these forms.")
    screen.answer({name: getattr(found, name) for name in found.__struct_fields__})


def _show_proposal(screen: Screen, found: Proposal, days: int) -> None:
    """Show what is proposed, and what it changes."""
    rows = [(one.purpose, one.attribute, one.before, one.after, one.why, f"{one.persons:,}") for one in found.proposed]
    screen.table(
        ("purpose", "attribute", "now", "proposed", "why", "persons spared"),
        rows,
        title=f"{found.processor}, version {found.version}: from the last {counted(days, 'day')}",
        empty="Nothing is proposed.",
    )
    for purpose in found.too_few:
        screen.say(f"{purpose}: fewer than 100 disclosures under this version, too few to tell.", style="dim")
    if not found.proposed:
        return
    screen.table(
        ("access", "what changes"),
        [(change.effect, change.sentence) for change in found.changes],
        title="\nWhat the file would change for access",
    )
    screen.say(
        f"\nIn these days {counted(found.spared, 'value')} (persons x attributes) would not have been disclosed. The ledger tells what was asked for, "
        "not what was needed: ask the processor first."
    )


@app.command("map")
def draw_map(
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Write the drawing (SVG) there.", dir_okay=False)] = None,
    days: Days = 30,
    paper: Annotated[
        Paper, typer.Option(help="Its ground: of its own, or (inline) that of the page it stands in.")
    ] = Paper.LIGHT,
    language: Annotated[Language, typer.Option(help="Its language.")] = Language.ENGLISH,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Draw register, purposes, processors and sub-processors, with bands as wide as the persons are many; `--json` gives the data."""
    from ecluse.cli.reach import load, on_log, register_map
    from ecluse.errors import ConfigurationError
    from ecluse.flows.draw import draw
    from ecluse.flows.service import draw_map as use_case

    screen, installation = Screen(as_json=as_json), load(folder)
    if out is None and not as_json:
        raise ConfigurationError(
            "--out", "there is no file to draw to", "Name one, such as flows.svg, or ask for the data with --json"
        )
    register = register_map(installation.folder / "register.toml")
    found = on_log(installation, lambda connection: use_case(connection, register, days=days), role=READER)
    if out is not None:
        write_out(out, draw(found, paper=paper.value, language=language.value))
        screen.say(f"Drawn: {out} ({counted(found.persons, 'person')}, {counted(len(found.bands), 'band')}).", style="green")
    screen.answer(found)


@app.command("import")
def import_flows(
    file: Annotated[Path | None, typer.Argument(help="CSV: source, recipient, attribute, from, until.", dir_okay=False)] = None,
    *,
    forget: Annotated[
        str | None, typer.Option("--forget", help="Take away what this source told, instead of bringing a file.")
    ] = None,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Bring what was seen outside Écluse (a mail gateway's log, a list of services). It is shown apart, and takes the place of what its sources told before."""
    from ecluse.cli.reach import actor, attributes_of, load, on_log, read_text, register_map
    from ecluse.flows.parse import parse_imports
    from ecluse.flows.service import forget_source
    from ecluse.flows.service import import_flows as use_case

    screen, installation = Screen(as_json=as_json), load(folder)
    if (file is None) == (forget is None):
        raise typer.BadParameter("name a file, or a source to forget", param_hint="FILE")
    if file is None:
        on_log(installation, lambda connection: forget_source(connection, forget or ""))
        screen.say(f"Forgotten: what {forget} told.", style="green")
        screen.answer({"source": forget, "rows": 0})
        return
    rows = parse_imports(read_text(file), attributes_of(register_map(installation.folder / "register.toml")))
    on_log(installation, lambda connection: use_case(connection, rows, actor=actor()))
    sources = sorted({row.source for row in rows})
    screen.say(f"Kept: {counted(len(rows), 'row')} of {', '.join(sources)}, in the place of what was told before.", style="green")
    screen.answer({"sources": sources, "rows": len(rows)})


def write_out(path: Path, text: str) -> None:
    """Write a file that was named on the command line."""
    from ecluse.errors import ConfigurationError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as bad:
        raise ConfigurationError(str(path), f"it can't be written ({bad.strerror})", "Name a file in a folder of yours") from bad
