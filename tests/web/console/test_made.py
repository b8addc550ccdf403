"""What the console's pages of processors are made of: each context is whole and documented, each template shows all of it, and builders say what is so."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from markupsafe import Markup

from ecluse.contracts import Gatekeeper, Severity, Standing, parse_contract
from ecluse.evidence import Fault, KeptFinding, KeptOverride, MediaType, Source
from ecluse.evidence.check import MOST_DAYS
from ecluse.evidence.model import Evidence
from ecluse.evidence.questionnaire.model import Contact
from ecluse.identity.people import Role, Signed
from ecluse.ledger.policies import Standing as LogStanding
from ecluse.register import parse_register
from ecluse.web.console import (
    HANDLERS,
    evidence,
    exposure,
    faults,
    findings,
    foreseen,
    governed,
    holds,
    ledger,
    overrides,
    papers,
    processors,
    questionnaires,
    today,
)
from ecluse.web.console.navigation import ABOUT
from ecluse.web.console.tally import Decided
from ecluse.web.console.words import reasons_of, refusal_name
from ecluse.web.pages.frame import Filled, Place, Room, Tongue, render
from tests.invented import contract_text, register_toml
from tests.web.console.test_work_made import PAGES
from tests.web.pages.contexts import assert_page

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Paris")
EN, FR = Tongue("en"), Tongue("fr")
EVD, FND, OVR = "evd_" + "a" * 26, "fnd_" + "a" * 26, "ovr_" + "a" * 26
FORM = faults.BLANK
DPO = Signed(
    sign_in="sgn_x", kind="officer", person="off_dpo", name="Camille", roles=frozenset({Role.DPO}), processor=None, client=None, thumbprint=None,
    started_at=AT, ends_at=AT, stepped_up_at=AT, fresh_seconds=300,
)  # fmt: skip
READER = msgspec.structs.replace(DPO, person="off_reader", roles=frozenset({Role.READER}))
MAPPED = {name: each.type for name, each in parse_register(register_toml()).attributes.items()}


def one_of(name: str = "lyon", **terms: Any) -> governed.Governed:
    """A processor with a contract, and nothing that stands beside it."""
    text = contract_text(name, **terms)
    contract = parse_contract(text, MAPPED)
    return governed.Governed(
        id=name, name=name.title(), added_at=AT, version=1, reference="R", hash="h" * 64, applied_at=AT, applied_by="cli:test", contract=contract,
        keeper=Gatekeeper(contract, Standing(), ZONE), agents=1, clients=1,
    )  # fmt: skip


def everybody_of(*ones: governed.Governed, held: tuple[governed.Hold, ...] = ()) -> governed.Everybody:
    """All of them."""
    return governed.Everybody(log_id=1, control_seq=1, processors={one.id: one for one in ones}, holds=held)


def hold_on(target: str, scope: str = "processor", **more: Any) -> governed.Hold:
    """A suspension in force."""
    given = {
        "effect": "suspend",
        "reason": "r",
        "placed_by": "off_dpo",
        "from_at": AT - timedelta(hours=1),
        "until_at": None,
    } | more
    return governed.Hold(id="hld_x", scope=scope, target=target, label=target, processor=target, **given)


FORESEEN = foreseen.Foreseen(before="frozen", after="open", gone=reasons_of(["evidence:missing:pentest"], "lyon", EN), come=())
HEALTH = today.Health(
    size=5,
    signed_size=4,
    signed_at=AT,
    unsigned=1,
    late=False,
    cosigning="ok",
    uncosigned_since=None,
    clocks_apart=0.0,
    clock_ok=True,
)
COUNT = exposure.Counted(most=3, exact=False)


def contexts() -> list[tuple[str, msgspec.Struct]]:
    """One context of each page."""
    one, two = one_of(evidence={"pentest": "P12M"}), one_of("nord")
    everybody = everybody_of(one, two, held=(hold_on("nord"),))
    instant = governed.Instant(size=9, control_seq=1, last_at=AT, at=AT)
    figures = today.make_figures(instant, Decided(since=AT, counted=5, granted=3, reasons=(("suspended", 2),)), [2], EN)
    row = {
        "id": EVD,
        "processor_id": "lyon",
        "kind": "pentest",
        "title": "T",
        "submitted_at": AT,
        "issuer": "I",
        "reviewed_on": AT.date(),
        "ends_on": None,
    }
    waiting = today.make_waiting(
        {"override": [], "evidence": [row] * 6, "questionnaire": [], "emergency": [], "lookup": [], "finding": []}, everybody, None, EN  # type: ignore[list-item, arg-type]
    )  # fmt: skip
    document = Evidence(
        id=EVD, processor="lyon", kind="pentest", title="T", issuer="I", scope="", sites=(), period=None, reviewed_on=AT.date(), ends_on=None, bridges=None,
        sub_processors=(), media_type=MediaType.PDF, size_bytes=9, sha256="0" * 64, submitted_by="off_dpo", submitted_at=AT, accepted_by=None,
        accepted_at=None, rejected_by=None, rejected_at=None, rejected_why=None, withdrawn_by=None, withdrawn_at=None,
    )  # fmt: skip
    found = KeptFinding(
        id=FND, processor="lyon", source=Source.AUDIT, severity=Severity.HIGH, title="T", due_on=AT.date(), opened_by="off_dpo", opened_at=AT, closed_by=None,
        closed_at=None, closing=None,
    )  # fmt: skip
    line = findings.finding_line(
        {"id": FND, "source": "audit", "severity": "high", "title": "T", "due_on": date(2026, 11, 1), "closed_at": None},
        "N",
        AT,
        ZONE,
    )
    documents = (evidence.document_line(row, EN, "Lyon"),)  # type: ignore[arg-type] # a row, as a dictionary
    holding = holds.hold_line(hold_on("nord"), AT, {})
    contract = processors.make_contract(one, one.gate(AT).reasons, {}, EN)
    return [
        ("today", today.make_today(figures, waiting, today.make_gates(everybody, AT, EN), everybody, persons_held=0, health=HEALTH)),
        ("counters", today.CountersPart(figures=figures)),
        ("processors", processors.make_processors(everybody, {"lyon": 3}, AT, EN)),
        ("processor", processors.ProcessorPage(
            id="lyon", name="Lyon", added_at=AT, at=AT, state="frozen", reasons=reasons_of(one.gate(AT).reasons, "lyon", EN), same_until=AT, held=False,
            contract=contract, persons_day=1, persons_month=2, coming=processors.make_coming(one, AT, EN), documents=documents, documents_more=False,
            findings=(line,), responses=(), overrides=(), holds=(holding,), agents=(), agents_more=False, clients=(), versions=(),
        )),
        ("contract", processors.ChangesPage(
            processor="lyon", name="Lyon", version=2, before=1, reference="R", hash="h", applied_at=AT, applied_by="c", readable=True, changes=(), wider=0,
            narrower=0, text="[contract]",
        )),
        ("evidence", evidence.WaitingPage(lines=documents, more=True)),
        ("documents", evidence.EvidencePage(
            processor="lyon", name="Lyon", lines=documents, number=1, more=False, kinds=(("pentest", "P"),), required=("P",), sites=("a", "b"), form=FORM
        )),
        ("document", evidence.make_document(document, "Lyon", {}, DPO, FORESEEN, EN, FORM)),
        ("questionnaires", questionnaires.ResponsesPage(lines=(), more=False)),
        ("questionnaire_new", questionnaires.SendPage(
            processor="lyon", name="Lyon", title="Q", questions=9, most_days=60, languages=(("fr", "French"),), form=FORM
        )),
        ("questionnaire_sent", questionnaires.SentPage(response="qst_x", processor="lyon", name="Lyon", link="http://x/questionnaire/q", expires_at=AT)),
        ("response", questionnaires.ResponsePage(
            id="qst_x", processor="lyon", name="Lyon", title="Q", ref_id="own", version="1", way="page", state="handed in", made_by="Ana", made_at=AT,
            expires_at=AT, handed_in_at=AT, evidence="", contact=Contact(name="Bo", function="RSSI", email="bo@lyon.example"), percent=80, asked=1,
            unanswered=0,
            lines=(questionnaires.AnswerLine(ref="1", text="T", answer="yes", note="", standing="full", earned=1.0, of=1),),
            proposals=(questionnaires.ProposalLine(ref="1", title="T", severity="low", finding="", due_on=AT.date()),), severities=(("low", "low"),),
            may=True, may_find=True, form=FORM,
        )),
        ("findings", findings.FindingsPage(lines=(line,), number=2, more=True)),
        ("finding_new", findings.OpenPage(processor="lyon", name="Lyon", severities=(("low", "low"),), sources=(("audit", "an audit"),), form=FORM)),
        ("finding", findings.make_finding(found, "Lyon", {}, DPO, FORESEEN, AT.date(), FORM)),
        ("holds", holds.HoldsPage(lines=(holding,), persons=2, ended=(holding,), may=True)),
        ("hold_new", holds.SuspendPage(
            scope="agent", target="agt_x", label="A", processor="lyon", within="Lyon", held=True, lengths=tuple(holds.LENGTHS.items()), form=FORM
        )),
        ("hold", holds.ReleasePage(hold=holding, form=FORM)),
        ("overrides", overrides.OverridesPage(lines=(), more=False)),
        ("override_new", overrides.AskPage(
            processor="lyon", name="Lyon", state="frozen", freezing=reasons_of(["evidence:missing:pentest"], "lyon", EN),
            others=reasons_of(["contract:dates:ended"], "lyon", EN), most_hours=72, form=FORM,
        )),
        ("override", overrides.make_override(asked_by("off_other"), "Lyon", {}, DPO, FORESEEN, EN, FORM)),
        ("exposure", exposure.ExposurePage(seconds=60)),
        ("exposure_figures", exposure.WholePart(
            at=AT, together=COUNT, together_month=COUNT, picture=Markup("<svg></svg>"), lines=(), more=1, command="ecluse exposure"
        )),
        ("exposure_own", exposure.OwnPart(
            id="lyon", name="Lyon", at=AT, now=COUNT, values=9, until=AT, bound="b", month=COUNT, scheduler=COUNT, held=4,
            attributes=(exposure.AttributeLine(name="email", forms="masked", persons=COUNT),), picture=Markup(),
            days=(exposure.DayLine(on=AT.date(), alone=COUNT, so_far=COUNT, shut=""),), command="c",
        )),
        ("exposure_none", exposure.NoPart(id="lyon", name="Lyon")),
        ("papers", papers.PapersPage(processor="lyon", name="Lyon", kinds=(("dossier", "Audit dossier", "All"),), may=True, form=FORM)),
        ("ledger", ledger.LedgerPage(
            name="main", origin="o", public_url="http://x", vkeys=("k",), root="r", health=HEALTH, quorum="q", policy_version=1, policy_at=AT, policy_by="c",
            cosigned_size=4, cosigned_at=AT, witnesses=(ledger.WitnessLine(name="w", url="u", size=None, at=None, behind=None),),
            anchors=(ledger.AnchorLine(size=1, authority="a", at=AT),),
            erasures=(ledger.ErasureLine(id=1, index=2, count=3, sealed_at=AT, done_at=None),),
            entries=(ledger.EntryLine(index=1, at=AT, event="control:log:opened", processor=""),), freeze_minutes=60,
        )),
    ]  # fmt: skip


def asked_by(person: str) -> KeptOverride:
    """An override that somebody asked for."""
    return KeptOverride(
        id=OVR, processor="lyon", reasons=("evidence:missing:pentest",), why="w", hours=4, asked_by=person, asked_at=AT, approved_by=None, approved_at=None,
        revoked_by=None, revoked_at=None, until_at=None, state="asked",
    )  # fmt: skip


def test_templates_when_listed_then_each_page_has_its_context_here_or_beside() -> None:
    """No page of the console is left out of what compares contexts with templates."""
    folder = files("ecluse.web") / "templates" / "console"
    pages = {each.name.removesuffix(".html") for each in folder.iterdir() if not each.name.startswith("_")}
    assert pages == {name for name, _ in contexts()} | set(PAGES)


@pytest.mark.parametrize(("name", "context"), contexts(), ids=[name for name, _ in contexts()])
def test_page_when_made_then_its_context_is_its_struct_and_all_of_it_is_shown(name: str, context: msgspec.Struct) -> None:
    """Each field is documented, of its type and shown, and the template shows nothing else, in both languages."""
    assert_page(f"console/{name}.html", context)
    for tongue in (EN, FR):
        place = Place(
            room=Room.CONSOLE,
            about=ABOUT,
            here="",
            path="/console",
            signed=DPO,
            tongue=tongue,
            zone=ZONE,
            now=AT,
            controller="Agency",
        )
        html = render(f"console/{name}.html", context, place)
        assert "<h1" in html or name == "counters"
        assert "Undefined" not in html


def test_override_when_read_by_whoever_asked_then_no_button_to_approve() -> None:
    """The asker, and a reader, are shown no way to approve; another data protection officer is."""
    assert overrides.make_override(asked_by("off_other"), "Lyon", {}, DPO, None, EN, FORM).may_approve
    assert not overrides.make_override(asked_by("off_dpo"), "Lyon", {}, DPO, None, EN, FORM).may_approve
    assert not overrides.make_override(asked_by("off_other"), "Lyon", {}, READER, None, EN, FORM).may_approve


def test_processors_when_listed_then_frozen_ones_first_and_a_page_at_a_time() -> None:
    """Those that need somebody come first; what is looked for narrows the list; pages hold fifty."""
    ones = [one_of(f"proc-{number:03}") for number in range(120)]
    frozen = one_of("zz-frozen", evidence={"pentest": "P12M"})
    listed = processors.make_processors(everybody_of(*ones, frozen), {}, AT, EN)
    assert (listed.lines[0].id, listed.lines[0].state) == ("zz-frozen", "frozen")
    assert (len(listed.lines), listed.pages, listed.found, listed.counts["open"]) == (50, 3, 121, 120)
    assert processors.make_processors(everybody_of(*ones, frozen), {}, AT, EN, number=9).number == 3
    assert [line.id for line in processors.make_processors(everybody_of(*ones), {}, AT, EN, query="PROC-007").lines] == [
        "proc-007"
    ]
    assert processors.make_processors(everybody_of(*ones), {}, AT, EN, state="closed").lines == ()


def test_gates_when_a_hold_stops_a_processor_then_it_needs_somebody_though_its_gate_is_open() -> None:
    """A suspension in force counts whatever the gate says; one that is to come, over, or keeps records does not."""
    one = one_of()
    for hold, needs in (
        (hold_on("lyon"), True), (hold_on("lyon", from_at=AT + timedelta(hours=1)), False), (hold_on("lyon", until_at=AT), False),
        (hold_on("lyon", effect="keep"), False), (hold_on("lyon", scope="agent"), False),
    ):  # fmt: skip
        counts, lines = today.make_gates(everybody_of(one, held=(hold,)), AT, EN)
        assert (counts["open"], bool(lines)) == (1, needs)


@pytest.mark.parametrize(
    ("since", "state"),
    [(None, "ok"), (AT - timedelta(minutes=1), "ok"), (AT - timedelta(minutes=20), "warn"), (AT - timedelta(hours=2), "frozen")],
)
def test_health_when_witnesses_are_late_then_told_as_the_gate_has_it(since: datetime | None, state: str) -> None:
    """Entries without cosignatures warn after a while, and then say that nothing is disclosed."""
    row = {"size": 5, "signed_size": 5, "signed_at": AT, "at": AT, "last_at": AT}
    stands = LogStanding(
        name="main", origin="o", log_vkeys=(), version=1, text="", hash="", quorum_since=AT - timedelta(days=9), applied_at=AT, applied_by="c",
        uncosigned_since=since, at=AT,
    )  # fmt: skip
    made = today.make_health(row, stands, warn_after=timedelta(minutes=10), freeze_after=timedelta(hours=1), here=AT)  # type: ignore[arg-type]
    assert (made.cosigning, made.ok) == (state, state == "ok")
    apart = today.make_health(
        row, stands, warn_after=timedelta(minutes=10), freeze_after=timedelta(hours=1), here=AT - timedelta(seconds=3)
    )  # type: ignore[arg-type]
    assert (apart.clock_ok, apart.clocks_apart) == (False, 3.0)


def test_faults_when_a_use_case_refuses_then_beside_its_field_in_french() -> None:
    """A fault stands at its field in the reader's words; one of no field stands at the first; one without words is said as it is."""
    filled: Filled[Any] = Filled(FR, None, {}, {})
    faults.put_faults(
        filled,
        (
            Fault(where="row 3, country", why="it is not a country code", mend="x"), Fault(where="title", why="it is empty, or not a plain text", mend="x"),
            Fault(where="strange", why="it is new", mend="Wait"),
        ),
        ("kind", "document", "title"),
    )  # fmt: skip
    assert "deux majuscules" in filled.faults["document"]
    assert "caractères visibles" in filled.faults["title"]
    assert filled.faults["kind"] == "it is new. Wait."


