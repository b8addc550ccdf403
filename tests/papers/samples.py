"""Facts for papers, invented and complete: what an installation in order would say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ecluse.contracts import Contract, Gatekeeper, Standing, diff_contracts, parse_contract
from ecluse.papers.measures import House, measures_of
from ecluse.papers.model import (
    Activity,
    Body,
    Counted,
    Datum,
    Erasure,
    EvidenceFacts,
    Facts,
    FindingFacts,
    GateChange,
    Hold,
    LedgerFacts,
    Observed,
    OverrideFacts,
    ProcessorFacts,
    Proof,
    PurposeUse,
    Signature,
    SubProcessorFacts,
    Use,
    Version,
)
from ecluse.register import parse_register

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 9, 15, 9, 30, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Paris")
REGISTER = parse_register((ROOT / "src/ecluse/demo/register.toml").read_text(encoding="utf-8"))
ATTRIBUTES = {name: each.type for name, each in REGISTER.attributes.items()}
TEXT = (ROOT / "contracts-example/lyon-formation.toml").read_text(encoding="utf-8")
HOUSE = House(
    origin="agency.example/ecluse/main",
    public_url="https://ecluse.agency.example",
    openings_months=12,
    max_uncosigned=timedelta(hours=1),
    max_uncosigned_frozen=timedelta(hours=24),
    stamped=True,
    witnessed=True,
)


def contract(**changes: str) -> Contract:
    """Return the example's contract with texts changed."""
    text = TEXT
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return parse_contract(text, ATTRIBUTES)


def document(id: str, kind: str, **changes: Any) -> EvidenceFacts:
    """Return a document that was good."""
    said: dict[str, Any] = {
        "title": "Rapport du cabinet Sentinelle, périmètre complet",
        "issuer": "Cabinet Sentinelle",
        "scope": "portail, réseau, postes",
        "sites": (),
        "period": None,
        "reviewed_on": date(2026, 3, 2),
        "ends_on": None,
        "bridges": None,
        "sha256": "5f" * 32,
        "accepted_by": "cli:dpo",
        "accepted_at": datetime(2026, 3, 9, 8, 12, tzinfo=UTC),
        "withdrawn_at": None,
        "required": True,
        "counts": True,
        "good_through": date(2027, 3, 2),
    }
    return EvidenceFacts(id=id, kind=kind, **(said | changes))


def observed() -> Observed:
    """Return what a small processor was given."""
    first, last = datetime(2026, 1, 6, 7, tzinfo=UTC), datetime(2026, 9, 14, 15, 4, tzinfo=UTC)
    uses = [
        ("civic-training", "family_name", {"full": 4112}, 5230, 4112),
        ("civic-training", "given_name", {"full": 4101, "initial": 3990}, 5230, 4112),
        ("civic-training", "birth_date", {"year": 4112}, 4200, 4112),
        ("language-course", "family_name", {"full": 611}, 9021, 611),
        ("language-course", "preferred_language", {"full": 600}, 8800, 600),
    ]
    return Observed(
        since=date(2025, 9, 8),
        until=date(2026, 9, 16),
        persons=4613,
        refusals={"outside-window": 41, "gate-frozen": 7},
        purposes=tuple(
            PurposeUse(purpose=name, disclosures=count, persons=people, erased=0, first_at=first, last_at=last)
            for name, count, people in (("civic-training", 5230, 4112), ("language-course", 9021, 611))
        ),
        uses=tuple(
            Use(
                purpose=purpose,
                attribute=name,
                forms=forms,
                disclosures=count,
                persons=people,
                erased=0,
                first_at=first,
                last_at=last,
            )
            for purpose, name, forms, count, people in uses
        ),
    )


