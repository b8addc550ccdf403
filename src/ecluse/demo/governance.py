"""What came of the day for those who govern: gates that let nothing through, who was told, what flowed, and the papers.

Read back as an auditor would, out of the ledger's database (role ``ecluse_reader``) and the mails that arrived: nothing here comes from the processors.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from ecluse.contracts import Gate
from ecluse.contracts.store import load_history
from ecluse.contracts.words import words_of
from ecluse.db import Connection
from ecluse.demo.mailroom import Mailroom
from ecluse.demo.model import Firm
from ecluse.demo.premises import MAIL, PAPERS, keep
from ecluse.errors import EcluseError
from ecluse.flows.draw import draw
from ecluse.flows.model import Outcome
from ecluse.flows.propose import LEAST, Proposed
from ecluse.flows.service import DORMANT_DAYS, draw_map, flow_map, fold_all, observed, period, propose_less
from ecluse.notices.model import AUDIENCES, Topic
from ecluse.notices.plan import blocking
from ecluse.notices.store import told
from ecluse.papers.activity import FILE as ACTIVITY
from ecluse.papers.activity import parse_activity
from ecluse.papers.annexes import write_annexes
from ecluse.papers.blocks import Paper
from ecluse.papers.dossier import write_dossier
from ecluse.papers.facts import Said, assemble
from ecluse.papers.model import Language
from ecluse.papers.record import write_record
from ecluse.papers.typeset import typeset
from ecluse.register import RegisterMap
from ecluse.settings import Installation

SENDER_DOMAIN: Final = "agency.example"
_SHUT: Final = frozenset({Topic.GATE_FROZEN, Topic.GATE_CLOSED})
_LONGEST_WAIT_SECONDS: Final = 60.0
_FOLDS: Final = 50
_CLOCK: Final = "select ecluse.clock()"


class Uncounted(EcluseError):
    """The ledger's entries could not be counted: something else is counting them, and does not end."""

    code = "demo-uncounted"


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """Why a gate is shut, in words; ``move``: whose it is."""

    code: str
    what: str
    mend: str
    move: str


class Notified(msgspec.Struct, frozen=True, kw_only=True):
    """Who was told of it: which party, at which addresses, when; ``mail``: the file in ``mail/`` that arrived."""

    party: str
    addresses: tuple[str, ...]
    at: datetime
    mail: str


class Shut(msgspec.Struct, frozen=True, kw_only=True):
    """A gate that lets nothing through. ``refused``: entries of the ledger that name one of the reasons."""

    processor: str
    name: str
    state: str
    reasons: tuple[Because, ...]
    refused: int
    notified: tuple[Notified, ...]


class Flagged(msgspec.Struct, frozen=True, kw_only=True):
    """A flow that is otherwise than declared."""

    processor: str
    outcome: str
    why: str


class FlowFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Declared against observed. ``unasked``: declared flows that nobody asked for.

    ``proposed``: of the contract of ``proposal_of``, forms that could be weaker; ``too_few``: purposes of which too little was seen.
    """

    counted: int
    entries: int
    declared: int
    seen: int
    unasked: int
    flagged: tuple[Flagged, ...]
    proposal_of: str
    proposed: tuple[Proposed, ...]
    too_few: int


class PaperFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One file of ``papers/``. ``missing``: fields that a law asks for and nobody said."""

    title: str
    file: str
    size_bytes: int
    missing: int


