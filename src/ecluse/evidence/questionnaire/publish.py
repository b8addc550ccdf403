"""A questionnaire written in CISO Assistant's library format, version 2: what `library` reads of it is equal to it. Pure."""

from __future__ import annotations

from typing import Any

import yaml

from ecluse.evidence.questionnaire.model import Choice, Node, Question, Questionnaire, Words


def write_library(questionnaire: Questionnaire) -> str:
    """Write a questionnaire as a library file; what it reads back to is equal to ``questionnaire``."""
    locale, urn = questionnaire.locale, questionnaire.urn
    library = {
        "urn": urn.replace(":framework:", ":library:", 1),
        "locale": locale,
        "ref_id": questionnaire.ref_id,
        **_said(locale, name=questionnaire.name, description=questionnaire.description),
        "copyright": questionnaire.copyright,
        "version": int(questionnaire.version) if questionnaire.version.isdecimal() else questionnaire.version,
        "publication_date": questionnaire.published_on,
        "provider": questionnaire.provider,
        "packager": questionnaire.provider,
        "objects": {
            "framework": {
                "urn": urn,
                "ref_id": questionnaire.ref_id,
                **_said(locale, name=questionnaire.name, description=questionnaire.description),
                "requirement_nodes": [_node(node, locale) for node in questionnaire.nodes],
            }
        },
    }
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    written: str = yaml.dump(library, Dumper=dumper, allow_unicode=True, sort_keys=False, width=150)
    return written


def _said(locale: str, **texts: Words) -> dict[str, Any]:
    """Write texts: the own language under their keys, the others under ``translations``."""
    own = {key: words[locale] for key, words in texts.items() if locale in words}
    others = sorted({language for words in texts.values() for language in words} - {locale})
    translations = {language: {key: words[language] for key, words in texts.items() if language in words} for language in others}
    return own | ({"translations": translations} if translations else {})


def _node(node: Node, locale: str) -> dict[str, Any]:
    written: dict[str, Any] = {"urn": node.urn, "assessable": node.assessable, "depth": node.depth}
    if node.parent is not None:
        written["parent_urn"] = node.parent
    if node.ref_id:
        written["ref_id"] = node.ref_id
    written |= _said(
        locale, name=node.name, description=node.description, annotation=node.annotation, typical_evidence=node.typical_evidence,
        ecluse_evidence_for=node.evidence_for, ecluse_finding=node.finding,
    )  # fmt: skip
    if node.questions:
        written["questions"] = {question.urn: _question(question, locale) for question in node.questions}
    return written


def _question(question: Question, locale: str) -> dict[str, Any]:
    written: dict[str, Any] = {"type": question.kind.value, **_said(locale, text=question.words)}
    if question.weight != 1:
        written["weight"] = question.weight
    if (on := question.condition) is not None:
        written["depends_on"] = {"question": on.question, "answers": list(on.choices), "condition": "all" if on.every else "any"}
    if question.choices:
        written["choices"] = [_choice(choice, locale) for choice in question.choices]
    return written


def _choice(choice: Choice, locale: str) -> dict[str, Any]:
    written: dict[str, Any] = {"urn": choice.urn, **_said(locale, value=choice.words)}
    if choice.points is not None:
        written["add_score"] = choice.points
    if choice.result is not None:
        written["compute_result"] = choice.result.value
    if choice.severity is not None:
        written["ecluse_severity"] = choice.severity.value
    return written
