"""What the demo's processors hand in, and the agency's officer who judges it: the use cases of ``ecluse evidence`` and ``ecluse finding``.

Each kind of document is one small PDF, made once: every processor hands in the same bytes. Nobody and nothing in them exists.
"""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import typst

from ecluse.contracts import EvidenceKind, Severity
from ecluse.db import Connection
from ecluse.demo.contract_file import REQUIRED
from ecluse.demo.model import Firm, Part, Term
from ecluse.evidence import NamedSubProcessor, Source, Submission
from ecluse.evidence.service import Attributes, accept, open_finding, submit
from ecluse.evidence.vault import Vault
from ecluse.install import LOG_ID

OFFICER: Final = "demo:odile-ferrandou"
"""Who accepts documents and opens findings, as an account of the command line would be sealed."""

_PAGE: Final = b"""
#set document(title: sys.inputs.title)
#set page(paper: "a4", margin: 3cm)
#set text(lang: "fr", size: 12pt)
#align(center, text(size: 20pt, weight: "bold", sys.inputs.title))
#v(1cm)
#sys.inputs.issuer
#v(1cm)
#sys.inputs.words
#v(1fr)
#text(size: 9pt)[Document invent\xc3\xa9 pour une d\xc3\xa9monstration : personne ni rien de ce qui y figure n'existe.]
"""
_TOO_OLD_DAYS: Final = 420
_OVERDUE_DAYS: Final = 2
_FINDING: Final = "Un seul compte pour tout l'accueil, sans second facteur"
_STRANGER: Final = "Nuage Atlantique SARL"
"""The sub-processor that no contract of the demo names."""


class _Kind(msgspec.Struct, frozen=True):
    """A kind of document. ``days``: how old a fresh one is."""

    title: str
    issuer: str
    words: str
    days: int


_KINDS: Final = {
    EvidenceKind.PENTEST: _Kind(
        "Test d'intrusion du portail des formateurs", "Cabinet Sonde Claire",
        "Périmètre : le portail, le réseau des salles, les postes des formateurs. Aucune vulnérabilité critique ne reste ouverte.", 75,
    ),
    EvidenceKind.SECURITY_POLICY: _Kind(
        "Politique de sécurité des systèmes d'information", "Direction", "Version approuvée, révisée chaque année : comptes, postes, réseau, incidents.", 120,
    ),
    EvidenceKind.PERSONNEL_LIST: _Kind(
        "Personnes habilitées, engagements de confidentialité", "Direction", "La liste est tenue sur place ; chaque engagement est signé.", 40,
    ),
    EvidenceKind.SIGNED_CONTRACT: _Kind("Contrat signé et ses annexes", "Les deux parties", "Signé par les deux parties avant son premier jour.", 0),
}  # fmt: skip


class Officer:
    """The agency's officer for its processors. One connection: one act at a time."""

    def __init__(self, connection: Connection, vault: Vault, *, attributes: Attributes, zone: ZoneInfo, today: date) -> None:
        """Keep them. ``today``: the controller's day."""
        self._connection, self._vault, self._attributes, self._zone, self._today = connection, vault, attributes, zone, today

    async def file(self, firm: Firm, term: Term) -> None:
        """Accept what a firm hands in: fresh evidence for all that its contract asks, but for the penetration test of the one that let it lapse."""
        for name, _ in REQUIRED:
            kind = EvidenceKind(name)
            too_old = firm.part is Part.LAPSED and kind is EvidenceKind.PENTEST
            await self._take(firm.id, kind, self._today - timedelta(days=_TOO_OLD_DAYS if too_old else _KINDS[kind].days))
        if firm.part is not Part.ROUTINE:
            await self._take(firm.id, EvidenceKind.SIGNED_CONTRACT, term.starts_on - timedelta(days=21))

    async def find(self, processor: str) -> None:
        """Open an audit's critical finding whose due day is over."""
        await open_finding(
            self._connection, log_id=LOG_ID, processor=processor, source=Source.AUDIT, severity=Severity.CRITICAL, title=_FINDING,
            due_on=self._today - timedelta(days=_OVERDUE_DAYS), actor=OFFICER, timezone=self._zone,
        )  # fmt: skip

    async def accept_list(self, firm: Firm) -> None:
        """Accept a firm's own list of sub-processors, which names one more than its contract."""
        rows = tuple(
            NamedSubProcessor(name=name, address="8 quai des Exemples", contact="Eudes Carrabosquet", country="FR", role=role)
            for name, role in ((firm.host, "hosting"), (_STRANGER, "backup"))
        )
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(NamedSubProcessor.__struct_fields__)
        writer.writerows(msgspec.structs.astuple(row) for row in rows)
        said = Submission(
            processor=firm.id, kind=EvidenceKind.SUB_PROCESSOR_LIST, title="Liste des sous-traitants ultérieurs", issuer=firm.name,
            reviewed_on=self._today, sub_processors=rows,
        )  # fmt: skip
        await self._judge(said, text.getvalue().encode())

    async def _take(self, processor: str, kind: EvidenceKind, reviewed_on: date) -> None:
        """Take one printed document in, and accept it."""
        said = Submission(
            processor=processor, kind=kind, title=_KINDS[kind].title, issuer=_KINDS[kind].issuer, reviewed_on=reviewed_on
        )
        await self._judge(said, _document(kind))

    async def _judge(self, said: Submission, content: bytes) -> None:
        """Let the processor hand a document in, and the officer accept it."""
        handed_in = await submit(
            self._connection, self._vault, said, content, actor=f"demo:{said.processor}", attributes=self._attributes, timezone=self._zone,
        )  # fmt: skip
        await accept(self._connection, self._vault, handed_in.evidence.id, log_id=LOG_ID, actor=OFFICER)


@cache
def _fonts() -> typst.Fonts:
    """Return the fonts that come with typst."""
    return typst.Fonts(include_system_fonts=False)


@cache
def _document(kind: EvidenceKind) -> bytes:
    """Print the one document of a kind, at its first use."""
    said = {"title": _KINDS[kind].title, "issuer": _KINDS[kind].issuer, "words": _KINDS[kind].words}
    made = typst.Compiler(input=_PAGE, font_paths=_fonts(), sys_inputs=said).compile(format="pdf", timestamp=0)
    if not isinstance(made, bytes):
        raise AssertionError("impossible: a page without bytes")  # noqa: TRY004 - a fault of ours, not of a caller
    return made
