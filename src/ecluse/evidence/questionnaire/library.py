"""CISO Assistant's library format, version 2 (YAML), read at run time into our model. Pure; `publish` writes it.

``objects.framework.requirement_nodes`` is a flat list; a node may hold ``questions``, by URN. Keys of ours begin with ``ecluse_``: on a node
``ecluse_evidence_for`` (articles, guidance) and ``ecluse_finding`` (what a bad answer is called), on a choice ``ecluse_severity``. Others pass over them.
A framework without any question is asked requirement by requirement, with four standard answers.

A file comes from a stranger: it is read by the safe loader, after one pass over its events that refuses aliases, more than one document, and what is too deep
or too much. Keys that we don't know are tolerated and told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import yaml

from ecluse.contracts.standing import Severity
from ecluse.evidence.model import Fault
from ecluse.evidence.questionnaire.errors import LibraryInvalid
from ecluse.evidence.questionnaire.model import Choice, Condition, Kind, Node, Question, Questionnaire, Result, Words

MOST_BYTES: Final = 8 * 1024 * 1024
MOST_DEPTH: Final = 24
MOST_EVENTS: Final = 1_000_000
MOST_QUESTIONS: Final = 10_000
MOST_CHOICES: Final = 200
MOST_WORD: Final = 200
MOST_TEXT: Final = 40_000
MOST_FAULTS: Final = 50

_KNOWN: Final = {
    "library": {"urn", "locale", "ref_id", "name", "description", "copyright", "version", "publication_date", "provider", "packager", "objects",
                "translations", "annotation", "dependencies", "labels", "convert_library_version"},
    "framework": {"urn", "ref_id", "name", "description", "requirement_nodes", "translations"},
    "requirement node": {"urn", "parent_urn", "ref_id", "name", "description", "annotation", "typical_evidence", "assessable", "depth", "questions",
                         "translations", "ecluse_evidence_for", "ecluse_finding"},
    "question": {"type", "text", "choices", "depends_on", "weight", "translations", "annotation"},
    "choice": {"urn", "value", "add_score", "compute_result", "translations", "annotation", "ecluse_severity"},
}  # fmt: skip
_RESULTS: Final = {"true": Result.MET, "false": Result.UNMET, **{each.value: each for each in Result}}
STANDARD: Final[tuple[tuple[Result, int | None, Words], ...]] = (
    (Result.MET, 100, {"en": "Yes, in full", "fr": "Oui, entièrement"}),
    (Result.PARTLY, 50, {"en": "In part", "fr": "En partie"}),
    (Result.UNMET, 0, {"en": "No", "fr": "Non"}),
    (Result.APART, None, {"en": "Does not apply to us", "fr": "Ne nous concerne pas"}),
)
"""The answers to a requirement that has no question of its own."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A questionnaire as it was read, and what to know about that."""

    questionnaire: Questionnaire
    notes: tuple[str, ...]


def read_library(data: bytes) -> Reading:
    """Read a library file. Raises `LibraryInvalid` with all that is wrong (50 faults at most)."""
    return _Reader().read(_load(data))


def _refuse(where: str, why: str, mend: str) -> LibraryInvalid:
    return LibraryInvalid([Fault(where=where, why=why, mend=mend)])


def _load(data: bytes) -> dict[Any, Any]:
    """Load YAML from a stranger into plain values."""
    if len(data) > MOST_BYTES:
        raise _refuse("file", f"it is larger than {MOST_BYTES // 1024 // 1024} MiB", "Name a library of one framework")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as bad:
        raise _refuse("file", f"byte {bad.start + 1} is not UTF-8", "Save it in UTF-8") from None
    # libyaml's scanner where the wheel has it: the same language, thirty times as quick
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_events(yaml.parse(text, Loader=loader))
        loaded = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader, either way
    except yaml.MarkedYAMLError as bad:
        line = f"line {bad.problem_mark.line + 1}" if bad.problem_mark else "file"
        raise _refuse(line, f"it is not YAML that is read here ({bad.problem})", "Correct that line") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        raise _refuse("file", "it is not YAML that is read here", "Export the library anew") from None
    if not isinstance(loaded, dict):
        raise _refuse("file", "it is not a library: a mapping is expected", "Name a library file of CISO Assistant, format 2")
    return loaded


