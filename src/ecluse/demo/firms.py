"""The processors of the demo: eight that each show something, and 32 more for an agency of full size. All are invented.

Their courses differ as contracts do: other attributes, weaker forms, narrower windows. Nothing is named that no trainer needs: no contract of the
demo holds nationality, reason of stay, date of entry, or a birth date in full.
"""

from __future__ import annotations

from typing import Final

from ecluse.demo.model import Course, Firm, Part

FULL_SIZE: Final = 1_000_000
"""From this many people on, the agency has all 40 processors."""

CIVIC: Final = "civic-training"
LANGUAGE: Final = "language-course"

_CIVIC: Final = (
    Course(
        purpose=CIVIC, label="Journée de formation civique", opens_before=24, closes_after=2, capacity=30, reads=4,
        attributes={
            "family_name": "full", "given_name": "full", "birth_date": "year", "preferred_language": "full",
            "email": "relay", "phone": "relay",
        },
        sheet={"family_name": "full", "given_name": "initial"}, unasked=frozenset({"email", "phone"}),
    ),
    Course(
        purpose=CIVIC, label="Journée de formation civique", opens_before=12, closes_after=2, capacity=20, reads=3,
        attributes={"family_name": "full", "given_name": "initial", "preferred_language": "full", "phone": "masked"},
    ),
    Course(
        purpose=CIVIC, label="Journée de formation civique, en visio", opens_before=6, closes_after=1, capacity=20, reads=3,
        attributes={"family_name": "full", "given_name": "full", "file_number": "masked"},
    ),
)  # fmt: skip
_LANGUAGE: Final = (
    Course(
        purpose=LANGUAGE, label="Formation linguistique, parcours A1", opens_before=12, closes_after=1, capacity=16, reads=2,
        attributes={"family_name": "full", "given_name": "full", "birth_date": "age_band", "preferred_language": "full"},
        sheet={"family_name": "initial", "given_name": "full"},
    ),
    Course(
        purpose=LANGUAGE, label="Formation linguistique, parcours A2", opens_before=8, closes_after=1, capacity=16, reads=2,
        attributes={"family_name": "initial", "given_name": "full", "preferred_language": "full", "city": "full"},
    ),
    Course(
        purpose=LANGUAGE, label="Formation linguistique, parcours B1", opens_before=8, closes_after=2, capacity=14, reads=3,
        attributes={"family_name_latin": "full", "given_name_latin": "full", "birth_date": "age_band", "email": "masked"},
    ),
)  # fmt: skip

_TRAINERS: Final = (
    "Maëlle Kervidoux", "Octave Sabourgeau", "Naïma Talbesson", "Ludovic Ferrandoy", "Solène Aubrevaux", "Ismaël Dorvenne",
    "Clotilde Marsaguet", "Ferdinand Ollivanne", "Yasmine Corbadieu", "Tancrède Villonet", "Aurore Bellechassy", "Modibo Santerrois",
    "Béatrice Lanvauzelle", "Quentin Rocheflavy", "Inès Montauvray", "Gaspard Thévenelle", "Apolline Dussartois", "Karim Valbrissac",
    "Rosalie Entremonts", "Hippolyte Garancière", "Leïla Pontavesnes", "Anselme Brévauchon", "Victoire Sauvelade", "Malik Estrevallon",
)  # fmt: skip
_SPECIAL: Final = (
    ("lyon-formation", "Lyon Formation SAS", "lyon-3", Part.QUESTIONS, (_CIVIC[0], _LANGUAGE[0]), "Hébergeur Rhône SAS"),
    ("nice-langues", "Nice Langues SARL", "nice-port", Part.MOVED, (_LANGUAGE[0],), "Hébergeur Azur SAS"),
    ("lille-accueil", "Lille Accueil SCOP", "lille-sud", Part.SMALL_BUDGET, (_CIVIC[1],), ""),
    ("nantes-passerelle", "Nantes Passerelle SAS", "nantes-erdre", Part.HELD, (_CIVIC[2], _LANGUAGE[1]), "Hébergeur Loire SAS"),
    ("bordeaux-avenir", "Bordeaux Avenir SARL", "bordeaux-lac", Part.ROBBED, (_LANGUAGE[2],), "Hébergeur Garonne SAS"),
    ("strasbourg-atelier", "Strasbourg Atelier SCIC", "neudorf", Part.DESK_ONLY, (_CIVIC[0],), "Hébergeur Rhône SAS"),
    ("aix-langues", "Aix Langues SARL", "aix-centre", Part.FROZEN, (_LANGUAGE[1],), ""),
    ("metz-insertion", "Metz Insertion SAS", "metz-gare", Part.LAPSED, (_CIVIC[1],), ""),
)
_TOWNS: Final = (
    "amiens", "angers", "avignon", "besancon", "brest", "caen", "calais", "cergy", "colmar", "creil", "dijon", "dunkerque",
    "evreux", "grenoble", "le-havre", "le-mans", "limoges", "meaux", "montpellier", "mulhouse", "nancy", "nimes", "orleans", "pau",
    "perpignan", "poitiers", "reims", "rennes", "rouen", "tours", "troyes", "valence",
)  # fmt: skip
_TRADES: Final = ("Formation", "Langues", "Passerelle", "Atelier")

SMALL_BUDGET: Final = 12
"""Persons an hour of the processor that spends its budget: fewer than half of its places of the day."""


def firms_for(people: int) -> tuple[Firm, ...]:
    """Return the processors of an agency of this size."""
    special = tuple(
        Firm(
            id=name, name=title, site=site, part=part, courses=courses, trainers=_trainers(rank),
            persons_per_hour=SMALL_BUDGET if part is Part.SMALL_BUDGET else 200, host=host,
        )
        for rank, (name, title, site, part, courses, host) in enumerate(_SPECIAL)
    )  # fmt: skip
    if people < FULL_SIZE:
        return special
    return special + tuple(_firm_of(rank, town) for rank, town in enumerate(_TOWNS, start=len(special)))


def _firm_of(rank: int, town: str) -> Firm:
    """Return a processor without a part of its own."""
    trade = _TRADES[rank % len(_TRADES)]
    return Firm(
        id=f"{town}-{trade.lower()}",
        name=f"{town.replace('-', ' ').title()} {trade} SARL",
        site=f"{town}-centre",
        part=Part.ROUTINE,
        courses=(_CIVIC[rank % len(_CIVIC)], _LANGUAGE[rank % len(_LANGUAGE)]),
        trainers=_trainers(rank),
    )


def _trainers(rank: int) -> tuple[str, ...]:
    """Return three to six people, other ones than the neighbours'."""
    begin = 5 * rank
    return tuple(_TRAINERS[(begin + step) % len(_TRAINERS)] for step in range(3 + rank % 4))
