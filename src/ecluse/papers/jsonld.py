"""Records of processing as JSON-LD, in the words of the Data Privacy Vocabulary 2.3 (``dpv.toml``): Art. 30(1) of the controller, Art. 30(2) of a processor.

The context stands in the document, so it expands without a network. Names that are ours begin with ``urn:ecluse:``; every other name is a term of the table.
What nobody has said is absent: a machine is told nothing rather than an empty text.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, TypeAlias

from ecluse.clock import wire_text
from ecluse.contracts import Form
from ecluse.papers.model import Body, Datum, Facts, Language, Measure, ProcessorFacts, Use, facts_hash
from ecluse.register import Sensitivity

Node: TypeAlias = dict[str, object]

OURS: Final = "urn:ecluse:"
"""Before every name that is made here."""


class Vocabulary:
    """The table ``dpv.toml``, read once."""

    def __init__(self, tree: Mapping[str, Mapping[str, object]]) -> None:
        """Take the parsed file."""
        self.version = str(tree["vocabulary"]["version"])
        self.prefixes = {name: str(iri) for name, iri in tree["prefix"].items()}
        self.terms = {name: str(label) for part in ("term", "beside") for name, label in tree[part].items()}
        self.countries = frozenset(str(tree["country"]["codes"]).split())
        self._by = {part: tree[part] for part in ("legal_basis", "type", "attribute", "category", "measure")}

    def term(self, part: str, word: str) -> str | None:
        """Return the term that says one of our words, None where the table has none."""
        found = self._by[part].get(word)
        return None if found is None else str(found)

    def datum(self, datum: Datum) -> str:
        """Return the term for an attribute: by its type, else by its name, else by its category."""
        found = self.term("type", datum.type) or self.term("attribute", datum.name) or self.term("category", datum.category)
        if found is None:
            raise AssertionError(f"impossible: a category without a term: {datum.category}")
        return found

    def iri(self, term: str) -> str:
        """Write a term of the table, or a country, out in full."""
        prefix, _, name = term.partition(":")
        if term not in self.terms and not (prefix == "loc" and name in self.countries):
            raise AssertionError(f"impossible: not of the table: {term}")
        return self.prefixes[prefix] + name


@cache
def vocabulary() -> Vocabulary:
    """Read the table of terms."""
    return Vocabulary(tomllib.loads(files("ecluse.papers").joinpath("dpv.toml").read_text(encoding="utf-8")))


def linked_record(facts: Facts, language: Language) -> bytes:
    """Write the controller's record (Art. 30(1))."""
    title = {Language.FR: "Registre des activités de traitement", Language.EN: "Record of processing activities"}[language]
    activity = facts.activity
    body = {
        **_head(facts, f"record:{facts_hash(facts)}", title, language),
        "dct:identifier": activity.reference,
        "dct:created": _typed(activity.created_on, "date"),
        "dct:modified": _typed(activity.updated_on, "date"),
        "dpv:hasDataController": _party(facts.controller, "controller", "dpv:DataController"),
        "dpv:hasJointDataControllers": [
            _party(each, f"joint:{n}", "dpv:DataController") for n, each in enumerate(facts.joint, 1)
        ],
        "dpv:hasProcess": [node for each in facts.processors for node in _processes(facts, each)],
    }
    return _written(body)


def linked_processor_record(facts: Facts, processor: ProcessorFacts, language: Language) -> bytes:
    """Write the record of one processor (Art. 30(2))."""
    title = {Language.FR: "Registre du sous-traitant", Language.EN: "Record of the processor"}[language]
    body = {
        **_head(facts, f"processor-record:{processor.id}:{facts_hash(facts)}", title, language),
        "dpv:hasDataProcessor": _party(processor.body, f"processor:{processor.id}", "dpv:DataProcessor"),
        "dpv:hasDataController": _party(facts.controller, "controller", "dpv:DataController"),
        "dpv:hasProcess": list(_processes(facts, processor)),
    }
    return _written(body)


def _head(facts: Facts, name: str, title: str, language: Language) -> Node:
    """Begin a record: its name, its kind, when it was true."""
    return {
        "@context": vocabulary().prefixes,
        "@id": OURS + name,
        "@type": "dpv:ROPA",
        "dct:title": {"@value": title, "@language": str(language)},
        "dct:issued": _typed(wire_text(facts.at), "dateTime"),
    }


