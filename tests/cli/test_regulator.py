"""``ecluse doctor --regulator``: what is missing is said as missing, the same mended as evidence; nothing that is not built is said as done."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import pytest
import typer
from msgspec.structs import replace

from ecluse.cli.app import app
from ecluse.cli.regulator import Rule, asked, rules_of
from ecluse.cli.regulator_checks import CHECKS, Seen, Stand
from ecluse.contracts import Assurance, GateState
from ecluse.papers.model import GateChange, ProcessorFacts
from ecluse.settings import Controller, Database, Emergency, Mail, RegisterSource, Retention, Settings
from tests.cli.offices import Office
from tests.papers import samples

NOT_BUILT = {"A1", "A4.watch", "A5.all", "H", "J.decoys"}
NOT_OURS = {"A7", "B.users", "D", "F5", "I.collect"}
SETTINGS = Settings(
    public_url="https://ecluse.agency.example",
    metrics="127.0.0.1:9464",
    controller=Controller(name="Office"),
    database=Database(url="postgresql://ledger.agency.example:5432/ecluse"),
    register=RegisterSource(url="postgresql://register.agency.example:5432/register"),
    mail=Mail(host="mail.agency.example", sender="a@agency.example", controller=("b@agency.example",), dpo="dpo@agency.example"),
)
ASKED = "".join(
    f'[[evidence_required]]\nkind = "{kind}"\nmax_age = "P12M"\n\n' for kind in ("pentest", "security-policy", "iso27001")
)


@cache
def nothing_missing() -> ProcessorFacts:
    """Return a processor of which nothing is missing."""
    head, tail = samples.TEXT.split("[[evidence_required]]", 1)
    rest = re.sub(r'\[\[evidence_required\]\]\nkind = "[a-z0-9-]+"\nmax_age = "P[0-9A-Z]+"\n', "", "[[evidence_required]]" + tail)
    contract = samples.parse_contract(head + ASKED + rest, samples.ATTRIBUTES)
    one = samples.processor(contract=contract, findings=())
    documents = tuple(
        samples.document(f"evd_{letter * 26}", kind)
        for letter, kind in (("a", "pentest"), ("b", "security-policy"), ("c", "iso27001"))
    )
    assert one.signature is not None
    return replace(one, evidence=documents, signature=replace(one.signature, changes=()))


def firm(**changes: Any) -> ProcessorFacts:
    """Return that processor with some of its facts changed."""
    return replace(nothing_missing(), **changes)


def limited(**changes: int) -> ProcessorFacts:
    """Return a processor with other ceilings."""
    contract = firm().contract
    return firm(contract=replace(contract, limits=replace(contract.limits, **changes)))


def purposed(**changes: Any) -> ProcessorFacts:
    """Return a processor with other figures in each of its purposes."""
    contract = firm().contract
    return firm(contract=replace(contract, purposes={name: replace(each, **changes) for name, each in contract.purposes.items()}))


def seen(*firms: ProcessorFacts, settings: Settings = SETTINGS, none: bool = False, **changes: Any) -> Seen:
    """Return an installation of which nothing is missing, with something changed."""
    facts = samples.facts(*(firms or (firm(),)))
    said: dict[str, Any] = {
        "facts": replace(facts, processors=()) if none else facts, "settings": settings, "unsigned_since": None, "witnesses": 2,
        "quorum_since": datetime(2026, 1, 5, 9, tzinfo=UTC), "uncosigned_since": None, "machines": 3, "portals": 1, "mail_problem": "",
    }  # fmt: skip
    return Seen(**(said | changes))


def rule(name: str, of: Seen) -> Rule:
    """Return one rule held against what was seen."""
    (found,) = [each for each in rules_of(of) if each.id == name]
    return found


def activity(**changes: str) -> Seen:
    """Return an installation whose papers.toml says something else."""
    whole = seen()
    return replace(whole, facts=replace(whole.facts, activity=replace(whole.facts.activity, **changes)))


def sub(**changes: str) -> ProcessorFacts:
    """Return a processor whose sub-processor says something else of itself."""
    (one,) = firm().sub_processors
    return firm(sub_processors=(replace(one, **changes),))


CONTRACT = firm().contract
MISSING = [
    ("A2", seen(machines=0), "no machine of a processor has a key in use"),
    ("A3.time", seen(settings=replace(SETTINGS, retention=Retention(openings_months=13))), "erased after 13 months"),
    ("A3.apart", seen(settings=replace(SETTINGS, database=Database())), "the embedded PostgreSQL, for evaluation only"),
    (
        "A3.apart",
        seen(settings=replace(SETTINGS, register=RegisterSource(url="postgresql://ledger.agency.example:5432/other"))),
        "on the same server, ledger.agency.example:5432",
    ),
    ("A4.told", seen(mail_problem="connection"), "no mail can be handed over to mail.agency.example: connection"),
    ("A4.told", seen(settings=replace(SETTINGS, mail=Mail())), "nobody is told"),
    ("A4.told", seen(settings=replace(SETTINGS, mail=replace(SETTINGS.mail, controller=()))), "mail.controller is empty"),
    ("A4.told", seen(settings=replace(SETTINGS, mail=replace(SETTINGS.mail, controller=(), dpo=""))), "mail.controller and mail.dpo are"),
    ("A5.agent", seen(purposed(persons_per_agent_per_hour=0)), "no ceiling of an agent for civic-training: lyon-formation"),
    ("A5.agent", seen(purposed(persons_per_agent_per_hour=121)), "is above the 120 of a whole machine"),
    ("A5.app", seen(limited(persons_per_day=0)), "no ceiling of the day: lyon-formation"),
    ("A5.app", seen(limited(persons_per_day=10_000_000, persons_per_month=10_000_000)), "10,000,000 a day never counts"),
    ("A5.app", seen(limited(persons_per_month=400 * 31 + 1)), "12,401 a month never counts, the day ends at 400"),
    ("A5.app", seen(limited(persons_per_client_per_hour=401)), "401 an hour and machine never counts"),
    ("A5.bulk", seen(purposed(max_capacity=401, sheet={"family_name": "full"})), "a roll-call of 401 for civic-training is above its day"),
    ("A6", seen(none=True), "no contract is in force"),
    ("A8.clauses", seen(firm(contract=replace(CONTRACT, clauses=CONTRACT.clauses[1:]))), "lacks 28.3.a: lyon-formation"),
    ("A8.notice", seen(firm(contract=replace(CONTRACT, breach_notice_hours=72))), "72 hours: lyon-formation"),
    ("A9.proofs", seen(samples.processor()), "no certificate is asked for: lyon-formation"),
    ("A9.proofs", seen(firm(evidence=())), "no security policy is good now: lyon-formation; no certificate is good now"),
    ("A9.annexed", seen(firm(signature=None)), "no signed act is handed in"),
    ("A9.annexed", seen(samples.processor()), "the contract changed since it was signed on 2026-01-05"),
    ("A10", seen(firm(contract=replace(CONTRACT, evidence_required=()))), "no evidence is asked for"),
    ("A11", seen(firm(evidence=(samples.document("evd_" + "a" * 26, "pentest", counts=False),))), "penetration test is good now"),
    ("B.store", seen(unsigned_since=samples.AT), "entries wait for a signature"),
    ("B.alert", seen(witnesses=0, quorum_since=None), "0 witnesses, no quorum"),
    ("B.alert", seen(quorum_since=None), "2 witnesses, no quorum"),
    ("B.alert", seen(uncosigned_since=samples.AT - timedelta(hours=2)), "entries wait for the witnesses' quorum since 2026-09-15 09:30"),
    ("E.inform", seen(portals=0), "no portal has a key in use"),
    ("G.known", seen(sub(address="")), "no address of Hébergeur Rhône: lyon-formation"),
    ("G.known", seen(sub(contact="")), "no contact of Hébergeur Rhône"),
    ("G.known", seen(firm(body=replace(firm().body, address=""))), "no address: lyon-formation"),
    ("G.known", seen(firm(sub_processors=(replace(firm().sub_processors[0], declared=False),))), "the contract does not name it"),
    ("G.abroad", seen(firm(third_countries=("US",))), "to US, and no safeguards are said"),
    ("I.transit", seen(settings=replace(SETTINGS, public_url="http://127.0.0.1:8080")), "http://127.0.0.1:8080"),
    ("J.dpia", activity(impact_assessment=" "), "none is named"),
    ("J.kept", activity(erasure=()), "nobody said how long: identity"),
    ("J.copies", seen(firm(contract=replace(CONTRACT, clauses=tuple(each for each in CONTRACT.clauses if each != "no-copy")))), "no-copy"),
    ("J.copies", seen(firm(contract=replace(CONTRACT, ends_on=date(2026, 9, 14)))), "ended on 2026-09-14, no deletion-attestation"),
    ("J.flaws", seen(samples.processor()), "critical, due 2026-08-01 (fnd_aaaaaaaaaaaaaaaaaaaaaaaaaa): lyon-formation"),
]  # fmt: skip


@pytest.mark.unit
@pytest.mark.parametrize(("name", "of", "says"), MISSING, ids=[f"{name}-{says[:24]}" for name, _, says in MISSING])
def test_rule_when_something_is_missing_then_said_with_its_mend_and_whose_move(name: str, of: Seen, says: str) -> None:
    """What is missing, or weaker than the rule, warns; the same installation with it mended has evidence for the rule."""
    lacking, whole = rule(name, of), rule(name, seen())
    assert (lacking.level, whole.level) == (Stand.WARN, Stand.OK)
    assert says in lacking.found
    assert lacking.mend
    assert lacking.move
    assert (whole.mend, whole.move) == ("", "")


@pytest.mark.unit
def test_rules_when_nothing_is_missing_then_what_is_not_built_still_warns() -> None:
    """The best of installations has no alarm, no second factor of agents, no ceiling on all, no notice and no decoy; and what no software does is said so."""
    levels = {each.id: each.level for each in rules_of(seen())}
    assert {name for name, level in levels.items() if level is Stand.WARN} == NOT_BUILT
    assert {name for name, level in levels.items() if level is Stand.NOTE} == NOT_OURS


@pytest.mark.unit
@pytest.mark.parametrize("name", sorted(NOT_BUILT - {"A1"}))
def test_rule_when_not_built_then_it_says_so_and_the_move_is_ours(name: str) -> None:
    """Nobody is sent to mend what only a release of Écluse can."""
    found = rule(name, seen())
    assert "Not built yet" in found.mend
    assert found.move == "Écluse's"


@pytest.mark.unit
def test_factor_when_agents_have_to_sign_in_then_still_missing() -> None:
    """A contract that demands it serves nobody, which is no second factor."""
    asserted = rule("A1", seen(firm(contract=samples.contract())))
    limits = replace(CONTRACT.limits, agent_assurance=Assurance.AUTHENTICATED)
    assert "the machine names the agent" in asserted.found
    assert (
        rule("A1", seen(firm(contract=replace(CONTRACT, limits=limits)))).found
        == "agents have to sign in, which none can yet: lyon-formation"
    )


@pytest.mark.unit
def test_figures_when_settings_change_then_the_words_follow() -> None:
    """Nothing found is a fixed sentence where a figure decides it."""
    assert "5 times a day" in rule("J.caseload", seen()).found
    assert "no break-glass" in rule("J.caseload", seen(settings=replace(SETTINGS, emergency=Emergency(per_day=0)))).found
    assert "time stamps are asked" not in rule("B.store", seen()).found
    stamped = replace(SETTINGS, ledger=replace(SETTINGS.ledger, anchor_url="https://tsa.example"))
    assert "time stamps are asked" in rule("B.store", seen(settings=stamped)).found
    shut = firm(gate=GateChange(at=samples.AT, state=GateState.FROZEN, reasons=("contract:clause-missing:28.3.h",)))
    assert "0 open, 1 shut now" in rule("A10", seen(shut)).found
    assert (
        "1 ended, each with its attestation"
        in rule(
            "J.copies",
            seen(
                firm(
                    contract=replace(CONTRACT, ends_on=date(2026, 9, 14)),
                    evidence=(samples.document("evd_" + "d" * 26, "deletion-attestation"),),
                )
            ),
        ).found
    )


@pytest.mark.unit
def test_rules_when_read_then_each_has_its_check_its_source_and_commands_that_exist() -> None:
    """The file and the checks name the same rules, once each; every command that is named is one."""
    names = [each.id for each in asked()]
    assert len(names) == len(set(names))
    assert set(names) == set(CHECKS)
    commands = _commands(typer.main.get_command(app))
    for each in asked():
        assert each.source and each.rule and each.evidence and each.mend and each.move  # noqa: PT018 - all are said
        assert len(each.rule) <= 84  # a line of 100 columns holds it
        for words in re.findall(r"`(ecluse [^`]+)`", each.evidence + each.mend):
            assert any(words.startswith(command) for command in commands), words


def _commands(command: Any, words: str = "ecluse") -> set[str]:
    """Return every command by its words."""
    below = getattr(command, "commands", {})
    return {words} if not below else {each for name, child in below.items() for each in _commands(child, f"{words} {name}")}


@pytest.mark.unit
def test_rules_when_said_then_never_compliance() -> None:
    """It is evidence for somebody's examination: no word of ours is its verdict."""
    said = " ".join(f"{each.rule} {each.found} {each.mend}" for each in (*rules_of(seen()), *rules_of(seen(none=True)))).lower()
    assert not re.search(r"complian|conform|certified|guaranteed", said)


