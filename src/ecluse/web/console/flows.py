"""Flows: the map, what was given otherwise than declared, what could be given less of. Everybody's are counted beside the requests (`ecluse.flows.board`)."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter
from markupsafe import Markup

from ecluse import clock
from ecluse.flows import FLAGGED, Outcome, draw
from ecluse.flows.board import DRAWN, Counting
from ecluse.flows.compare import compare
from ecluse.flows.errors import NotRewritable
from ecluse.flows.propose import Use, propose
from ecluse.flows.service import read_facts
from ecluse.flows.store import text_in_force
from ecluse.ids import is_name
from ecluse.web.console.state import PAGE, console_of, reading
from ecluse.web.console.words import FORMS
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Room, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecluse.flows.board import Board
    from ecluse.flows.compare import Facts
    from ecluse.flows.model import Compared, FlowMap
    from ecluse.flows.propose import Proposal
    from ecluse.web.pages.frame import Tongue

_HERE: Final = "flows"
_FLAGGED: Final = 30
OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    Outcome.MATCHED.value: ("ok", N_("as declared")),
    Outcome.UNDECLARED.value: ("bad", N_("not declared")),
    Outcome.EXCESSIVE.value: ("bad", N_("more than declared")),
    Outcome.DORMANT.value: ("neutral", N_("not seen lately")),
    Outcome.UNNEEDED.value: ("warn", N_("never asked for")),
    Outcome.PLACE.value: ("bad", N_("at another place")),
    Outcome.SUB_PROCESSOR.value: ("bad", N_("another sub-processor")),
    Outcome.NEW.value: ("neutral", N_("too new to tell")),
}  # fmt: skip
"""The chip and the word of each outcome."""


_WHYS: Final[tuple[tuple[str, str], ...]] = (
    (r"no contract was in force", N_("No contract was in force.")),
    (
        r"the entry does not name version (\d+), which was in force: it did not come through the gate",
        N_("The entry does not name version %(a)s, which was in force: it did not come through the gate."),
    ),
    (
        r"version (\d+) can't be read with the register's present map",
        N_("Version %(a)s can’t be read with the register’s present map."),
    ),
    (r"version (\d+), in force then, ran from (\S+) to (\S+)", N_("Version %(a)s, in force then, ran from %(b)s to %(c)s.")),
    (r"version (\d+), in force then, does not name the purpose", N_("Version %(a)s, in force then, does not name the purpose.")),
    (
        r"version (\d+), in force then, does not name the attribute.*",
        N_("Version %(a)s, in force then, does not name the attribute."),
    ),
    (
        r"version (\d+), in force then, names it as (\w+), and it was given as (\w+)",
        N_("Version %(a)s, in force then, names it as %(b)s, and it was given as %(c)s."),
    ),
    (r"version (\d+), in force then, does not name this site", N_("Version %(a)s, in force then, does not name this site.")),
    (
        r"given under version (\d+); the contract in force names it no more",
        N_("Given under version %(a)s; the contract in force names it no more."),
    ),
    (
        r"given as (\w+) under version (\d+); the contract in force names it as (\w+)",
        N_("Given as %(a)s under version %(b)s; the contract in force names it as %(c)s."),
    ),
    (
        r"the site lies in (\S+) by its time zone, the processor in (\S+)",
        N_("The site lies in %(a)s by its time zone, the processor in %(b)s."),
    ),
    (
        r"(.+) is on the processor's own list \((\S+)\), and not in the contract",
        N_("%(a)s is on the processor’s own list (%(b)s), and not in the contract."),
    ),
    (
        r"(.+) is in the contract, and not on the processor's own list \((\S+)\)",
        N_("%(a)s is in the contract, and not on the processor’s own list (%(b)s)."),
    ),
    (
        r"(.+) is in (\S+) by the contract, in (\S+) by the processor's own list \((\S+)\)",
        N_("%(a)s is in %(b)s by the contract, in %(c)s by the processor’s own list (%(d)s)."),
    ),
)
"""What `ecluse.flows.compare` says of a flow that is otherwise than declared, and how a page says it; a test asks for each."""


def say_why(why: str, tongue: Tongue) -> str:
    """Say a reason in the reader's language; one of a later release as it stands."""
    for pattern, text in _WHYS:
        found = re.fullmatch(pattern, why)
        if found is not None:
            return tongue.say(text, **dict(zip("abcd", found.groups(), strict=False)))
    return why


class FlowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One flow. ``what``: the attribute, a site, or what it is about; ``declared``, ``seen``: forms in words; ``why``: a sentence where there is one."""

    state: str
    outcome: str
    processor: str
    processor_id: str
    purpose: str
    what: str
    roll_call: bool
    declared: str
    seen: str
    disclosures: int
    persons: int
    last_seen_at: datetime | None
    why: str


class BandRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table behind the map."""

    source: str
    target: str
    persons: int
    disclosures: int
    attributes: str