def _refuse_events(events: Iterator[Any]) -> None:
    """Refuse aliases (they multiply), several documents, depth and mass, before anything is built."""
    depth = documents = 0
    for count, event in enumerate(events):
        kind = type(event)
        if kind is yaml.ScalarEvent and count < MOST_EVENTS:
            continue
        depth += issubclass(kind, yaml.CollectionStartEvent) - issubclass(kind, yaml.CollectionEndEvent)
        documents += kind is yaml.DocumentStartEvent
        line = f"line {event.start_mark.line + 1}"
        if kind is yaml.AliasEvent:
            raise _refuse(line, "it uses an alias (*)", "Write the value out")
        if documents > 1:
            raise _refuse(line, "a second document begins", "Keep one library a file")
        if depth > MOST_DEPTH:
            raise _refuse(line, f"it is nested deeper than {MOST_DEPTH} levels", "Name a library of CISO Assistant, format 2")
        if count >= MOST_EVENTS:
            raise _refuse(line, f"it has more than {MOST_EVENTS:,} values", "Name a library of one framework")


class _Reader:
    """Turns loaded values into the model, and collects faults, unknown keys and notes."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.notes: list[str] = []
        self.locale = "en"

    def fault(self, where: str, why: str, mend: str) -> None:
        """Note a fault; past the fiftieth reading ends."""
        self.faults.append(Fault(where=where, why=why, mend=mend))
        if len(self.faults) >= MOST_FAULTS:
            raise LibraryInvalid(self.faults)

    def read(self, library: dict[Any, Any]) -> Reading:
        """Read a whole library."""
        self.look(library, "library")
        self.locale = self.text(library, "locale", "library", most=MOST_WORD, required=True) or "en"
        objects = library.get("objects")
        framework = objects.get("framework") if isinstance(objects, dict) else None
        if not isinstance(framework, dict):
            held = ", ".join(sorted(str(key)[:40] for key in objects)) if isinstance(objects, dict) else "nothing"
            raise _refuse(
                "objects", f"there is no framework in it (it holds {held}): nothing to ask", "Name a library with a framework"
            )
        self.look(framework, "framework")
        nodes = self.nodes(framework.get("requirement_nodes"))
        if not any(node.questions for node in nodes):
            nodes = self.standard(nodes)
        questionnaire = Questionnaire(
            urn=self.text(framework, "urn", "framework", most=MOST_WORD, required=True),
            ref_id=self.text(framework, "ref_id", "framework", most=MOST_WORD, required=True),
            version=self.text(library, "version", "library", most=MOST_WORD),
            locale=self.locale,
            name=self.words(framework, "name", "framework", required=True),
            description=self.words(framework, "description", "framework"),
            provider=self.text(library, "provider", "library", most=MOST_WORD),
            copyright=self.text(library, "copyright", "library"),
            published_on=self.text(library, "publication_date", "library", most=MOST_WORD),
            nodes=nodes,
        )
        self.check(questionnaire)
        if self.faults:
            raise LibraryInvalid(self.faults)
        told = [
            f"{level}: `{key}` is not known here and was passed over ({times} times)"
            for (level, key), times in sorted(self.unknown.items())
        ]
        return Reading(questionnaire=questionnaire, notes=(*self.notes, *told))

    def look(self, table: dict[Any, Any], level: str) -> None:
        """Count the keys that are not known."""
        self.unknown.update((level, str(key)[:60]) for key in table if key not in _KNOWN[level])

    def text(self, table: dict[Any, Any], key: str, where: str, *, most: int = MOST_TEXT, required: bool = False) -> str:
        """Return a scalar as text, empty if there is none."""
        value = table.get(key)
        if isinstance(value, (dict, list, bytes, set, tuple)):
            self.fault(f"{where}, {key}", "it is not a text", "Write one text")
            return ""
        text = "" if value is None else str(value).strip()
        if len(text) > most:
            self.fault(f"{where}, {key}", f"it is longer than {most:,} characters", "Shorten it")
        if required and not text:
            self.fault(f"{where}, {key}", "it is missing", "Add it")
        return text[:most]

    def words(self, table: dict[Any, Any], key: str, where: str, *, required: bool = False) -> Words:
        """Return a text in all its languages."""
        own = self.text(table, key, where, required=required)
        words = {self.locale: own} if own else {}
        translations = table.get("translations")
        if isinstance(translations, dict):
            for language, said in translations.items():
                if (
                    isinstance(said, dict)
                    and isinstance(language, str)
                    and (text := self.text(said, key, f"{where}, {language[:10]}"))
                ):
                    words.setdefault(language[:10], text)
        return words

    def number(self, table: dict[Any, Any], key: str, where: str, default: int | None) -> int | None:
        """Return a whole number between -1,000,000 and 1,000,000."""
        value = table.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 1_000_000:
            self.fault(f"{where}, {key}", "it is not a whole number", "Write digits")
            return default
        return value

    def nodes(self, listed: object) -> tuple[Node, ...]:
        """Read the nodes, in order."""
        if not isinstance(listed, list):
            self.fault("framework, requirement_nodes", "there is no list of them", "Add the requirement nodes")
            return ()
        found = []
        for place, table in enumerate(listed):
            where = f"requirement_nodes[{place}]"
            if isinstance(table, dict):
                found.append(self.node(table, where))
            else:
                self.fault(where, "it is not a mapping", "Write urn, depth, name and the rest")
        return tuple(found)

    def node(self, table: dict[Any, Any], where: str) -> Node:
        """Read one node."""
        self.look(table, "requirement node")
        questions = table.get("questions") or {}
        if not isinstance(questions, dict):
            self.fault(f"{where}, questions", "it is not a mapping of questions by urn", "Write each question under its urn")
            questions = {}
        node = Node(
            urn=self.text(table, "urn", where, most=MOST_WORD * 2, required=True),
            parent=self.text(table, "parent_urn", where, most=MOST_WORD * 2) or None,
            depth=self.number(table, "depth", where, 1) or 1,
            ref_id=self.text(table, "ref_id", where, most=MOST_WORD),
            name=self.words(table, "name", where),
            description=self.words(table, "description", where),
            annotation=self.words(table, "annotation", where),
            typical_evidence=self.words(table, "typical_evidence", where),
            evidence_for=self.words(table, "ecluse_evidence_for", where),
            finding=self.words(table, "ecluse_finding", where),
            assessable=table.get("assessable") is True,
            questions=(),
        )
        return msgspec.structs.replace(
            node, questions=tuple(self.question(urn, each, node, where) for urn, each in questions.items())
        )

    def question(self, urn: object, table: object, node: Node, where: str) -> Question:
        """Read one question."""
        where = f"{where}, question {str(urn)[-60:]}"
        if not isinstance(table, dict) or not isinstance(urn, str):
            self.fault(where, "it is not a mapping under a urn", "Write type, text and choices")
            table = {}
        self.look(table, "question")
        word = self.text(table, "type", where, most=MOST_WORD) or "text"
        word = {"single_choice": "unique_choice"}.get(word, word)
        if word not in set(Kind):
            self.fault(f"{where}, type", "it is not a kind of question", f"Write one of {', '.join(Kind)}")
            word = "text"
        choices = table.get("choices") or []
        if not isinstance(choices, list) or len(choices) > MOST_CHOICES:
            self.fault(f"{where}, choices", f"it is not a list of at most {MOST_CHOICES}", "Write urn and value of each")
            choices = []
        read = tuple(
            self.choice(each, f"{where}, choices[{place}]", f"{urn}:choice:{place + 1}") for place, each in enumerate(choices)
        )
        if Kind(word) in {Kind.ONE, Kind.MANY} and not read:
            self.fault(f"{where}, choices", "there is nothing to choose", "Add choices, or make it a text")
        words = self.words(table, "text", where)
        if self.locale not in words:
            self.notes.append(f"{where}: it has no text, and is asked by the name of its requirement")
            words = {self.locale: _called(node, self.locale)} | words
        return Question(
            urn=str(urn), words=words, kind=Kind(word), choices=read,
            weight=self.number(table, "weight", where, 1) or 0, condition=self.condition(table.get("depends_on"), where),
        )  # fmt: skip

    def choice(self, table: object, where: str, urn: str) -> Choice:
        """Read one choice; one without a urn takes that of its place."""
        if not isinstance(table, dict):
            self.fault(where, "it is not a mapping", "Write urn and value")
            table = {}
        self.look(table, "choice")
        severity = self.text(table, "ecluse_severity", where, most=MOST_WORD)
        if severity and severity not in set(Severity):
            self.fault(f"{where}, ecluse_severity", "it is not a severity", f"Write one of {', '.join(Severity)}")
            severity = ""
        result = _RESULTS.get(str(table.get("compute_result")).lower())
        if table.get("compute_result") is not None and result is None:
            self.notes.append(f"{where}: its result is none of the four, and was passed over")
        return Choice(
            urn=self.text(table, "urn", where, most=MOST_WORD * 2) or urn, words=self.words(table, "value", where, required=True),
            points=self.number(table, "add_score", where, None), result=result, severity=Severity(severity) if severity else None,
        )  # fmt: skip

    def condition(self, table: object, where: str) -> Condition | None:
        """Read on what a question depends."""
        if table is None:
            return None
        answers = table.get("answers") if isinstance(table, dict) else None
        question = table.get("question") if isinstance(table, dict) else None
        if (
            not isinstance(question, str)
            or not isinstance(answers, list)
            or not answers
            or not all(isinstance(each, str) for each in answers)
        ):
            self.fault(f"{where}, depends_on", "it names no question with answers", "Write question and a list of answers")
            return None
        return Condition(
            question=question, choices=tuple(answers), every=isinstance(table, dict) and table.get("condition") == "all"
        )

    def standard(self, nodes: Sequence[Node]) -> tuple[Node, ...]:
        """Give each assessable node the one standard question."""
        self.notes.append("it has no questions of its own: each requirement is asked with the standard answers")
        return tuple(_standard(node, self.locale) if node.assessable else node for node in nodes)

    def check(self, questionnaire: Questionnaire) -> None:
        """Refuse what names nothing, comes twice, or asks ahead."""
        earlier: dict[str, set[str]] = {}
        count = 0
        for _, question in questionnaire.asked():
            count += 1
            where = f"question {question.urn[-60:]}"
            urns = {each.urn for each in question.choices}
            if question.urn in earlier or len(urns) < len(question.choices):
                self.fault(where, "its urn, or that of a choice, comes twice", "Give each its own")
            if (on := question.condition) and not set(on.choices) <= earlier.get(on.question, set()):
                self.fault(
                    f"{where}, depends_on", "it names no earlier question with these answers", "Name a question that comes before"
                )
            earlier[question.urn] = urns
        if not 0 < count <= MOST_QUESTIONS:
            self.fault("framework", f"it has {count:,} questions", f"Name one that has 1 to {MOST_QUESTIONS:,}")


def _standard(node: Node, locale: str) -> Node:
    """Ask a requirement by its own words, with the standard answers."""
    urn = f"{node.urn}:question:1"
    choices = tuple(
        Choice(urn=f"{urn}:choice:{place}", words={locale: words.get(locale, words["en"])} | words, points=points, result=result)
        for place, (result, points, words) in enumerate(STANDARD, start=1)
    )
    words = {locale: _called(node, locale)} | node.name
    return msgspec.structs.replace(node, questions=(Question(urn=urn, words=words, kind=Kind.ONE, choices=choices),))


def _called(node: Node, locale: str) -> str:
    """Return what a node is called, in the library's own language where it says so."""
    return node.name.get(locale) or node.description.get(locale) or node.ref_id or node.urn
