"""Papers of a processor to be saved: dossier, annexes, records. Assembled from one snapshot, typeset in a thread, one at a time in a process.

They are made when they are asked for, by POST, and kept nowhere: a paper says of which instant it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import PathParameter

from ecluse.contracts import ContractInvalid
from ecluse.db import LOST
from ecluse.errors import ConfigurationError
from ecluse.flows.service import fold_all
from ecluse.identity.people import Act
from ecluse.papers.activity import FILE, parse_activity
from ecluse.papers.annexes import write_annexes
from ecluse.papers.dossier import write_dossier
from ecluse.papers.errors import PaperError
from ecluse.papers.facts import Said, assemble
from ecluse.papers.model import Language
from ecluse.papers.record import write_processor_record, write_record
from ecluse.papers.typeset import typeset
from ecluse.web.console.act import known_processor
from ecluse.web.console.evidence import attachment
from ecluse.web.console.faults import Form, filled_again
from ecluse.web.console.state import reading
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.pages.frame import N_, Filled, Room, Signed, form, page
from ecluse.web.pages.guard import officer

if TYPE_CHECKING:
    from ecluse.papers.blocks import Paper
    from ecluse.papers.model import Facts, ProcessorFacts
    from ecluse.web.console.governed import Governed

_SECONDS: Final = 60
_AT_ONCE: Final = asyncio.Semaphore(1)
"""Papers that a process makes at the same moment: each takes a core for a second or more."""
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "dossier": (
        N_("Audit dossier"),
        N_(
            "Contract, documents good today, gate, findings, overrides, numbers, and proofs to check: all of it on one processor."
        ),
    ),
    "annexes": (
        N_("Annexes I to IV"),
        N_("The annexes of the standard clauses (EU) 2021/915, filled from the contract in force."),
    ),
    "processor-record": (
        N_("The processor’s record"),
        N_("Evidence for Art. 30(2) GDPR, to be handed to the processor: none of our staff is named in it."),
    ),
    "record": (
        N_("Our record"),
        N_("The controller’s record of processing activities (evidence for Art. 30(1) GDPR), with what the ledger saw."),
    ),
}
"""Each paper: what it is called, and what is in it."""
ProcessorId = Annotated[str, PathParameter(description="The processor's id.")]


class PapersPage(msgspec.Struct, frozen=True, kw_only=True):
    """The papers of ``processor`` (its id; ``name``) that can be made.

    ``kinds``: key, title and what is in it; ``may``: the reader's role makes papers; ``form``: as it came.
    """

    processor: str
    name: str
    kinds: tuple[tuple[str, str, str], ...]
    may: bool
    form: Form


class PaperForm(msgspec.Struct, frozen=True, kw_only=True):
    """Which paper, in which language."""

    kind: Literal["dossier", "annexes", "processor-record", "record"]
    language: Literal["fr", "en"]


@get("/console/processors/{id:str}/papers", include_in_schema=False)
async def papers(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str]:
    """Show which papers can be made."""
    signed = await officer(request, gateway)
    return _papers(request, gateway, signed, await known_processor(request, gateway, id))


def _papers(
    request: HttpRequest, gateway: Gateway, signed: Signed, one: Governed, *, filled: Filled[PaperForm] | None = None, status: int = 200
) -> Response[str]:  # fmt: skip
    context = PapersPage(
        processor=one.id, name=one.name, kinds=tuple((key, title, what) for key, (title, what) in KINDS.items()), may=signed.may(Act.PAPERS),
        form=filled_again(filled),
    )  # fmt: skip
    return page(
        request, gateway, "console/papers.html", context, signed=signed, room=Room.CONSOLE, here="processors", status=status
    )


@post("/console/processors/{id:str}/papers", include_in_schema=False, status_code=200)
async def make_paper(request: HttpRequest, gateway: Served, id: ProcessorId) -> Response[str] | Response[bytes]:
    """Make a paper and hand it out, to be saved."""
    signed = await officer(request, gateway, Act.PAPERS)
    one = await known_processor(request, gateway, id)
    filled = await form(request, PaperForm)
    wanted = filled.value
    if wanted is None:
        return _papers(request, gateway, signed, one, filled=filled, status=422)
    try:
        async with asyncio.timeout(_SECONDS), _AT_ONCE:
            facts = await _facts(gateway, None if wanted.kind == "record" else id)
            # NOTE(why): typesetting takes a second or two of a core; in a thread, so that no decision of this process waits for it.
            pdf = await asyncio.to_thread(_typeset, facts, wanted, id)
    except TimeoutError:
        filled.fault("kind", N_("It took too long: other papers are being made. Try again in a minute."))
        return _papers(request, gateway, signed, one, filled=filled, status=503)
    except ConfigurationError:
        filled.fault("kind", N_("The file papers.toml of this installation cannot be read. Call whoever runs this gateway."))
        return _papers(request, gateway, signed, one, filled=filled, status=409)
    except (PaperError, ContractInvalid):
        filled.fault("kind", N_("There is no contract in force that this paper could be made of."))
        return _papers(request, gateway, signed, one, filled=filled, status=409)
    whose = "" if wanted.kind == "record" else f"-{id}"
    return attachment(pdf, "application/pdf", f"{wanted.kind}{whose}-{facts.at:%Y-%m-%d}-{wanted.language}.pdf")


async def _facts(gateway: Gateway, processor: str | None) -> Facts:
    """Assemble the facts of now, with what was decided counted up to this minute where this process may count."""
    if gateway.jobs_pool is not None:
        with suppress(*LOST):
            async with gateway.jobs_pool.acquire() as connection:
                await fold_all(connection)
    said = await asyncio.to_thread(_said, gateway)
    async with reading(gateway) as connection:
        return await assemble(connection, said, only=processor)


def _said(gateway: Gateway) -> Said:
    """Read what the installation's files say. Raises `ConfigurationError`."""
    path = Path(gateway.folder) / FILE
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(FILE, "it can't be read", "Write it in UTF-8, for the account that serves") from None
    activity, joint = parse_activity(text)
    return Said(settings=gateway.settings, register=gateway.register_map, activity=activity, joint=joint)


def _typeset(facts: Facts, wanted: PaperForm, processor: str) -> bytes:
    """Write a paper and typeset it. It may take seconds."""
    language = Language(wanted.language)
    of: Mapping[str, Callable[[], Paper]] = {
        "dossier": lambda: write_dossier(facts, _one(facts, processor), language),
        "annexes": lambda: write_annexes(facts, _one(facts, processor), language),
        "processor-record": lambda: write_processor_record(facts, _one(facts, processor), language),
        "record": lambda: write_record(facts, language),
    }
    return typeset(of[wanted.kind]())


def _one(facts: Facts, processor: str) -> ProcessorFacts:
    """Return the processor that a paper is of."""
    found = facts.processor(processor)
    if found is None:
        raise AssertionError("impossible: facts of a processor without it")
    return found


HANDLERS: Final = [papers, make_paper]
