"""What if: a contract file tried before it is applied. What it changes for access, how its gate would stand, what a thief could reach. Nothing is written.

Applying is an act of its own, with the passkey: exactly the text whose hash was looked at.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.params import QueryParameter

from ecluse.contracts import ContractInvalid, Gatekeeper, check_contract, contract_hash, diff_contracts, parse_contract
from ecluse.contracts.errors import ProcessorUnknown
from ecluse.contracts.service import apply_contract
from ecluse.contracts.store import load_standing
from ecluse.exposure.errors import NoProcessor
from ecluse.exposure.model import Holder, Scope
from ecluse.exposure.service import Engine
from ecluse.flows.store import text_in_force
from ecluse.identity.people import Act, Signed
from ecluse.ids import is_name
from ecluse.web.console.act import done
from ecluse.web.console.contract_words import say_change, say_finding
from ecluse.web.console.state import acting, console_of, reading
from ecluse.web.console.words import Reason, reasons_of
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Room, Upload, form, page, tongue_of
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecluse.contracts import Contract
    from ecluse.db import Connection
    from ecluse.exposure.service import Exposure
    from ecluse.web.console.governed import Everybody
    from ecluse.web.pages.frame import Tongue

MOST_BYTES: Final = 256 * 1024
"""The longest contract file that a page takes."""
_HERE: Final = "what-if"
_ROOM: Final = MOST_BYTES * 3 + 8 * 1024  # url-encoded, a byte may take three
EFFECTS: Final[Mapping[str, tuple[str, str]]] = {
    "wider": ("warn", N_("more access")),
    "narrower": ("ok", N_("less access")),
    "other": ("neutral", N_("access as it is")),
}


class WhatIfPage(msgspec.Struct, frozen=True, kw_only=True):
    """The form in which a file is tried. ``processor``, ``processors``: chosen, of what; ``text``: to be edited; ``most``: bytes; ``faults``: by field."""

    processor: str
    processors: tuple[tuple[str, str], ...]
    text: str
    most: int
    faults: dict[str, str]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A finding about a file: its line, where, why, the mend."""

    line: int
    where: str
    why: str
    mend: str


class ChangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One change. ``state``, ``effect``: its chip and word; ``sentence``: all of it in one."""

    state: str
    effect: str
    where: str
    before: str
    after: str
    sentence: str


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """How a gate stands: its state's word, and why."""

    state: str
    reasons: tuple[Reason, ...]


class ReachRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a thief could reach now and as if. Numbers are at most that many; ``exact``: and that many indeed."""

    persons: int
    persons_after: int
    exact: bool
    attributes: int
    attributes_after: int
    values: int
    values_after: int


class TriedPage(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would change.

    ``errors``: why it can't be applied, none where it can; ``warnings``; ``processor``, ``name``, ``reference``: whose it is; ``version``: the one in
    force, 0 for none; ``same``: this very file is in force; ``changes``; ``wider``: how many of them give more; ``before``, ``after``: the gate; ``reach``:
    None where nothing can be reached yet; ``text``, ``hash``: the file, to be applied; ``may``: may apply it; ``fault``: why it was not applied, empty
    where nobody tried.
    """

    errors: tuple[Line, ...]
    warnings: tuple[Line, ...]
    processor: str
    name: str
    reference: str
    version: int
    same: bool
    changes: tuple[ChangeRow, ...]
    wider: int
    before: Stands | None
    after: Stands | None
    reach: ReachRow | None
    text: str
    hash: str
    may: bool
    fault: str


class TryForm(msgspec.Struct, frozen=True):
    """A contract, typed or chosen."""

    text: Annotated[str, msgspec.Meta(max_length=MOST_BYTES)] | None = None
    file: Upload | None = None


class ApplyForm(msgspec.Struct, frozen=True):
    """A contract that was looked at, by its hash."""

    text: Annotated[str, msgspec.Meta(max_length=MOST_BYTES)]
    hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


@get("/console/what-if", include_in_schema=False)
async def what_if(
    request: HttpRequest, gateway: Served, processor: Annotated[str, QueryParameter(description="Whose contract to begin with.")] = ""
) -> Response[str]:  # fmt: skip
    """Show the form, with the contract in force to be edited."""
    signed = await officer(request, gateway)
    return await _form(request, gateway, signed, processor if is_name(processor) else "", None, {})


async def _form(
    request: HttpRequest, gateway: Gateway, signed: Signed, processor: str, text: str | None, faults: dict[str, str]
) -> Response[str]:
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
        kept = await text_in_force(connection, processor) if processor and text is None else text
    context = WhatIfPage(
        processor=processor if processor in everybody.processors else "",
        processors=tuple((one.id, one.name) for one in everybody.processors.values()),
        text=kept or "",
        most=MOST_BYTES,
        faults=faults,
    )
    status = 422 if faults else 200
    return page(
        request, gateway, "console/work_what_if.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status
    )


@post("/console/what-if", include_in_schema=False, request_max_body_size=_ROOM)
async def try_contract(request: HttpRequest, gateway: Served) -> Response[str]:
    """Say what a contract file would change. Nothing is written or sealed."""
    signed = await officer(request, gateway)
    filled = await form(request, TryForm)
    if filled.value is None:
        return await _form(request, gateway, signed, "", str(filled.entered.get("text", "")), filled.faults)
    text = filled.value.text or ""
    if filled.value.file is not None:
        try:
            text = filled.value.file.content.decode("utf-8-sig").replace("\r\n", "\n").strip()
        except UnicodeDecodeError:
            filled.fault("file", N_("The file is not UTF-8 text. Save it as UTF-8."))
    if not text and not filled.faults:
        filled.fault("text", N_("Choose a file, or write a contract."))
    if filled.faults:
        return await _form(request, gateway, signed, "", text, filled.faults)
    return await _tried(request, gateway, signed, text + "\n")


