"""Every piece of the pages on one page, as no room shows them. ``python -m tests.web.pages.specimen FOLDER`` writes it, with what it loads, to be seen."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import jinja2
import msgspec

from ecluse.identity.people import Role, Signed
from ecluse.web.pages.assets import assets
from ecluse.web.pages.frame import Place, around, environment
from ecluse.web.pages.language import Language, Tongue
from ecluse.web.pages.model import About, Entry, Notice, Room

AT: Final = datetime(2026, 11, 23, 9, 4, tzinfo=UTC)
SIGNED: Final = Signed(
    sign_in="sgn_specimen", kind="officer", person="off_specimen", name="Ana Lemoine", roles=frozenset({Role.DPO, Role.SECURITY}), processor=None, client=None,
    thumbprint=None, started_at=AT, ends_at=AT + timedelta(hours=10), stepped_up_at=AT, fresh_seconds=300,
)  # fmt: skip
NAVIGATION: Final = tuple(
    Entry(label.lower(), f"/console/{number}", label, group)
    for number, (group, label) in enumerate(
        [
            ("Veille", "Aujourd’hui"), ("Veille", "Journal"), ("Prestataires", "Tous les prestataires"), ("Prestataires", "Questionnaires"),
            ("Prestataires", "Constats"), ("Travail", "Planning"), ("Travail", "Décisions"), ("Travail", "Rechercher une personne"),
            ("Flux et documents", "Carte des flux"),
            ("Flux et documents", "Documents"), ("Comptes", "Comptes"),
        ]
    )
)  # fmt: skip


class SpecimenPage(msgspec.Struct, frozen=True, kw_only=True):
    """``at``: an instant; ``rows``: of its table; ``faults``: by field; ``pager``: of its table."""

    at: datetime
    rows: list[list[str]]
    faults: dict[str, str]
    pager: dict[str, str]


def page() -> SpecimenPage:
    """Make the page's context."""
    rows = [
        ["10 h 04", "Mireille d’Alençon", "civic-training", "accordé", "1", "12", "3 %"],
        ["10 h 03", "Jean-Baptiste Nguyễn", "language-course", "refusé", "1\u202f204", "2\u202f408", "97 %"],
        ["9 h 58", "محمد العربي", "civic-training", "accordé", "38", "112", "12 %"],
    ]
    return SpecimenPage(
        at=AT,
        rows=rows,
        faults={"reason": "Écrivez au moins 30 caractères.", "until": "Écrivez une date à venir."},
        pager={"newer": "#a", "older": "#b", "said": "1 à 3 sur 1\u202f204"},
    )


def specimen(language: Language = "fr", direction: str = "ltr", *, side: bool = True) -> str:
    """Write the page."""
    navigation = NAVIGATION if side else tuple(Entry(each.key, each.href, each.label) for each in NAVIGATION[:4])
    place = Place(
        room=Room.CONSOLE if side else Room.DESK, about=About(home="/console", help="/console/help", navigation=navigation), here="journal", path="/console",
        signed=SIGNED, tongue=Tongue(language), zone=ZoneInfo("Europe/Paris"), now=AT, controller="Office de l’intégration (démonstration)",
        notice=Notice("ok", "Le lien a été envoyé."),
    )  # fmt: skip
    base = environment(language, place.zone)
    made = base.overlay(loader=jinja2.ChoiceLoader([base.loader, jinja2.FileSystemLoader(Path(__file__).parent)]))  # type: ignore[list-item] # there is one
    return made.get_template("specimen.html").render({"page": page(), **around(place), "direction": direction})


def main(folder: Path) -> None:
    """Write the page in its ways, with what it loads."""
    for each in assets().values():
        path = folder / each.address.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(each.content)
    (folder / "index.html").write_text(specimen(), encoding="utf-8")
    (folder / "rtl.html").write_text(specimen(direction="rtl"), encoding="utf-8")
    (folder / "bar.html").write_text(specimen(side=False), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
