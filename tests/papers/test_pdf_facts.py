"""Facts of papers against the real parts: what counted on a day, what the ledger holds, and a proof that a stranger can check."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ecluse.contracts import GateState
from ecluse.errors import ConfigurationError
from ecluse.evidence import service
from ecluse.evidence.parse import read_list
from ecluse.flows.service import fold_all
from ecluse.papers.activity import parse_activity
from ecluse.papers.errors import NoContract, PaperTooEarly
from ecluse.papers.facts import Said, assemble
from ecluse.papers.model import Facts, ProcessorFacts
from ecluse.register import parse_register
from tests.agency import Agency
from tests.cli.offices import Office
from tests.e2e.desk import at_work
from tests.e2e.outsider import field_digest, tree_root
from tests.evidence.papers import LIST, SECRET, contract_with, pdf, said
from tests.invented import MARK, contract_text, register_toml
from tests.papers.pdf_text import text_of

pytestmark = pytest.mark.e2e

REGISTER = parse_register(register_toml())
ATTRIBUTES = {name: each.type for name, each in REGISTER.attributes.items()}
ACTIVITY = """
[record]
persons = ["signataires du contrat d'intégration"]
[record.erasure]
identity = "2 ans après la fin du parcours"
"""
SAID_BY_CONTROLLER = """
address = "1 place de l'Écluse, 75000 Paris"
contact = "Aurore Bellechassy, cheffe de service"
reach = "parcours@agency.example"
dpo = "Karim Valbrissac, dpo@agency.example"
"""


async def facts_at(agency: Agency, processor: str | None, **changes: Any) -> Facts:
    """Count the ledger and assemble the facts of one processor, or of all."""
    activity, joint = parse_activity(ACTIVITY)
    files = Said(settings=agency.installation.settings, register=REGISTER, activity=activity, joint=joint)
    async with agency.connected("ecluse_jobs") as jobs:
        await fold_all(jobs)
    async with agency.connected("ecluse_reader") as reader:
        return await assemble(reader, files, changes.get("at"), only=processor)


def only(facts: Facts) -> ProcessorFacts:
    """Return the one processor of some facts."""
    (one,) = facts.processors
    return one


async def hand_in(agency: Agency, processor: str, content: bytes | None = None, **changes: Any) -> str:
    """Submit a document and accept it, as two persons."""
    zone = agency.installation.settings.zone
    asked = said(processor, **{"reviewed_on": (await agency.now()).astimezone(zone).date(), **changes})
    async with agency.connected("ecluse_app") as app:
        submitted = await service.submit(
            app, SECRET, asked, content or pdf(), actor="client:x", attributes=ATTRIBUTES, timezone=zone
        )
        await service.accept(app, SECRET, submitted.evidence.id, log_id=1, actor="cli:anna")
    return submitted.evidence.id


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_facts_when_the_day_has_not_come_or_there_was_no_contract_then_refused(agency: Agency) -> None:
    """A paper says what was so: not what will be, and nothing of a processor that had no contract then."""
    party = await agency.bind()
    now = await agency.now()
    with pytest.raises(PaperTooEarly):
        await facts_at(agency, party.name, at=now + timedelta(days=1))
    with pytest.raises(NoContract):
        await facts_at(agency, "nobody-there")
    with pytest.raises(NoContract):
        await facts_at(agency, party.name, at=now - timedelta(days=3))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[record]\nperson = []", "papers.toml"),
        ("[record\n", "papers.toml"),
        ("[record.erasure]\nshoe_size = 'x'", "papers.toml"),
        ("[[joint]]\ncountry = 'FR'", "papers.toml"),
    ],
)
def test_activity_when_malformed_then_refused_with_its_place(text: str, where: str) -> None:
    """An unknown key, broken TOML, an unknown category or a joint controller without a name is refused."""
    with pytest.raises(ConfigurationError, match=where):
        parse_activity(text)


# ── what counted on a day ────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_documents_when_accepted_then_good_from_that_instant_and_the_gates_history_says_so(agency: Agency) -> None:
    """Before acceptance a document is not there and the gate was frozen; after it, it is good, and history tells both."""
    party = await agency.bind()
    await agency.apply(contract_with(party.name, "pentest", max_age="P12M"))
    before = await agency.now()
    evidence = await hand_in(agency, party.name)
    then, now = only(await facts_at(agency, party.name, at=before)), only(await facts_at(agency, party.name))
    assert then.evidence == ()
    assert then.gate.state is GateState.FROZEN
    (document,) = now.evidence
    assert (document.id, document.counts, document.required, document.accepted_by) == (evidence, True, True, "cli:anna")
    assert document.good_through is not None
    assert document.good_through.year == document.reviewed_on.year + 1
    assert now.gate.state is GateState.OPEN
    assert [(each.state, each.reasons) for each in now.gate_history] == [
        (GateState.CLOSED, ("contract:absent",)),
        (GateState.OPEN, ()),
        (GateState.FROZEN, ("evidence:missing:pentest",)),
        (GateState.OPEN, ()),
    ]
    assert [each.reasons for each in now.gate_ahead] == [("evidence:lapses-soon:pentest",)]


async def test_document_when_withdrawn_or_a_bridge_then_weighed_as_the_gate_does(agency: Agency) -> None:
    """A withdrawn document is shown and good for nothing; a bridge letter is good by the document that it prolongs."""
    party = await agency.bind()
    await agency.apply(contract_with(party.name, "pentest", max_age="P12M"))
    today = (await agency.now()).astimezone(agency.installation.settings.zone).date()
    old = await hand_in(agency, party.name, reviewed_on=today - timedelta(days=380))
    bridge = await hand_in(agency, party.name, bridges=old)
    other = await hand_in(agency, party.name, reviewed_on=today - timedelta(days=30))
    async with agency.connected("ecluse_app") as app:
        await service.withdraw(app, other, log_id=1, actor="cli:anna")
    found = {each.id: (each.counts, each.withdrawn_at is not None) for each in only(await facts_at(agency, party.name)).evidence}
    assert found == {old: (False, False), bridge: (True, False), other: (False, True)}


async def test_contract_when_changed_after_its_signature_then_the_changes_are_told(agency: Agency) -> None:
    """The signed version is the one of that day, or the first; what changed since is told, and the list's sub-processors stand beside the contract's."""
    party = await agency.bind(reads=4)
    yesterday = (await agency.now()).astimezone(agency.installation.settings.zone).date() - timedelta(days=1)
    signed = await hand_in(agency, party.name, kind="signed-contract", title="Acte signé", reviewed_on=yesterday)
    await hand_in(
        agency, party.name, LIST.encode(), kind="sub-processor-list", title="Liste", sub_processors=read_list(LIST.encode())
    )
    one = only(await facts_at(agency, party.name))
    assert one.signature is not None
    assert (one.signature.evidence, one.signature.version, one.signature.changes) == (signed, 1, ())
    await agency.apply(contract_text(party.name, reads=2))
    later = only(await facts_at(agency, party.name))
    assert later.signature is not None
    assert [(each.where, each.before, each.after, each.effect) for each in later.signature.changes] == [
        ("purpose.civic-training.reads_per_appointment", "4", "2", "narrower")
    ]
    assert [(each.name, each.role, each.address, each.declared, each.listed) for each in later.sub_processors] == [
        ("Hébergeur Rhône", "hosting", "1 quai du Port, Lyon", False, True),
        ("Nordic Backup Oy", "backup", "Katu 2, Turku", False, True),
    ]


# ── the ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_numbers_when_disclosed_through_the_door_then_those_of_the_openings(agency: Agency) -> None:
    """Disclosures, distinct persons, forms and refusals equal an independent count of the sealed openings."""
    async with at_work(agency, (20, 21, 22)) as desk:
        for person, attributes in (
            (20, ("family_name",)),
            (20, ("family_name", "birth_date")),
            (21, ("family_name",)),
            (22, ("birth_date",)),
        ):
            assert (await desk.disclose(person, attributes)).status_code == 200
        assert (await desk.disclose(21, ("nationality",))).status_code == 403
    one = only(await facts_at(agency, desk.party.name))
    entries = [each for each in await agency.openings() if each.get("processor") == desk.party.name]
    grants = [each for each in entries if each["event"] == "disclosure:person:granted"]
    given: dict[str, list[tuple[str, str]]] = {}
    for entry in grants:
        for name, form in entry["forms"].items():
            given.setdefault(name, []).append((entry["subject"], form))
    assert one.observed.disclosures == len(grants) == 4
    assert one.observed.persons == len({each["subject"] for each in grants}) == 3
    assert {each.attribute: (each.disclosures, each.persons) for each in one.observed.uses} == {
        name: (len(rows), len({subject for subject, _ in rows})) for name, rows in given.items()
    }
    assert {each.attribute: each.forms for each in one.observed.uses} == {
        name: dict(Counter(form for _, form in set(rows))) for name, rows in given.items()
    }
    refused = Counter(each["reason"] for each in entries if each["event"] == "disclosure:person:refused")
    assert one.observed.refusals == dict(refused) == {"attribute-not-contracted": 1}
    assert one.observed in [each.observed for each in (await facts_at(agency, None)).processors]


def climb(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Compute the root from a leaf's hash (RFC 9162, 2.1.3.2)."""
    at, last, found = index, size - 1, leaf
    for each in path:
        assert last
        if at % 2 or at == last:
            found = hashlib.sha256(b"\x01" + each + found).digest()
            while not at % 2 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + each).digest()
        at, last = at >> 1, last >> 1
    assert not last
    return found