def processor(**changes: Any) -> ProcessorFacts:
    """Return the facts of one processor, all of them said."""
    before, now = (
        contract(),
        contract(**{'birth_date = "year"': 'birth_date = "age_band"', "persons_per_day = 400": "persons_per_day = 300"}),
    )
    keeper = Gatekeeper(now, Standing(), ZONE)
    gate = keeper.at(AT)
    versions = tuple(
        Version(
            version=number,
            reference="2026-CIR-017",
            hash=f"{number}a" * 32,
            applied_at=datetime(2026, month, 5, 9, tzinfo=UTC),
            applied_by="cli:juriste",
            index=index,
        )
        for number, month, index in ((1, 1, 12), (2, 6, 8120))
    )
    said: dict[str, Any] = {
        "id": "lyon-formation",
        "contract": now,
        "version": versions[-1],
        "versions": versions,
        "body": Body(
            name="Lyon Formation SAS",
            country="FR",
            address="12 quai des Invention, 69003 Lyon",
            registration="732829320",
            contact="Maëlle Kervidoux, directrice des opérations",
            reach="rssi@lyon-formation.example",
            dpo="Octave Sabourgeau, dpo@lyon-formation.example",
        ),
        "nature": "consultation d'une personne à la fois, appel des présents, orientation",
        "subject_matter": "Formation civique et linguistique des signataires du contrat d'intégration",
        "sub_processors": (
            SubProcessorFacts(
                name="Hébergeur Rhône",
                country="FR",
                role="hosting",
                address="4 rue du Lac, 69003 Lyon",
                contact="Yasmine Corbadieu",
                declared=True,
                listed=True,
            ),
        ),
        "evidence": (
            document("evd_aaaaaaaaaaaaaaaaaaaaaaaaaa", "pentest"),
            document(
                "evd_bbbbbbbbbbbbbbbbbbbbbbbbba",
                "questionnaire",
                title="Questionnaire 2026",
                counts=False,
                good_through=None,
                reviewed_on=date(2025, 7, 1),
            ),
            document(
                "evd_ccccccccccccccccccccccccca",
                "signed-contract",
                title="Acte signé",
                reviewed_on=date(2026, 1, 5),
                required=False,
                good_through=None,
            ),
        ),
        "findings": (
            FindingFacts(
                id="fnd_aaaaaaaaaaaaaaaaaaaaaaaaaa",
                source="pentest",
                severity="critical",
                title="Compte d'administration partagé",
                due_on=date(2026, 8, 1),
                opened_at=datetime(2026, 7, 2, 9, tzinfo=UTC),
                closed_at=None,
                closing=None,
                overdue=True,
            ),
            FindingFacts(
                id="fnd_bbbbbbbbbbbbbbbbbbbbbbbbba",
                source="audit",
                severity="low",
                title="Affichage des consignes",
                due_on=date(2026, 6, 1),
                opened_at=datetime(2026, 4, 2, 9, tzinfo=UTC),
                closed_at=datetime(2026, 5, 2, 9, tzinfo=UTC),
                closing="consignes affichées",
                overdue=False,
            ),
        ),
        "overrides": (
            OverrideFacts(
                id="ovr_aaaaaaaaaaaaaaaaaaaaaaaaaa",
                reasons=("evidence:lapsed:questionnaire",),
                why="Réponse attendue lundi",
                hours=48,
                asked_by="cli:dpo",
                approved_by="cli:rssi",
                approved_at=datetime(2026, 7, 3, 16, tzinfo=UTC),
                revoked_at=None,
            ),
        ),
        "holds": (
            Hold(
                id="hld_aaaaaaaaaaaaaaaaaaaaaaaaaa",
                scope="processor",
                effect="suspend",
                reason="vol d'un poste",
                placed_by="cli:rssi",
                from_at=datetime(2026, 2, 3, 10, tzinfo=UTC),
                until_at=None,
                released_at=datetime(2026, 2, 4, 10, tzinfo=UTC),
            ),
        ),
        "gate": GateChange(at=AT, state=gate.state, reasons=gate.reasons),
        "gate_history": (
            *(
                GateChange(at=at, state=state, reasons=reasons)
                for at, state, reasons in keeper.changes(datetime(2026, 1, 5, 9, tzinfo=UTC), AT)
            ),
            GateChange(
                at=datetime(2026, 8, 1, 22, tzinfo=UTC),
                state=gate.state,
                reasons=("finding:overdue:fnd_aaaaaaaaaaaaaaaaaaaaaaaaaa", "evidence:lapsed:questionnaire"),
            ),
        ),
        "gate_ahead": (
            GateChange(at=datetime(2027, 1, 1, 23, tzinfo=UTC), state=gate.state, reasons=("evidence:lapses-soon:pentest",)),
        ),
        "signature": Signature(
            evidence="evd_ccccccccccccccccccccccccca",
            signed_on=date(2026, 1, 5),
            version=1,
            readable=True,
            changes=diff_contracts(before, now),
        ),
        "categories": tuple(
            dict.fromkeys(REGISTER.attributes[name].category for each in now.purposes.values() for name in each.attributes)
        ),
        "special": (),
        "third_countries": (),
        "measures": tuple(measures_of(now, HOUSE)),
        "observed": observed(),
        "proof": Proof(
            origin=HOUSE.origin,
            index=8120,
            size=20419,
            root="3c" * 32,
            leaf='{"c":"' + "9e" * 32 + '","h":"2026-06-05T09Z","k":"control","v":1}',
            leaf_hash="ab" * 32,
            path=tuple(f"{level:02x}" * 32 for level in range(15)),
            opening=msgspec.json.encode(
                {
                    "fields": [
                        ["at", "1f" * 32, "2026-06-05T09:00:00.000000Z"],
                        ["event", "2e" * 32, "control:contract:applied"],
                        ["processor", "4d" * 32, "lyon-formation"],
                        ["detail", "5c" * 32, {"hash": "2a" * 32, "reference": "2026-CIR-017", "version": 2}],
                    ],
                    "h": "2026-06-05T09Z",
                    "k": "control",
                    "v": 1,
                }
            ).decode(),
        ),
    }
    return ProcessorFacts(**(said | changes))