@pytest.mark.db
def test_office_when_asked_for_then_its_own_contracts_are_held_against_the_rules(office: Office) -> None:
    """On a real installation: what the evaluation lacks is missing, a firm's faults are named, and page and JSON say the same."""
    name = office.firm()
    answer = office.json("doctor", "--regulator")
    rules = {each["id"]: each for each in answer["rules"]}
    assert set(rules) == set(CHECKS)
    assert rules["A3.apart"]["found"] == "the embedded PostgreSQL, for evaluation only"
    assert rules["B.alert"]["level"] == "warn"
    assert name in rules["A10"]["found"]
    assert answer["count"] == {level: sum(each["level"] == level for each in rules.values()) for level in ("ok", "warn", "note")}
    page = " ".join(office.run("doctor", "--regulator").stdout.split())
    assert all(" ".join(each["rule"].split()) in page for each in rules.values())
    quiet = office.run("doctor", "--regulator", "--quiet").stdout
    assert "mend" in quiet
    assert rules["A3.time"]["rule"] not in quiet


@pytest.mark.db
def test_office_when_a_setting_is_mended_then_its_rule_follows(office: Office) -> None:
    """Retention over twelve months is missing a reason; set back, it is evidence again."""
    path = office.folder / "ecluse.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n[retention]\nopenings_months = 24\n", encoding="utf-8")
    try:
        (long,) = [each for each in office.json("doctor", "--regulator")["rules"] if each["id"] == "A3.time"]
    finally:
        path.write_text(text, encoding="utf-8")
    (kept,) = [each for each in office.json("doctor", "--regulator")["rules"] if each["id"] == "A3.time"]
    assert (long["level"], kept["level"]) == ("warn", "ok")
    assert "24 months" in long["found"]


@pytest.mark.db
def test_office_when_a_contract_can_not_be_read_then_it_is_said_and_no_rule_is_held(office: Office) -> None:
    """Half a picture is no evidence: the map has to fit the contracts first."""
    office.firm()
    path = office.folder / "register.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[attribute.birth_date]", "[attribute.birth_day]"), encoding="utf-8")
    try:
        result = office.run("doctor", "--regulator")
    finally:
        path.write_text(text, encoding="utf-8")
    assert result.exit_code != 0
    assert "evidence for it is there" not in result.stdout