def test_words_when_asked_for_any_public_reason_then_in_french_without_a_lonely_sign() -> None:
    """Refusals are named in the reader's language; reasons lead to where they are mended, without their numbers."""
    assert refusal_name("not-disclosable", FR) == "Rien à communiquer"
    assert refusal_name("a-later-code", FR) == "a-later-code"
    (late,) = reasons_of([f"finding:overdue:{FND}"], "lyon", FR)
    assert (late.href, late.what) == (f"/console/findings/{FND}", "un constat grave a dépassé son échéance")
    assert set(MOST_DAYS) == set(Severity)


def test_waiting_when_shown_then_each_way_leads_to_a_page_there_is() -> None:
    """Whatever waits, its list and its items are addresses that a handler of the console answers."""
    row = {"id": EVD, "processor_id": "lyon", "kind": "pentest", "title": "T", "attribute": "email", "due_on": AT.date()}
    row |= {"hours": 2, "asked_by": "Ana Lemoine"}
    row |= dict.fromkeys(("submitted_at", "asked_at", "handed_in_at", "opened_at"), AT)
    kinds = ("override", "evidence", "questionnaire", "emergency", "lookup", "finding")
    groups = today.make_waiting({kind: [row] for kind in kinds}, everybody_of(one_of()), {"found": 1, "last_at": AT}, EN)  # type: ignore[list-item, arg-type]
    assert {group.key for group in groups} == {*kinds, "undetermined"}
    assert [item.what for group in groups for item in group.items if EVD in item.what] == []  # said in words, never by an id
    known = {re.sub(r"\{[^}]+\}", "[^/]+", path) for handler in HANDLERS for path in handler.paths}
    ways = [way for group in groups for way in (group.href, *(item.href for item in group.items))]
    assert [way for way in ways if not any(re.fullmatch(path, way.partition("?")[0]) for path in known)] == []
