"""The record as linked data: expands without a network, speaks no word that the table lacks, says what the facts say and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from pyld import jsonld

from ecluse.contracts.model import LEGAL_BASES
from ecluse.papers.jsonld import OURS, linked_processor_record, linked_record, vocabulary
from ecluse.papers.missing import Asked, obligations
from ecluse.papers.model import Control, Facts, Language, PaperKind
from ecluse.register import AttributeType, Category, Sensitivity
from tests.papers.ours import abroad, two
from tests.papers.samples import facts, processor

pytestmark = pytest.mark.unit

DPV = "https://w3id.org/dpv#"


def refuse(url: str, _: object) -> Any:
    """Refuse to load anything: all that is needed stands in the document."""
    raise AssertionError(f"asked for {url}")


def expanded(content: bytes) -> dict[str, Any]:
    """Expand a document without a network."""
    found = jsonld.expand(json.loads(content), {"documentLoader": refuse})
    assert len(found) == 1
    return dict(found[0])


def names(node: object) -> Iterator[str]:
    """Yield every name in an expanded document: of properties, types, nodes."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "@type":
                yield from [value] if isinstance(value, str) else value
            elif key == "@id":
                yield value
            elif not key.startswith("@"):
                yield key
            yield from names(value)
    elif isinstance(node, list):
        for each in node:
            yield from names(each)


def documents(made: Facts) -> list[bytes]:
    """Write every kind of record."""
    return [
        linked_record(made, Language.FR),
        linked_record(made, Language.EN),
        linked_processor_record(made, abroad(), Language.EN),
    ]


def test_names_when_expanded_then_all_of_the_table_or_ours() -> None:
    """Every property, type and node is a term of the pinned table, a country, or a name of our own."""
    table = vocabulary()
    known = {table.iri(term) for term in table.terms} | {table.iri(f"loc:{code}") for code in table.countries}
    for content in documents(two()):
        used = {name for name in names(expanded(content)) if not name.startswith(OURS)}
        assert used - known == set()


def test_terms_when_not_of_the_table_then_refused() -> None:
    """A term that the table lacks can't be written out."""
    with pytest.raises(AssertionError, match="not of the table"):
        vocabulary().iri("dpv:Invented")
    with pytest.raises(AssertionError, match="not of the table"):
        vocabulary().iri("loc:XX")


def test_vocabulary_when_compared_then_each_word_of_ours_has_a_term() -> None:
    """Every legal basis, category and measure has its term, and every term that we map to is in the table."""
    table = vocabulary()
    assert table.version == "2.3"
    words = {"legal_basis": LEGAL_BASES, "category": tuple(Category), "measure": tuple(Control)}
    for part, ours in words.items():
        assert set(table._by[part]) == {str(each) for each in ours}
    assert set(table._by["type"]) <= {str(each) for each in AttributeType}
    for part in table._by.values():
        for term in part.values():
            assert str(term) in table.terms
    assert len(table.countries) == 249


@pytest.mark.parametrize(
    "hostile", ['"}, "@id": "http://evil.example"', "@id", "\u202e\x00", "=1+1", "http://evil.example/x", ""]
)
def test_record_when_a_text_is_hostile_then_a_literal_it_stays(hostile: str) -> None:
    """A text of somebody's stands as a value, and names nothing."""
    made = two()
    hostile_facts = msgspec.structs.replace(
        made, activity=msgspec.structs.replace(made.activity, service=hostile, source=hostile)
    )
    found = expanded(linked_record(hostile_facts, Language.EN))
    assert not [name for name in names(found) if "evil" in name]
    node = found[f"{DPV}hasProcess"][0]
    assert (f"{DPV}hasDataSource" in node) is bool(hostile)


def test_record_when_written_then_says_what_the_facts_say() -> None:
    """Controller, processes by processor and purpose, legal basis, data with their forms, measures, countries, what was seen."""
    found = expanded(linked_record(two(), Language.EN))
    assert found["@type"] == [f"{DPV}ROPA"]
    assert found[f"{DPV}hasDataController"][0][f"{DPV}hasName"] == [{"@value": "Office de l'intégration (démonstration)"}]
    processes = {node["@id"]: node for node in found[f"{DPV}hasProcess"]}
    assert sorted(processes) == [
        f"{OURS}process:{name}:{purpose}"
        for name in ("lyon-formation", "tunis-langues")
        for purpose in ("civic-training", "language-course")
    ]
    node = processes[f"{OURS}process:tunis-langues:civic-training"]
    assert node[f"{DPV}hasLegalBasis"] == [{"@id": "https://w3id.org/dpv/legal/eu/gdpr#A6-1-e"}]
    assert node[f"{DPV}hasThirdCountry"] == [{"@id": "https://w3id.org/dpv/loc#TN"}]
    assert {each["@id"]: each["@type"] for each in node[f"{DPV}hasPersonalData"]}[f"{OURS}attribute:birth_date:age_band"] == [
        "https://w3id.org/dpv/pd#BirthDate"
    ]
    seen = next(
        each
        for each in node[f"{DPV}hasProcessing"]
        if each[f"{DPV}hasPersonalData"] == [{"@id": f"{OURS}attribute:family_name:full"}]
    )
    assert seen[f"{DPV}hasDataSubjectScale"][0]["http://www.w3.org/1999/02/22-rdf-syntax-ns#value"] == [
        {"@type": "http://www.w3.org/2001/XMLSchema#integer", "@value": 4112}
    ]


def test_record_when_data_are_special_then_the_law_s_class_is_said() -> None:
    """An attribute of Art. 9 or 10 is also of the special categories."""
    made = facts(processor())
    data = tuple(
        msgspec.structs.replace(each, sensitivity=Sensitivity.SPECIAL) if each.name == "birth_date" else each
        for each in made.data
    )
    found = expanded(linked_record(msgspec.structs.replace(made, data=data), Language.EN))
    kinds = [each["@type"] for each in found[f"{DPV}hasProcess"][0][f"{DPV}hasPersonalData"]]
    assert ["https://w3id.org/dpv/pd#BirthDate", f"{DPV}SpecialCategoryPersonalData"] in kinds


@pytest.mark.parametrize("language", list(Language))
def test_record_when_written_twice_then_the_same_bytes(language: Language) -> None:
    """The same facts give the same document."""
    assert linked_record(two(), language) == linked_record(two(), language)


WHERE = {
    "record.controller.name": ("hasDataController", "hasName"), "record.controller.address": ("hasDataController", "hasAddress"),
    "record.controller.reach": ("hasDataController", "hasContact"), "record.dpo": ("hasDataController", "hasDataProtectionOfficer"),
    "record.purposes": ("hasProcess", "hasPurpose"), "record.persons": ("hasProcess", "hasDataSubject"), "record.data": ("hasProcess", "hasPersonalData"),
    "record.recipients": ("hasProcess", "hasDataProcessor"), "record.erasure": ("hasProcess", "hasStorageCondition"),
    "record.measures": ("hasProcess", "hasTechnicalOrganisationalMeasure"),
}  # fmt: skip
"""Where each field that Art. 30(1) asks for stands in the document."""


@pytest.mark.parametrize(
    "field", [each.id for each in obligations() if each.paper is PaperKind.RECORD and each.asked is Asked.ALWAYS]
)
def test_record_when_the_law_asks_for_a_field_then_the_document_has_it(field: str) -> None:
    """Each field of the one list of obligations is in the document, with something in it, for every process."""
    first, second = WHERE[field]
    nodes = expanded(linked_record(two(), Language.FR))[DPV + first]
    assert nodes
    assert all(node.get(DPV + second) for node in nodes)