def _processes(facts: Facts, processor: ProcessorFacts) -> Iterable[Node]:
    """Yield what is done for one processor, purpose by purpose."""
    table = vocabulary()
    contract, activity = processor.contract, facts.activity
    for purpose in contract.purposes.values():
        given = [datum for datum in facts.data if purpose.attributes.get(datum.name, Form.WITHHELD) is not Form.WITHHELD]
        kept = {each.category: each.limit for each in activity.erasure if each.limit}
        outside = [_named(f"loc:{code}") for code in processor.third_countries if code in table.countries]
        yield {
            "@id": f"{OURS}process:{processor.id}:{purpose.id}",
            "@type": "dpv:PersonalDataProcess",
            "dpv:hasPurpose": {
                "@id": f"{OURS}purpose:{purpose.id}", "@type": "dpv:Purpose", "skos:prefLabel": purpose.label, "dct:description": processor.nature,
            },
            "dpv:hasLegalBasis": _named(table.term("legal_basis", purpose.legal_basis)),
            "dpv:hasDataSubject": [{"@type": "dpv:DataSubject", "skos:prefLabel": each} for each in activity.persons],
            "dpv:hasPersonalData": [_datum(datum, purpose.attributes[datum.name]) for datum in given],
            "dpv:hasDataSource": _said("dpv:DataSource", activity.source),
            "dpv:hasResponsibleEntity": _said("dpv:LegalEntity", activity.service),
            "dpv:hasDataProcessor": _party(processor.body, f"processor:{processor.id}", "dpv:DataProcessor"),
            "dpv:hasRecipient": [
                *(_said("dpv:LegalEntity", each) for each in activity.internal_recipients),
                *(_sub_processor(processor.id, sub.name, sub.country, sub.role) for sub in processor.sub_processors),
            ],
            "dpv:hasThirdCountry": outside,
            "dpv:hasStorageCondition": [
                {"@type": "dpv:StorageDuration", "skos:notation": str(category), "dct:description": limit}
                for category, limit in sorted(kept.items()) if category in {datum.category for datum in given}
            ],
            "dpv:hasTechnicalOrganisationalMeasure": [
                *map(_measure, processor.measures), *([_said("dpv:SafeguardForDataTransfer", activity.safeguards)] if outside else []),
            ],
            "dpv:hasNotice": _said("dpv:RightExerciseNotice", activity.rights),
            "dpv:hasImpactAssessment": _said("dpv:DPIA", activity.impact_assessment),
            "dct:identifier": f"{contract.reference} / {processor.version.version}",
            "dct:temporal": f"{contract.starts_on}/{contract.ends_on}",
            "dpv:hasProcessing": [_seen(processor, each) for each in processor.observed.uses if each.purpose == purpose.id],
        }  # fmt: skip


def _datum(datum: Datum, form: str) -> Node:
    """Say an attribute, and in which form it is given."""
    term = vocabulary().datum(datum)
    kinds = [term, "dpv:SpecialCategoryPersonalData"] if datum.sensitivity is Sensitivity.SPECIAL else term
    return {
        "@id": f"{OURS}attribute:{datum.name}:{form}",
        "@type": kinds,
        "skos:prefLabel": datum.name,
        "skos:notation": str(form),
    }


def _seen(processor: ProcessorFacts, use: Use) -> Node:
    """Say what the ledger saw given: how often, to how many persons in which form, from when to when."""
    return {
        "@type": "dpv:Disclose",
        "dpv:hasPersonalData": [{"@id": f"{OURS}attribute:{use.attribute}:{form}"} for form in sorted(use.forms)],
        "dpv:hasRecipient": {"@id": f"{OURS}processor:{processor.id}"},
        "dpv:hasDataVolume": {"@type": "dpv:DataVolume", "rdf:value": _typed(use.disclosures, "integer")},
        "dpv:hasDataSubjectScale": {"@type": "dpv:DataSubjectScale", "rdf:value": _typed(use.persons, "integer")},
        "dct:temporal": f"{wire_text(use.first_at)}/{wire_text(use.last_at)}",
    }


def _party(body: Body, name: str, kind: str) -> Node:
    """Say a party with its representative and officer."""
    table = vocabulary()
    return {
        "@id": OURS + name,
        "@type": kind,
        "dpv:hasName": body.name,
        "dpv:hasAddress": body.address,
        "dpv:hasContact": [each for each in (body.contact, body.reach) if each],
        "dpv:hasCountry": _named(f"loc:{body.country}" if body.country in table.countries else None),
        "dct:identifier": body.registration,
        "dpv:hasRepresentative": _said("dpv:Representative", body.representative),
        "dpv:hasDataProtectionOfficer": _said("dpv:DataProtectionOfficer", body.dpo),
    }


def _sub_processor(processor: str, name: str, country: str, role: str) -> Node:
    """Say a sub-processor: who it is, where, what for."""
    where = _named(f"loc:{country}" if country in vocabulary().countries else None)
    named = {"dpv:hasName": name, "dct:description": role, "dpv:hasCountry": where}
    return {"@type": "dpv:DataSubProcessor", **named, "dpv:hasDataProcessor": {"@id": f"{OURS}processor:{processor}"}}


def _measure(measure: Measure) -> Node:
    """Say a measure with its figures."""
    term = vocabulary().term("measure", measure.control)
    if term is None:
        raise AssertionError(f"impossible: a measure without a term: {measure.control}")
    figures = [f"{name}: {value}" for name, value in sorted(measure.figures.items())]
    return {"@type": term, "skos:notation": str(measure.control), "dct:description": figures}


def _said(kind: str, text: str) -> Node:
    """Say something by a text; nothing where nobody said it."""
    return {"@type": kind, "dct:description": text} if text else {}


def _named(term: str | None) -> Node:
    """Point at a term."""
    return {"@id": term} if term is not None else {}


def _typed(value: object, kind: str) -> Node:
    """Write a literal with its type; nothing for None."""
    return {} if value is None else {"@value": value if kind == "integer" else str(value), "@type": f"xsd:{kind}"}


def _written(body: Node) -> bytes:
    """Write a document, what is empty left out."""
    return (json.dumps(_kept(body), ensure_ascii=False, indent=2) + "\n").encode()


def _kept(value: object) -> object:
    """Leave out what is empty, at every depth."""
    if isinstance(value, dict):
        inner = {name: _kept(each) for name, each in value.items()}
        return {name: each for name, each in inner.items() if each not in ("", None, [], {})}
    if isinstance(value, list):
        return [each for each in map(_kept, value) if each not in ("", None, [], {})]
    return value
