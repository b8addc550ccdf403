"""Workbooks that CISO Assistant's data wizard imports: third parties, evidence, one processing; and what its own export says of them, read back. Pure.

Sheets and columns are those of its public source (github.com/intuitem/ciso-assistant-community, commit f990d7b1 of August 2026,
``backend/data_wizard/views.py`` and ``backend/tprm/views.py``): *Entities*, *Solutions*, *Contracts* in one file; evidence in one sheet; a processing with
its child sheets. Judgements that are a person's there (dependency, maturity, trust …) stay empty. Contacts stay here: *Representatives* is not written.

A processor and each sub-processor is an entity; a purpose is a solution of its processor, a sub-processor's role one of the sub-processor; the contract names
all of them, so that the chain is seen. ``ref_id`` is made of our ids and of hashes of names: no separator of that importer (``,`` ``|`` line end) is in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from hashlib import sha256
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from ecluse.contracts import Form
from ecluse.papers.model import Datum, Facts, ProcessorFacts, SubProcessorFacts
from ecluse.papers.workbook import Row, Table, read_workbook
from ecluse.register import AttributeType, Category, Sensitivity

ENTITY: Final = (
    "ref_id", "name", "description", "mission", "country", "currency", "parent_entity_ref_id", "dependency", "penetration", "maturity", "trust", "domain",
    "lei", "euid", "vat", "duns",
)  # fmt: skip
SOLUTION: Final = ("ref_id", "name", "description", "provider_entity_ref_id", "criticality")
AGREEMENT: Final = (
    "ref_id", "name", "description", "provider_entity_ref_id", "solution_ref_id", "status", "start_date", "end_date", "annual_expense", "currency", "domain",
)  # fmt: skip
EVIDENCE: Final = ("ref_id", "name", "description", "domain", "filtering_labels")
"""The columns of each sheet, in that importer's order."""

_MOST_NAME: Final = 200  # what its models hold; our own names are no longer
_MOST_LINE: Final = 255

S = TypeVar("S", bound=msgspec.Struct)