class ProcessorRow(msgspec.Struct, frozen=True, kw_only=True):
    """One processor: ``declared`` flows, ``seen`` of them, ``flagged`` otherwise than declared, ``idle``: declared and never asked for, or not any more."""

    id: str
    name: str
    declared: int
    seen: int
    flagged: int
    idle: int


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures rest on.

    ``since``, ``until``: the first and the last day, UTC; ``at``: when it was counted; ``counted`` of ``entries`` of the ledger.
    """

    since: date
    until: date
    at: datetime
    counted: int
    entries: int
    disclosures: int
    erased: int


class FlowsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody's flows.

    ``ready``: the first count is done; ``figure``: the map, an SVG of ours, of ``drawn`` processors of ``processors_all`` in all; ``bands``: the table
    behind it; ``flagged``, ``flagged_all``: what is otherwise than declared, the first, and how many; ``processors``: one page of them; ``number``,
    ``more``: which page, and whether there is another; ``coverage``: None before the first count.
    """

    ready: bool
    figure: Markup
    drawn: int
    processors_all: int
    bands: tuple[BandRow, ...]
    flagged: tuple[FlowRow, ...]
    flagged_all: int
    processors: tuple[ProcessorRow, ...]
    number: int
    more: bool
    coverage: Coverage | None


class ProposedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One form that could be weaker. ``asked``: disclosures that asked for it, ``of`` all of its purpose; ``persons``: of whom it was given in the period."""

    purpose: str
    attribute: str
    before: str
    after: str
    asked: int
    of: int
    persons: int


class ProcessorFlowsPage(msgspec.Struct, frozen=True, kw_only=True):
    """One processor's flows.

    ``id``, ``name``; ``flows``; ``attempts``: what was asked for and is not named: purpose, attribute, how often; ``proposed``: what could be given less of;
    ``spared``: persons x attributes that would not have been given; ``too_few``: purposes of which too little was seen; ``rewritten``: the contract with these
    forms, to be tried under What if, empty where there is none; ``by_hand``: it can't be rewritten line by line; ``coverage``.
    """

    id: str
    name: str
    flows: tuple[FlowRow, ...]
    attempts: tuple[tuple[str, str, int], ...]
    proposed: tuple[ProposedRow, ...]
    spared: int
    too_few: tuple[str, ...]
    rewritten: str
    by_hand: bool
    coverage: Coverage


def counting_of(request: HttpRequest, gateway: Gateway) -> Counting:
    """Return the count of the application that answers this request, begun with its first page."""
    found: Counting | None = getattr(request.app.state, "flows", None)
    if found is None:
        found = request.app.state.flows = Counting(gateway.register_map, gateway.settings.zone, clock.now)
    return found


# ── everybody ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/flows", include_in_schema=False)
async def flows(
    request: HttpRequest, gateway: Served, number: Annotated[int, QueryParameter(description="Which page.", name="page", ge=1, le=2_000)] = 1
) -> Response[str]:  # fmt: skip
    """Show the map, and what is otherwise than declared."""
    signed = await officer(request, gateway)
    board = await counting_of(request, gateway).read(gateway.reader)
    tongue = tongue_of(request)
    context = flows_page(board, number, tongue)
    headers = {} if context.ready else {"refresh": "3"}
    return page(
        request, gateway, "console/work_flows.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, headers=headers
    )


def flows_page(board: Board | None, number: int, tongue: Tongue) -> FlowsPage:
    """Show what was counted of everybody."""
    if board is None:
        return FlowsPage(
            ready=False, figure=Markup(), drawn=0, processors_all=0, bands=(), flagged=(), flagged_all=0, processors=(), number=1, more=False, coverage=None
        )  # fmt: skip
    labels = {node.id: node.label for node in board.picture.nodes}
    rows = processor_rows(board.map.flows, board.names)
    flagged = board.map.flagged
    return FlowsPage(
        ready=True, figure=_drawn(draw(board.picture, language=tongue.language)), drawn=min(DRAWN, len(rows)), processors_all=len(rows),
        bands=tuple(
            BandRow(
                source=labels[band.source], target=labels[band.target], persons=band.persons, disclosures=band.disclosures,
                attributes=", ".join(band.attributes)
            )
            for band in board.picture.bands
        ),
        flagged=tuple(flow_row(one, board.names, tongue) for one in flagged[:_FLAGGED]), flagged_all=len(flagged),
        processors=tuple(rows[(number - 1) * PAGE : number * PAGE]), number=number, more=len(rows) > number * PAGE, coverage=coverage_of(board.map),
    )  # fmt: skip


def processor_rows(compared: Iterable[Compared], names: Mapping[str, str]) -> list[ProcessorRow]:
    """Sum the flows up by processor: those with something to look at first."""
    sums: dict[str, list[int]] = {name: [0, 0, 0, 0] for name in names}
    for one in compared:
        sum_ = sums.setdefault(one.processor, [0, 0, 0, 0])
        sum_[0] += one.declared is not None
        sum_[1] += one.outcome is Outcome.MATCHED
        sum_[2] += one.outcome in FLAGGED
        sum_[3] += one.outcome in {Outcome.DORMANT, Outcome.UNNEEDED}
    rows = [
        ProcessorRow(id=name, name=names.get(name, name), declared=sum_[0], seen=sum_[1], flagged=sum_[2], idle=sum_[3])
        for name, sum_ in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row.flagged, row.name, row.id))


def flow_row(one: Compared, names: Mapping[str, str], tongue: Tongue) -> FlowRow:
    """Show one flow."""
    state, word = OUTCOMES[one.outcome.value]

    def form(name: str) -> str:
        return tongue.find(FORMS.get(name, name))

    return FlowRow(
        state=state, outcome=tongue.find(word), processor=names.get(one.processor, one.processor), processor_id=one.processor, purpose=one.purpose,
        what=one.attribute or one.site, roll_call=one.roll_call, declared=form(one.declared) if one.declared else "", seen=", ".join(map(form, one.seen)),
        disclosures=one.disclosures, persons=one.persons, last_seen_at=one.last_seen_at,
        why=say_why(one.why, tongue) if one.outcome in FLAGGED else "",  # else the outcome says it
    )  # fmt: skip


def coverage_of(found: FlowMap) -> Coverage:
    """Say what the figures rest on."""
    return Coverage(
        since=found.since, until=found.at.date(), at=found.at, counted=found.coverage.counted, entries=found.coverage.entries,
        disclosures=found.coverage.disclosures, erased=found.coverage.erased,
    )  # fmt: skip


# ── one processor ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@get("/console/flows/{processor:str}", include_in_schema=False)
async def processor_flows(
    request: HttpRequest, gateway: Served, processor: Annotated[str, PathParameter(description="The processor's id.")]
) -> Response[str]:
    """Show one processor's flows, read by index, and what it could be given less of."""
    signed = await officer(request, gateway)
    if not is_name(processor):
        raise NotFoundException
    parsed = counting_of(request, gateway).parsed
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        if processor not in everybody.processors:
            raise NotFoundException
        facts = await read_facts(connection, gateway.attributes, gateway.settings.zone, processor=processor, parsed=parsed)
        text = await text_in_force(connection, processor)
    context = processor_page(processor, everybody.processors[processor].name, facts, text, tongue_of(request))
    return page(request, gateway, "console/work_flow.html", context, signed=signed, room=Room.CONSOLE, here=_HERE)


