"""Notices in words: every topic in both languages and to both parties, nothing left open, short lines, and no way from a name into a header."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from ecluse.notices.model import AUDIENCES, Audience, Due, Letter, Topic
from ecluse.notices.say import WIDTH, Party, Said, language_of, say
from ecluse.notices.send import compose
from ecluse.settings import Mail

pytestmark = pytest.mark.unit

AT: Final = datetime(2026, 7, 22, 22, 30, tzinfo=UTC)
FACTS: Final[dict[Topic, dict[str, object]]] = {
    Topic.FINDING_OPENED: {"severity": "critical", "source": "pentest", "due_on": "2026-12-01"},
    Topic.OVERRIDE_ASKED: {"hours": 4, "reasons": ["evidence:lapsed:pentest", "finding:overdue:fnd_x"]},
    Topic.OVERRIDE_APPROVED: {"hours": 4, "reasons": ["evidence:lapsed:pentest"]},
    Topic.OVERRIDE_ENDED: {"revoked": True, "reasons": ["evidence:lapsed:pentest"]},
    Topic.EVIDENCE_SUBMITTED: {"kind": "iso27001"},
    Topic.EVIDENCE_ACCEPTED: {"kind": "iso27001"},
    Topic.EVIDENCE_REJECTED: {"kind": "iso27001"},
    Topic.EMERGENCY_OPENED: {"attribute": "phone"},
    Topic.EMERGENCY_LATE: {"attribute": "phone"},
}
CASES: Final = [
    pytest.param(topic, audience, language, id=f"{topic.value}-{audience.value}-{language}")
    for topic, language in itertools.product(Topic, ("fr", "en"))
    for audience in AUDIENCES[topic]
]


def due(topic: Topic, audience: Audience = Audience.CONTROLLER, **changes: Any) -> Due:
    """Describe a notice of a topic."""
    reason = "evidence:lapsed:pentest" if topic.startswith("gate:") else "xyz_aaaaaaaaaaaaaaaaaaaaaaaaaa"
    facts = {"processor": "lyon-formation", "reason": reason, "at": AT, "days": 7 if topic is Topic.GATE_SOON else 0}
    return Due(topic=topic, audience=audience, **{**facts, "facts": FACTS.get(topic, {}), **changes})


def party(language: Any = "en", name: str = "Lyon Formation SARL", reference: str = "2026-T-001") -> Party:
    """Describe the parties."""
    return Party(name=name, controller="Office", reference=reference, language=language, zone=ZoneInfo("Europe/Paris"))


@pytest.mark.parametrize(
    "name",
    [
        "Firm\r\nBcc: victim@other.example",
        "Firm\nSubject: another",
        "Firm\x00\x1b[31m",
        "Firm\u2028Bcc: a@b.example",
        "F" * 5_000,
        "\r\n",
    ],
)
def test_say_when_a_name_would_break_a_header_then_one_plain_line(name: str) -> None:
    """A name with line breaks, control characters or of any length gives a message with our headers only, and a body after them."""
    said = say(due(Topic.GATE_FROZEN), party(name=name, reference=name))
    mail = Mail(host="localhost", sender="gate@agency.example", controller=("dpo@agency.example",))
    letter = Letter(id="0", due=due(Topic.GATE_FROZEN), noted_at=AT, attempts=1, sent_to=())
    message = message_from_bytes(compose(mail, letter, said, ["dpo@agency.example"]), policy=SMTP)
    assert sorted(message.keys()) == [
        "Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To",
    ]  # fmt: skip
    assert (message["To"], message["Message-ID"]) == ("dpo@agency.example", "<0@agency.example>")
    assert [sign for sign in said.subject + said.text.replace("\n", "") if not sign.isprintable()] == []
    assert len(said.subject) <= 150


def test_compose_when_a_subject_has_a_line_break_all_the_same_then_refused() -> None:
    """Should a line break ever get as far as a header, the message is not written at all."""
    mail = Mail(host="localhost", sender="gate@agency.example")
    letter = Letter(id="0", due=due(Topic.GATE_FROZEN), noted_at=AT, attempts=1, sent_to=())
    with pytest.raises(ValueError, match="linefeed"):
        compose(mail, letter, Said(subject="a\r\nBcc: b@c.example", text="x"), ["a@b.example"])


@pytest.mark.parametrize(("topic", "audience", "language"), CASES)
def test_say_when_any_topic_then_whole_sentences_and_short_lines(topic: Topic, audience: Audience, language: str) -> None:
    """Every topic is written out in both languages: no open place, no empty value, no line that a reader of mail would break."""
    said = say(due(topic, audience), party(language))
    assert [sign for sign in "{}" if sign in said.subject + said.text] == []
    assert "None" not in said.text
    assert [line for line in said.text.split("\n") if len(line) > WIDTH] == []
    assert [line for line in said.text.split("\n") if line.rstrip().endswith(":")] == []
    assert said.subject.startswith("[Écluse] ")
    assert ("ecluse " in said.text) is (audience is Audience.CONTROLLER)


def test_say_when_in_two_languages_then_not_one_word_for_both() -> None:
    """No topic was left untranslated."""
    assert [topic for topic in Topic if say(due(topic), party("fr")).subject == say(due(topic), party("en")).subject] == []


def test_say_when_the_gate_will_freeze_then_when_why_what_to_do_and_whose_move() -> None:
    """The whole message, as the processor gets it; the instant is the controller's local one."""
    said = say(due(Topic.GATE_SOON, Audience.PROCESSOR), party("en"))
    assert said.subject == "[Écluse] Lyon Formation SARL: access stops on 23 Jul 2026"
    assert said.text == (
        "On 23 July 2026, 00:30 (CEST) the gate for Lyon Formation SARL shuts by\n"
        "itself (within 7 days). From then on no personal data is disclosed to\n"
        "it, until the reason below is mended.\n"
        "\n"
        "Why:        penetration test report: too old, past its end, or withdrawn\n"
        "To do:      hand in a newer one; it counts once the agency has accepted\n"
        "            it\n"
        "Whose move: the processor's\n"
        "Reference:  evidence:lapsed:pentest\n"
        "\n"
        "Questions:  answer this message\n"
        "\n"
        "-- \n"
        "Office. This message says nothing about any person in its register.\n"
        "Nobody has to act on it for the gate to follow its dates: it does so by\n"
        "itself. Contract 2026-T-001 names this address.\n"
    )


def test_language_when_of_a_country_then_french_or_english() -> None:
    """Processors of countries that speak French are written to in French, all others in English."""
    assert [language_of(country) for country in ("FR", "BE", "IE", "DE")] == ["fr", "fr", "en", "en"]