class Entity(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A third party."""

    ref_id: str
    name: str
    description: str
    country: str


class Solution(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What a third party does."""

    ref_id: str
    name: str
    description: str
    provider_entity_ref_id: str


class Agreement(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A contract, with the solutions that it is about."""

    ref_id: str
    name: str
    description: str
    provider_entity_ref_id: str
    solution_ref_id: tuple[str, ...]
    status: str
    start_date: str
    end_date: str


class Ecosystem(msgspec.Struct, frozen=True, kw_only=True):
    """All third parties with what they do and under which contract, each in the order of its ``ref_id``."""

    entities: tuple[Entity, ...]
    solutions: tuple[Solution, ...]
    agreements: tuple[Agreement, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where another side's workbook departs from ours. ``kind``: ``missing`` (they lack it), ``unknown`` (we do), ``differs``; texts as they stand."""

    kind: str
    sheet: str
    ref_id: str
    column: str
    ours: str
    theirs: str


def ecosystem_of(facts: Facts) -> Ecosystem:
    """Make the ecosystem out of the contracts in force."""
    entities, solutions, agreements = dict[str, Entity](), dict[str, Solution](), list[Agreement]()
    for processor in facts.processors:
        mine = _entity(processor)
        entities[mine.ref_id] = mine
        offered = [*_services(processor, mine)]
        for sub in processor.sub_processors:
            below = _below(sub)
            entities.setdefault(below.ref_id, below)
            offered.append(_role(processor, sub, below))
        solutions |= {each.ref_id: each for each in offered}
        agreements.append(_agreement(processor, mine, offered, facts.at.astimezone(ZoneInfo(facts.timezone)).date()))
    return Ecosystem(
        entities=tuple(sorted(entities.values())), solutions=tuple(sorted(solutions.values())), agreements=tuple(sorted(agreements)),
    )  # fmt: skip


def _digest(*parts: str) -> str:
    """Return a short name for texts: the same for the same texts."""
    return sha256("\x00".join(parts).encode()).hexdigest()[:12]


def _entity(processor: ProcessorFacts) -> Entity:
    body = processor.body
    said = "; ".join(filter(None, (body.registration, body.address)))
    return Entity(ref_id=f"ecluse.p.{processor.id}", name=body.name, description=said, country=body.country)


def _below(sub: SubProcessorFacts) -> Entity:
    return Entity(
        ref_id=f"ecluse.s.{_digest(sub.name, sub.country)}", name=sub.name, description=sub.address, country=sub.country
    )


def _services(processor: ProcessorFacts, entity: Entity) -> Iterator[Solution]:
    for purpose in processor.contract.purposes.values():
        yield Solution(
            ref_id=f"{entity.ref_id}.{purpose.id}", name=f"{purpose.label} · {processor.id}"[:_MOST_NAME], description=", ".join(
                f"{name}: {form}" for name, form in purpose.attributes.items()
            ), provider_entity_ref_id=entity.ref_id,
        )  # fmt: skip


def _role(processor: ProcessorFacts, sub: SubProcessorFacts, entity: Entity) -> Solution:
    mark = _digest(processor.id, sub.name, sub.country)
    return Solution(
        ref_id=f"ecluse.r.{mark}",
        name=f"{sub.role[: _MOST_NAME - 30]} · {mark}",
        description=f"→ {processor.body.name}",
        provider_entity_ref_id=entity.ref_id,
    )


def _agreement(processor: ProcessorFacts, entity: Entity, offered: Iterable[Solution], on: date) -> Agreement:
    contract = processor.contract
    status = "draft" if on < contract.starts_on else "expired" if on > contract.ends_on else "active"
    return Agreement(
        ref_id=f"ecluse.c.{processor.id}", name=contract.reference, description=f"version {processor.version.version}, SHA-256 {processor.version.hash}",
        provider_entity_ref_id=entity.ref_id, solution_ref_id=tuple(each.ref_id for each in offered), status=status,
        start_date=str(contract.starts_on), end_date=str(contract.ends_on),
    )  # fmt: skip


def ecosystem_tables(ecosystem: Ecosystem) -> tuple[Table, ...]:
    """Lay an ecosystem out as the three sheets."""
    return (
        Table("Entities", ENTITY, map(_row, ecosystem.entities)),
        Table("Solutions", SOLUTION, map(_row, ecosystem.solutions)),
        Table("Contracts", AGREEMENT, map(_row, ecosystem.agreements)),
    )


def _row(value: msgspec.Struct) -> Row:
    """Write a struct as a row; a list of ids one a line."""
    return {
        name: "\n".join(said) if isinstance(said := getattr(value, name), tuple) else str(said)
        for name in value.__struct_fields__
    }


def read_ecosystem(content: bytes) -> Ecosystem:
    """Read a workbook of this kind, ours or that tool's export; rows without a ``ref_id`` are passed over. Raises `WorkbookInvalid`."""
    bound = ("ref_id", "name", "provider_entity_ref_id")
    needed = {"Entities": ("ref_id", "name"), "Solutions": bound, "Contracts": bound}
    sheets = read_workbook(content, needed)
    return Ecosystem(
        entities=_read(Entity, sheets["Entities"]),
        solutions=_read(Solution, sheets["Solutions"]),
        agreements=_read(Agreement, sheets["Contracts"]),
    )


def _read(kind: type[S], rows: Iterable[Row]) -> tuple[S, ...]:
    """Make the objects of one sheet."""
    found = []
    for row in rows:
        if row.get("ref_id", ""):
            said: dict[str, object] = {name: row.get(name, "") for name in kind.__struct_fields__}
            if "solution_ref_id" in said:
                said["solution_ref_id"] = tuple(each for each in str(said["solution_ref_id"]).split("\n") if each)
            found.append(kind(**said))
    return tuple(sorted(found, key=lambda each: str(getattr(each, "ref_id", ""))))


def compare(ours: Ecosystem, theirs: Ecosystem) -> tuple[Difference, ...]:
    """Say where a workbook departs from ours, sheet by sheet. Only what begins with ``ecluse.`` can be unknown: other third parties are theirs alone."""
    pairs: tuple[tuple[str, Mapping[str, Row], Mapping[str, Row]], ...] = (
        ("Entities", _by_ref(ours.entities), _by_ref(theirs.entities)),
        ("Solutions", _by_ref(ours.solutions), _by_ref(theirs.solutions)),
        ("Contracts", _by_ref(ours.agreements), _by_ref(theirs.agreements)),
    )
    return tuple(each for sheet, mine, found in pairs for each in _differences(sheet, mine, found))


def _by_ref(values: Iterable[msgspec.Struct]) -> dict[str, Row]:
    return {row["ref_id"]: row for row in map(_row, values)}


def _differences(sheet: str, mine: Mapping[str, Row], found: Mapping[str, Row]) -> Iterator[Difference]:
    for ref_id in sorted({*mine, *found}):
        if ref_id not in found:
            yield Difference(kind="missing", sheet=sheet, ref_id=ref_id, column="", ours=mine[ref_id]["name"], theirs="")
        elif ref_id not in mine:
            if ref_id.startswith("ecluse."):
                yield Difference(kind="unknown", sheet=sheet, ref_id=ref_id, column="", ours="", theirs=found[ref_id]["name"])
        else:
            for column, ours in mine[ref_id].items():
                theirs = found[ref_id].get(column, "")
                if sorted(ours.split("\n")) != sorted(theirs.split("\n")):
                    yield Difference(kind="differs", sheet=sheet, ref_id=ref_id, column=column, ours=ours, theirs=theirs)


def evidence_tables(facts: Facts) -> tuple[Table, ...]:
    """Lay the documents accepted for each processor out as the sheet of evidence; the document itself stays here, its hash is named."""
    rows = [
        {
            "ref_id": each.id, "name": f"{each.title[:_MOST_NAME - 40]} · {each.id}", "filtering_labels": f"{each.kind}|ecluse.p.{processor.id}",
            "description": "; ".join((
                processor.body.name, each.kind, each.issuer, each.scope, f"reviewed {each.reviewed_on}", f"good through {each.good_through or '-'}"
                if each.counts else "does not count", f"SHA-256 {each.sha256}",
            )),
        }
        for processor in facts.processors for each in processor.evidence
    ]  # fmt: skip
    return (Table("Evidence", EVIDENCE, rows),)


# ── a processing ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
_BASES: Final = {
    "6.1.a": "privacy_consent", "6.1.b": "privacy_contract", "6.1.c": "privacy_legal_obligation", "6.1.d": "privacy_vital_interests",
    "6.1.e": "privacy_public_interest", "6.1.f": "privacy_legitimate_interests",
}  # fmt: skip
_CATEGORIES: Final = {
    Category.IDENTITY: "privacy_basic_identity", Category.CONTACT: "privacy_contact_details", Category.CIVIL_STATUS: "privacy_basic_identity",
    Category.RESIDENCE: "privacy_government_identifiers", Category.PROGRAMME: "privacy_education_history", Category.LANGUAGE: "privacy_preferences",
    Category.EDUCATION: "privacy_education_history", Category.EMPLOYMENT: "privacy_employment_details", Category.HEALTH: "privacy_health_data",
    Category.FINANCE: "privacy_financial_data", Category.OTHER: "privacy_other",
}  # fmt: skip
_TYPES: Final = {
    AttributeType.EMAIL: "privacy_email",
    AttributeType.PHONE: "privacy_phone_number",
    AttributeType.IDENTIFIER: "privacy_identification_numbers",
}
"""That tool's words for ours."""

_CHILDREN: Final[Mapping[str, tuple[str, ...]]] = {
    "Purposes": ("name", "description", "legal_basis", "article_9_condition"),
    "Personal data": ("name", "description", "category", "retention", "deletion_policy", "is_sensitive", "assets"),
    "Data subjects": ("name", "description", "category"),
    "Data recipients": ("name", "description", "category"),
    "Contractors": ("name", "description", "entity", "relationship_type", "country", "documentation_link"),
    "Transfers": ("name", "description", "entity", "country", "transfer_mechanism", "guarantees", "documentation_link"),
}
_PROCESSING: Final = (
    "ref_id", "name", "description", "domain", "status", "processing_nature", "information_channel", "usage_channel", "dpia_required", "dpia_reference",
    "assigned_to", "labels",
)  # fmt: skip


def processing_tables(facts: Facts) -> tuple[Table, ...]:
    """Lay the controller's activity out as one processing with its child sheets, a draft there. Contractors name entities: import those first."""
    rows = {
        "Purposes": _purposes(facts), "Personal data": _personal_data(facts),
        "Data subjects": [{"name": each[:_MOST_NAME], "category": "privacy_other"} for each in facts.activity.persons],
        "Data recipients": [{"name": each[:_MOST_NAME], "category": "privacy_internal_team"} for each in facts.activity.internal_recipients],
        "Contractors": _contractors(facts), "Transfers": _transfers(facts),
    }  # fmt: skip
    activity = facts.activity
    processing = {
        "ref_id": f"ecluse.a.{facts.register_id}", "name": facts.register_name[:_MOST_NAME],
        "description": "; ".join(filter(None, (activity.reference, activity.service))),
        "status": "privacy_draft", "processing_nature": "privacy_consultation,privacy_disclosureByTransmission",
        "dpia_required": "true" if activity.impact_assessment else "", "dpia_reference": activity.impact_assessment[:_MOST_LINE],
        "information_channel": activity.rights[:_MOST_LINE],
    }  # fmt: skip
    return (
        Table("Processing", _PROCESSING, [processing]),
        *(Table(name, columns, rows[name]) for name, columns in _CHILDREN.items()),
    )


def _purposes(facts: Facts) -> list[Row]:
    found = {
        (each.label, each.legal_basis): None for processor in facts.processors for each in processor.contract.purposes.values()
    }
    return [{"name": label, "legal_basis": _BASES[basis]} for label, basis in sorted(found)]


def _personal_data(facts: Facts) -> list[Row]:
    limits = {each.category: each.limit for each in facts.activity.erasure}
    return [
        {
            "name": datum.name, "description": forms, "category": _TYPES.get(datum.type) or _CATEGORIES[datum.category],
            "retention": limits.get(datum.category, "")[:_MOST_LINE], "is_sensitive": "true" if datum.sensitivity is Sensitivity.SPECIAL else "false",
        }
        for datum in facts.data if (forms := _forms(facts, datum))
    ]  # fmt: skip


def _forms(facts: Facts, datum: Datum) -> str:
    """Name the forms in which anybody is given an attribute; empty where nobody is."""
    return ", ".join(
        dict.fromkeys(
            str(purpose.attributes[datum.name])
            for processor in facts.processors
            for purpose in processor.contract.purposes.values()
            if purpose.attributes.get(datum.name, Form.WITHHELD) is not Form.WITHHELD
        )
    )


def _contractors(facts: Facts) -> list[Row]:
    rows: dict[tuple[str, str], Row] = {}
    for processor in facts.processors:
        body = processor.body
        rows[(body.name, body.country)] = {
            "name": body.name,
            "entity": body.name,
            "relationship_type": "privacy_data_processor",
            "country": body.country,
        }
        for sub in processor.sub_processors:
            said = {
                "name": sub.name,
                "entity": sub.name,
                "description": sub.role,
                "relationship_type": "privacy_sub_processor",
                "country": sub.country,
            }
            rows.setdefault((sub.name, sub.country), said)
    return list(rows.values())


def _transfers(facts: Facts) -> list[Row]:
    """Say each body that is outside the EEA; by which mechanism is a lawyer's to say there."""
    return [
        {"name": row["name"], "entity": row["entity"], "country": row["country"], "guarantees": facts.activity.safeguards}
        for row in _contractors(facts)
        if row["country"] in facts.third_countries
    ]