def processor_page(processor: str, name: str, facts: Facts, text: str | None, tongue: Tongue) -> ProcessorFlowsPage:
    """Show one processor's flows."""
    found = compare(facts)
    names = {processor: name}
    less, by_hand = _less(facts, processor, text)
    proposed = less.proposed if less is not None else ()

    def form(word: str) -> str:
        return tongue.find(FORMS.get(word, word))

    return ProcessorFlowsPage(
        id=processor, name=name, flows=tuple(flow_row(one, names, tongue) for one in found.flows[:400]),
        attempts=tuple((one.purpose, one.attribute, one.attempts) for one in found.attempts[:100]),
        proposed=tuple(
            ProposedRow(
                purpose=one.purpose, attribute=one.attribute, before=form(one.before.value), after=form(one.after.value), asked=one.asked, of=one.of,
                persons=one.persons,
            )
            for one in proposed
        ),
        spared=less.spared if less is not None else 0, too_few=less.too_few if less is not None else (),
        rewritten=less.text if less is not None and proposed else "", by_hand=by_hand, coverage=coverage_of(found),
    )  # fmt: skip


def _less(facts: Facts, processor: str, text: str | None) -> tuple[Proposal | None, bool]:
    """Propose less from the same facts; None where no contract can be read. True: the file can't be rewritten line by line."""
    versions = facts.versions.get(processor, ())
    contract = versions[-1].contract if versions else None
    if contract is None or text is None:
        return None, False
    rows = [row for row in facts.observations if row.version == versions[-1].version]
    try:
        return propose(contract, text, versions[-1].version, Use(observations=rows, observed=facts.observed), facts.kinds), False
    except NotRewritable:
        return None, True


def _drawn(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - made by ecluse.flows.draw, every text through ecluse.svg.plain


HANDLERS: Final[tuple[Any, ...]] = (flows, processor_flows)