async def _tried(request: HttpRequest, gateway: Gateway, signed: Signed, text: str, fault: str = "") -> Response[str]:
    """Show what a contract would change."""
    tongue = tongue_of(request)
    report = check_contract(text, gateway.attributes)
    errors, warnings = (
        [Line(line=one.line, where=one.where, why=one.why, mend=one.mend) for one in (say_finding(each, tongue) for each in some)]
        for some in (report.errors, report.warnings)
    )
    context = TriedPage(
        errors=tuple(errors), warnings=tuple(warnings), processor="", name="", reference="", version=0, same=False,
        changes=(), wider=0, before=None, after=None,
        reach=None, text=text, hash=sha256(text.encode()).hexdigest(), may=signed.may(Act.CONTRACT), fault=fault,
    )  # fmt: skip
    if not errors:
        contract = parse_contract(text, gateway.attributes)
        async with reading(gateway) as connection:
            instant, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
            if contract.processor.id not in everybody.processors:
                context = msgspec.structs.replace(context, errors=(_unknown(tongue),))
            else:
                standing = await load_standing(connection, contract.processor.id)
                after = Gatekeeper(contract, standing, gateway.settings.zone).at(instant.at)
                reach = await _reach(request, gateway, connection, contract)
                context = _compared(context, contract, everybody, reach, tongue)
                before = everybody.processors[contract.processor.id].gate(instant.at)
                context = msgspec.structs.replace(
                    context,
                    before=Stands(state=before.state.value, reasons=reasons_of(before.reasons, contract.processor.id, tongue)),
                    after=Stands(state=after.state.value, reasons=reasons_of(after.reasons, contract.processor.id, tongue)),
                )
    status = 422 if context.errors or fault else 200
    return page(request, gateway, "console/work_tried.html", context, signed=signed, room=Room.CONSOLE, here=_HERE, status=status)


def _unknown(tongue: Tongue) -> Line:
    return Line(
        line=1, where="processor.id", why=tongue.find(N_("No processor is registered under that id")),
        mend=tongue.find(N_("Register it first: `ecluse processor add`")),
    )  # fmt: skip


def _compared(context: TriedPage, contract: Contract, everybody: Everybody, reach: ReachRow | None, tongue: Tongue) -> TriedPage:
    """Compare a contract with the one in force."""
    there = everybody.processors[contract.processor.id]
    changes = diff_contracts(there.contract, contract) if there.contract is not None else ()
    return msgspec.structs.replace(
        context, processor=there.id, name=contract.processor.name, reference=contract.reference, version=there.version,
        same=there.hash == contract_hash(context.text), wider=sum(one.effect == "wider" for one in changes), reach=reach,
        changes=tuple(
            ChangeRow(
                state=EFFECTS[one.effect][0], effect=tongue.find(EFFECTS[one.effect][1]), where=one.where, before=one.before or "", after=one.after or "",
                sentence=one.sentence,
            )
            for one in (say_change(each, tongue) for each in changes)
        ),
    )  # fmt: skip


async def _reach(request: HttpRequest, gateway: Gateway, connection: Connection, contract: Contract) -> ReachRow | None:
    """Say what a thief of all the processor's credentials could reach right now, and as if."""
    whole = (Holder(scope=Scope.PROCESSOR, processor=contract.processor.id),)
    try:
        before, after, _ = await engine_of(request, gateway).compare(connection, contract, holders=whole)
    except NoProcessor:
        return None
    return reach_row(before, after)


def reach_row(before: Exposure, after: Exposure) -> ReachRow:
    """Set two exposures of one processor side by side."""
    one, two = before.reaches[0], after.reaches[0]
    return ReachRow(
        persons=one.persons.most, persons_after=two.persons.most, exact=one.persons.exact and two.persons.exact, attributes=len(one.attributes),
        attributes_after=len(two.attributes), values=one.values, values_after=two.values,
    )  # fmt: skip


def engine_of(request: HttpRequest, gateway: Gateway) -> Engine:
    """Return the engine of the application that answers this request."""
    found: Engine | None = getattr(request.app.state, "what_if", None)
    if found is None:
        found = request.app.state.what_if = Engine(gateway.register_map, gateway.settings.zone)
    return found


@post("/console/what-if/apply", include_in_schema=False, request_max_body_size=_ROOM)
async def apply(request: HttpRequest, gateway: Served) -> Response[str]:
    """Put a contract in force: exactly the text that was looked at."""
    signed = await officer(request, gateway, Act.CONTRACT, stepped_up=True, back="/console/what-if")
    filled = await form(request, ApplyForm)
    tongue = tongue_of(request)
    if filled.value is None:
        return await _form(request, gateway, signed, "", str(filled.entered.get("text", "")), filled.faults)
    text = filled.value.text + "\n"  # a form takes the blanks around a value away
    if sha256(text.encode()).hexdigest() != filled.value.hash:
        return await _tried(
            request,
            gateway,
            signed,
            text,
            tongue.find(N_("This is not the text that was looked at: look at it again, then apply it.")),
        )
    try:
        async with acting(gateway) as connection:
            applied = await apply_contract(
                connection, log_id=gateway.log_id, text=text, attributes=gateway.attributes, actor=signed.person
            )
    except (ContractInvalid, ProcessorUnknown):
        return await _tried(request, gateway, signed, text)
    return done(f"/console/processors/{applied.processor}", "contract-applied", applied.index)


HANDLERS: Final[tuple[Any, ...]] = (what_if, try_contract, apply)