async def test_proof_when_a_stranger_follows_the_papers_steps_then_the_contract_is_in_the_signed_tree(agency: Agency) -> None:
    """Opening to leaf, leaf to root, root in the signed head, and the file's hash in the opening: each by hand, none by our code."""
    party = await agency.bind()
    facts = await facts_at(agency, party.name)
    for _ in range(60):
        if only(facts).proof is not None:
            break
        await asyncio.sleep(0.5)  # the head is signed within a second of the entry, on a machine that has nothing else to do
        facts = await facts_at(agency, party.name)
    proof = only(facts).proof
    assert proof is not None
    opening: Mapping[str, Any] = json.loads(proof.opening)
    digests = [field_digest(name, bytes.fromhex(salt), value) for name, salt, value in opening["fields"]]
    leaf = json.loads(proof.leaf)
    assert leaf == {"c": tree_root(digests).hex(), "h": opening["h"], "k": "control", "v": 1}
    leaf_hash = hashlib.sha256(b"\x00" + proof.leaf.encode()).digest()
    assert leaf_hash.hex() == proof.leaf_hash
    root = climb(leaf_hash, proof.index, proof.size, [bytes.fromhex(each) for each in proof.path])
    assert root.hex() == proof.root == facts.ledger.root
    assert facts.ledger.note.splitlines()[:3] == [facts.ledger.origin, str(proof.size), base64.b64encode(root).decode()]
    shown = {name: value for name, _, value in opening["fields"]}
    assert shown["detail"]["hash"] == only(facts).version.hash


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def desk_office(agency: Agency, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Office:
    """The agency's installation as the command line sees it, working in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Office(agency.folder)


async def bound(agency: Agency) -> str:
    """Bind a processor that says all of itself."""
    party = await agency.bind()
    text = contract_with(party.name).replace(
        'country = "FR"\n', 'country = "FR"\naddress = "3 rue des Essais, Lyon"\ncontact = "Naïma Talbesson, gérante"\n', 1
    )
    await agency.apply(
        text.replace(
            'reference = "2026-T-001"\n', 'reference = "2026-T-001"\nsubject_matter = "Formation"\nnature = "consultation"\n'
        )
    )
    return party.name


def test_command_when_something_is_missing_then_told_written_and_refused(
    agency: Agency, desk_office: Office, tmp_path: Path
) -> None:
    """The paper is written with its boxes, what is missing is told with its place, and the exit code is 1, unless it is a draft."""
    name = asyncio.run(agency.bind()).name
    answer = desk_office.json("papers", "annexes", name, "--out", tmp_path / "a.pdf", code=1)
    assert not answer["complete"]
    assert {each["id"] for each in answer["missing"]} >= {
        "annexes.controller.address",
        "annexes.processor.contact",
        "annexes.persons",
    }
    assert "à compléter : ecluse.toml, controller.address" in text_of((tmp_path / "a.pdf").read_bytes())
    shown = desk_office.run("papers", "record", "--lang", "en", "--draft", "--out", tmp_path / "b.pdf")
    assert shown.exit_code == 0, shown.output
    assert "papers.toml, record.persons" in shown.output
    assert (tmp_path / "b.pdf").stat().st_mode & 0o777 == 0o600


def test_command_when_the_day_the_name_or_the_file_is_wrong_then_refused(
    agency: Agency, desk_office: Office, tmp_path: Path
) -> None:
    """A day to come, an unknown processor, a file that is there: each is one line with its mend, and nothing is written."""
    name = asyncio.run(agency.bind()).name
    (tmp_path / "there.pdf").write_bytes(b"mine")
    for words, said_ in (
        (("annexes", name, "--at", "2199-01-01"), "has not come"),
        (("dossier", "nobody-there"), "had no contract in force"),
        (("dossier", name, "--draft", "--out", tmp_path / "there.pdf"), "there is something else already"),
        (("record", "--draft", "--out", tmp_path / "no" / "such.pdf"), "can't be written"),
    ):
        result = desk_office.run("papers", *words)
        assert result.exit_code in {1, 2}
        assert said_ in result.output
    assert (tmp_path / "there.pdf").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.pdf"]


def test_command_when_everything_is_said_then_complete_papers_without_a_personal_value(
    agency: Agency, desk_office: Office, tmp_path: Path
) -> None:
    """With the controller's, the contract's and the activity's words said, each paper is complete; no value of the register is in one."""
    name = asyncio.run(bound(agency))
    asyncio.run(hand_in(agency, name, kind="signed-contract", title="Acte signé"))
    settings, activity = agency.folder / "ecluse.toml", agency.folder / "papers.toml"
    before = settings.read_text(encoding="utf-8")
    settings.write_text(before.replace("[database]", f"{SAID_BY_CONTROLLER}\n[database]"), encoding="utf-8")
    activity.write_text(ACTIVITY, encoding="utf-8")
    try:
        for words in (("annexes", name), ("record",), ("processor-record", name), ("dossier", name)):
            answer = desk_office.json("papers", *words, "--lang", "en")
            content = (tmp_path / answer["file"]).read_bytes()
            assert answer["complete"], answer["missing"]
            assert (len(content), content[:5]) == (answer["bytes"], b"%PDF-")
            assert MARK not in text_of(content).lower()
            assert MARK not in json.dumps(answer).lower()
    finally:
        settings.write_text(before, encoding="utf-8")
        activity.unlink()