class Governed(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``mails``: how many arrived."""

    shut: tuple[Shut, ...]
    mails: int
    flows: FlowFacts
    papers: tuple[PaperFacts, ...]


class Auditor:
    """Reads the day back. ``firms``: all processors; ``installation``: the demo's; ``mailroom``: where its mails arrive."""

    def __init__(
        self, reader: Connection, firms: Sequence[Firm], installation: Installation, register: RegisterMap, mailroom: Mailroom
    ) -> None:
        """Keep them; nothing is read yet."""
        self._reader, self._firms, self._installation, self._register, self._mailroom = (
            reader,
            firms,
            installation,
            register,
            mailroom,
        )
        self._kinds = {name: attribute.type for name, attribute in register.attributes.items()}
        self._zone = installation.settings.zone

    async def govern(self, jobs: Connection, refused: Mapping[str, Mapping[str, int]], about: str) -> Governed:
        """Count, print, and wait until everybody was told.

        ``jobs``: a connection of ``ecluse_jobs``; ``refused``: by processor and reason as sealed; ``about``: whose annexes and dossier are printed.
        """
        await _fold(jobs)
        flows, papers = await self._flows(), await self._papers(about)
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        shut = [await self._shut(firm, gate, refused.get(firm.id, {}), deadline) for firm, gate in await self._gates()]
        return Governed(shut=tuple(shut), mails=len(self._mailroom.taken), flows=flows, papers=papers)

    async def _gates(self) -> list[tuple[Firm, Gate]]:
        """Return the gates that let nothing through now."""
        at = await self._reader.fetchval(_CLOCK)
        found = [(firm, (await load_history(self._reader, firm.id, self._kinds, self._zone)).at(at)) for firm in self._firms]
        return [(firm, gate) for firm, gate in found if not gate.state.permits]

    async def _shut(self, firm: Firm, gate: Gate, refused: Mapping[str, int], deadline: float) -> Shut:
        """Say all of one shut gate, once both parties were told, or the time for that is over."""
        codes = blocking(gate.reasons)
        notified = await self._notified(firm.id, codes)
        while len(notified) < len(codes) * len(AUDIENCES[Topic.GATE_FROZEN]) and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            notified = await self._notified(firm.id, codes)
        words = [(code, words_of(code)) for code in codes]
        return Shut(
            processor=firm.id, name=firm.name, state=gate.state.value,
            reasons=tuple(Because(code=code, what=said.what, mend=said.mend, move=said.move.value) for code, said in words),
            refused=max((refused.get(f"gate:{code}", 0) for code in codes), default=0), notified=tuple(notified),
        )  # fmt: skip

    async def _notified(self, processor: str, codes: Sequence[str]) -> list[Notified]:
        """Return who was told of these reasons, in a mail that arrived."""
        found: list[Notified] = []
        for code in codes:
            for one in await told(self._reader, processor=processor, reason=code):
                mail = self._mailroom.taken.get(f"<{one.id}@{SENDER_DOMAIN}>")
                if one.due.topic in _SHUT and one.state == "sent" and one.sent_at is not None and mail is not None:
                    found.append(
                        Notified(
                            party=one.due.audience.value, addresses=one.sent_to, at=one.sent_at.astimezone(UTC), mail=f"{MAIL}/{mail.name}",
                        )
                    )  # fmt: skip
        return sorted(found, key=lambda one: one.party, reverse=True)

    async def _flows(self) -> FlowFacts:
        """Compare what was declared with what was seen."""
        compared = await flow_map(self._reader, kinds=self._kinds, zone=self._zone)
        rests, unasked = compared.coverage, {Outcome.NEW, Outcome.UNNEEDED}
        since, until = period(compared.at, DORMANT_DAYS)
        seen = (await observed(self._reader, since, until)).recipients
        proposal_of, proposed = "", tuple[Proposed, ...]()
        for processor in dict.fromkeys(one.processor for one in seen if one.disclosures >= LEAST):
            proposal_of, proposed = processor, (await propose_less(self._reader, processor, kinds=self._kinds)).proposed
            if proposed:
                break
        return FlowFacts(
            counted=rests.counted, entries=rests.entries, declared=rests.declared, seen=rests.seen,
            unasked=sum(flow.outcome in unasked for flow in compared.flows),
            flagged=tuple(Flagged(processor=flow.processor, outcome=flow.outcome.value, why=flow.why) for flow in compared.flagged),
            proposal_of=proposal_of if proposed else "", proposed=proposed, too_few=sum(one.disclosures < LEAST for one in seen),
        )  # fmt: skip

    async def _papers(self, about: str) -> tuple[PaperFacts, ...]:
        """Print the controller's record, one processor's annexes and dossier, and draw the map, all in French."""
        folder = self._installation.folder
        (folder / PAPERS).mkdir(mode=0o700)
        activity, joint = parse_activity((folder / ACTIVITY).read_text(encoding="utf-8"))
        said = Said(settings=self._installation.settings, register=self._register, activity=activity, joint=joint)
        facts = await assemble(self._reader, said)
        processor = facts.processor(about)
        if processor is None:
            raise AssertionError("impossible: a processor without a contract")
        papers = (
            ("registre-article-30.pdf", write_record(facts, Language.FR)),
            (f"annexes-{about}.pdf", write_annexes(facts, processor, Language.FR)),
            (f"dossier-{about}.pdf", write_dossier(facts, processor, Language.FR)),
        )
        printed = [await self._print(name, paper) for name, paper in papers]
        drawing = draw(await draw_map(self._reader, self._register), paper="light", language="fr").encode()
        return (*printed, self._kept("flux.svg", "Carte des flux", drawing, 0))

    async def _print(self, name: str, paper: Paper) -> PaperFacts:
        """Typeset one paper, beside the event loop: mails arrive meanwhile."""
        return self._kept(name, paper.title, await asyncio.to_thread(typeset, paper), len(paper.missing))

    def _kept(self, name: str, title: str, content: bytes, missing: int) -> PaperFacts:
        """Keep one file."""
        keep(self._installation.folder / PAPERS / name, content)
        return PaperFacts(title=title, file=f"{PAPERS}/{name}", size_bytes=len(content), missing=missing)


async def _fold(jobs: Connection) -> None:
    """Count the ledger's entries, taking turns with the gate, which does it each minute."""
    for _ in range(_FOLDS):
        if await fold_all(jobs) is not None:
            return
        await asyncio.sleep(0.2)
    raise Uncounted
