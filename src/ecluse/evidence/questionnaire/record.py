"""A response as plain text: the document that is accepted as evidence. Every question that was asked, its answer, what it counts for, and what it proposes."""

from __future__ import annotations

from typing import Final

from ecluse.clock import wire_text
from ecluse.evidence.questionnaire.model import Answer, Kind, Node, Question, Questionnaire, Response, say
from ecluse.evidence.questionnaire.score import Line, Score, Standing

_WORDS: Final = {
    "en": {
        "by": "Answered by", "of": "Questionnaire", "in": "Handed in", "for": "Processor", "score": "Weighed", "none": "(no answer)", "note": "Comment",
        "evidence": "Evidence for", "counts": "Counts", "proposes": "Proposes a finding", "yes": "Yes", "no": "No",
        "foot": "Answers are the processor's own statements. The weighing supports a person's judgement and is not one.",
    },
    "fr": {
        "by": "Répondu par", "of": "Questionnaire", "in": "Remis le", "for": "Sous-traitant", "score": "Pesé", "none": "(sans réponse)", "note": "Commentaire",
        "evidence": "Élément de preuve pour", "counts": "Compte", "proposes": "Propose un constat", "yes": "Oui", "no": "Non",
        "foot": "Les réponses sont les déclarations du sous-traitant. La pesée aide le jugement d'une personne et n'en est pas un.",
    },
}  # fmt: skip


def write_record(response: Response, questionnaire: Questionnaire, scored: Score) -> str:
    """Write a response that was handed in, in its own language (English where it is neither English nor French)."""
    language = response.language
    words = _WORDS.get(language, _WORDS["en"])
    contact, at = response.contact, response.handed_in_at
    head = [
        say(questionnaire.name, language),
        "",
        f"{words['of']}: {questionnaire.ref_id} v{questionnaire.version} (SHA-256 {response.questionnaire})",
        f"{words['for']}: {response.processor} ({response.id}, {response.way})",
        f"{words['in']}: {wire_text(at) if at is not None else '-'}",
        f"{words['by']}: {one_line(contact.name)}, {one_line(contact.function)}, {one_line(contact.email)}",
        f"{words['score']}: {'-' if scored.percent is None else f'{scored.percent} %'} ({float(scored.earned):g} / {scored.of})",
        words["foot"],
    ]
    body: list[str] = []
    for line in scored.lines:
        body += ["", *_lines(line, language, words)]
    return "\n".join([*head, *body, ""])


def _lines(line: Line, language: str, words: dict[str, str]) -> list[str]:
    """Write one question and its answer."""
    node, answer = line.node, line.answer
    written = [
        f"{ref_of(node)}  {one_line(say(line.question.words, language))}",
        f"    > {answer_text(line.question, answer, language) or words['none']}",
    ]
    if answer.note:
        written.append(f"    {words['note']}: {one_line(answer.note)}")
    if line.standing not in {Standing.TOLD, Standing.APART}:
        written.append(f"    {words['counts']}: {float(line.earned):g} / {line.of}")
    if node.evidence_for:
        written.append(f"    {words['evidence']}: {one_line(say(node.evidence_for, language))}")
    grave = [
        choice.severity.value for choice in line.question.choices if choice.urn in answer.picked and choice.severity is not None
    ]
    return written + [
        f"    {words['proposes']}: {severity}, {one_line(say(node.finding or node.name, language))}" for severity in grave
    ]


def answer_text(question: Question, answer: Answer, language: str) -> str:
    """Write an answer in words, on one line."""
    if question.kind is Kind.BOOLEAN and answer.text:
        return _WORDS.get(language, _WORDS["en"]).get(answer.text, answer.text)
    picked = [say(choice.words, language) for choice in question.choices if choice.urn in answer.picked]
    return one_line("; ".join(picked) if picked else answer.text)


def ref_of(node: Node) -> str:
    """Return how a person names a requirement."""
    return node.ref_id or node.urn.rpartition(":")[2]


def one_line(text: str) -> str:
    """Write a text on one line."""
    return " ".join(text.split())