def facts(*processors: ProcessorFacts, **changes: Any) -> Facts:
    """Return the facts of an installation in which nothing is missing."""
    said: dict[str, Any] = {
        "at": AT,
        "timezone": "Europe/Paris",
        "register_id": "ofii",
        "register_name": REGISTER.name,
        "openings_months": 12,
        "controller": Body(
            name="Office de l'intégration (démonstration)",
            country="FR",
            address="1 place de l'Écluse, 75000 Paris",
            registration="180000000",
            contact="Aurore Bellechassy, cheffe du service des parcours",
            reach="parcours@agency.example, 01 99 00 00 00",
            dpo="Karim Valbrissac, dpo@agency.example",
        ),
        "joint": (),
        "activity": Activity(
            reference="T-017",
            service="Service des parcours",
            created_on=date(2026, 1, 5),
            updated_on=date(2026, 9, 1),
            persons=("signataires du contrat d'intégration républicaine",),
            source="dossier de séjour, remis par la préfecture",
            erasure=tuple(
                Erasure(category=each, limit="2 ans après la fin du parcours")
                for each in ("identity", "civil_status", "programme", "contact")
            ),
            rights="par courrier ou à dpo@agency.example",
            impact_assessment="analyse d'impact n° 12, révisée en 2026",
            automated_decisions="aucune",
            internal_recipients=("service des parcours", "directions territoriales"),
            safeguards="",
        ),
        "data": tuple(
            Datum(name=each.name, type=each.type, category=each.category, sensitivity=each.sensitivity)
            for each in REGISTER.attributes.values()
        ),
        "processors": processors or (processor(),),
        "ledger": LedgerFacts(
            origin=HOUSE.origin,
            vkeys=("agency.example/ecluse/main+1a2b3c4d+AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGh",),
            size=20419,
            root="3c" * 32,
            signed_at=AT,
            note="agency.example/ecluse/main\n20419\nPDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw=\n\n— agency.example/ecluse/main GiI…\n",
        ),
        "counted": (Counted(log_id=1, upto=20419, size=20419, lost=0),),
    }
    return Facts(**(said | changes))
