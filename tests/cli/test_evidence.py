"""``ecluse evidence``, ``finding`` and ``override``: what a person sees before she says yes, two accounts where two are needed, files for their owner."""

from __future__ import annotations

import re
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest

from ecluse.ids import random_bytes
from tests.cli.offices import Office
from tests.evidence.papers import LIST, pdf

pytestmark = pytest.mark.db

TODAY = date.today()  # noqa: DTZ011 - days of this machine, as an operator types them
YESTERDAY = TODAY - timedelta(days=1)


def firm(office: Office, *kinds: str) -> str:
    """Register a processor whose contract asks for these kinds of evidence only."""
    processor = f"firm-{random_bytes(5).hex()}"
    office.json("processor", "add", processor, "--name", "Une maison SARL")
    path = office.contract(processor)
    text = re.sub(r"\[\[evidence_required\]\]\n(?:[^\[\n].*\n|\n)*", "", path.read_text(encoding="utf-8"))
    path.write_text(
        text + "".join(f'\n[[evidence_required]]\nkind = "{kind}"\nmax_age = "P12M"\n' for kind in kinds), encoding="utf-8"
    )
    office.json("contract", "apply", path, "--yes")
    return processor


def paper(tmp_path: Path, content: bytes | None = None, name: str = "rapport.pdf") -> Path:
    """Write a document into a file."""
    path = tmp_path / name
    path.write_bytes(content or pdf())
    return path


def hand_in(office: Office, processor: str, file: Path, *words: str, kind: str = "pentest", code: int = 0) -> dict[str, object]:
    """Hand a document in."""
    answer: dict[str, object] = office.json(
        "evidence", "submit", processor, file, "--kind", kind, "--title", "Essai d'intrusion 2026", "--issuer", "Cabinet Exemple",
        "--reviewed-on", YESTERDAY.isoformat(), *words, code=code,
    )  # fmt: skip
    return answer


def test_submit_when_wrong_then_each_fault_on_its_line(office: Office, tmp_path: Path) -> None:
    """Every fault is a line that says where, why and the mend; a day that is none is wrong usage."""
    processor = firm(office, "pentest")
    words = ("evidence", "submit", processor, paper(tmp_path), "--kind", "pentset", "--title", "x", "--issuer", "y")
    result = office.run(*words, "--reviewed-on", (TODAY + timedelta(days=2)).isoformat(), "--site", "nulle-part")
    assert result.exit_code == 1
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["kind", "reviewed_on", "sites"]
    for wrong in ("demain", "20260131", "2026-02-30"):
        assert office.run(*words, "--reviewed-on", wrong).exit_code == 2
    assert office.run(*words, "--reviewed-on", YESTERDAY.isoformat(), "--from", "2026-01-01").exit_code == 2
    assert office.json("evidence", "list", processor)["documents"] == []


def test_document_when_accepted_then_the_change_is_told_before_it_is_asked(office: Office, tmp_path: Path) -> None:
    """The screen shows the document, the gate now and after; a no changes nothing; a yes opens, is sealed and is found again by fsck."""
    processor = firm(office, "pentest")
    handed = hand_in(office, processor, paper(tmp_path))
    name = str(handed["evidence"]["id"])  # type: ignore[index]
    refused = office.run("evidence", "accept", name, stdin="n\n")
    assert refused.exit_code == 1
    assert "penetration test report" in refused.stdout
    assert f"The gate of {processor}: now frozen, after this open." in refused.stdout
    assert re.search(r"settled\s+no penetration test report was ever accepted", refused.stdout)
    assert "You handed it in yourself" in refused.stdout
    assert "Nothing was changed." in refused.stdout
    assert office.run("evidence", "accept", name, "--json").exit_code == 2
    done = office.json("evidence", "accept", name, "--yes")
    assert (done["own"], done["gate"]["before"]["state"], done["gate"]["after"]["state"]) == (True, "frozen", "open")
    assert office.json("contract", "gate", processor)["state"] == "open"
    assert office.run("evidence", "accept", name, "--yes").exit_code == 1
    assert office.json("ledger", "fsck")["problems"] == []
    back = office.json("evidence", "withdraw", name, "--yes")
    assert back["gate"]["after"] == {"state": "frozen", "reasons": ["evidence:lapsed:pentest"]}
    assert office.json("ledger", "fsck")["problems"] == []


def test_document_when_fetched_then_the_same_bytes_for_the_owner_only_and_never_over_another_file(
    office: Office, tmp_path: Path
) -> None:
    """What comes back is what was handed in, in a new file of mode 0600."""
    processor = firm(office)
    content = pdf("= Plan de sécurité")
    name = str(hand_in(office, processor, paper(tmp_path, content), kind="security-policy")["evidence"]["id"])  # type: ignore[index]
    out = tmp_path / "back.pdf"
    office.json("evidence", "fetch", name, "--out", out)
    assert out.read_bytes() == content
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    again = office.run("evidence", "fetch", name, "--out", out)
    assert (again.exit_code, out.read_bytes()) == (1, content)
    assert office.run("evidence", "fetch", "evd_" + "a" * 26, "--out", tmp_path / "x").exit_code == 1


def test_list_of_sub_processors_when_a_table_then_its_rows_are_read_and_what_is_undeclared_is_foretold(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CSV is document and rows at once; a PDF takes its rows from a file beside it; another account is no `own`."""
    processor = firm(office)
    handed = hand_in(office, processor, paper(tmp_path, LIST.encode(), "liste.csv"), kind="sub-processor-list")
    assert len(handed["evidence"]["sub_processors"]) == 2  # type: ignore[index]
    beside = paper(
        tmp_path, b'[[sub_processor]]\nname = "A"\naddress = "x"\ncontact = "y"\ncountry = "FR"\nrole = "z"\n', "rows.toml"
    )
    other = hand_in(office, processor, paper(tmp_path), "--list", str(beside), kind="sub-processor-list")
    assert len(other["evidence"]["sub_processors"]) == 1  # type: ignore[index]
    monkeypatch.setattr("ecluse.cli.reach.actor", lambda: "cli:bruno")
    name = str(handed["evidence"]["id"])  # type: ignore[index]
    shown = office.run("evidence", "accept", name, stdin="n\n").stdout
    assert "Nordic Backup Oy" in shown
    done = office.json("evidence", "accept", name, "--yes")
    assert (done["own"], done["gate"]["after"]["state"]) == (False, "frozen")


def test_document_when_rejected_then_shown_with_the_reason(office: Office, tmp_path: Path) -> None:
    """A rejected document waits no more, and says why."""
    processor = firm(office)
    name = str(hand_in(office, processor, paper(tmp_path), kind="insurance")["evidence"]["id"])  # type: ignore[index]
    assert [one["id"] for one in office.json("evidence", "list", processor, "--waiting")["documents"]] == [name]
    office.json("evidence", "reject", name, "--why", "Le montant manque")
    assert office.json("evidence", "list", processor, "--waiting")["documents"] == []
    shown = office.run("evidence", "show", name).stdout
    assert re.search(r"because\s+Le montant manque", shown)
    assert office.json("evidence", "show", name)["state"] == "rejected"


def test_finding_when_overdue_then_it_is_foretold_that_it_freezes_at_once(office: Office) -> None:
    """The screen says what it does before it is asked; closing it in words opens again."""
    processor = firm(office)
    words = ("finding", "open", processor, "--source", "audit", "--severity", "critical", "--title", "Compte partagé")
    assert office.run(*words, "--due-on", (TODAY + timedelta(days=40)).isoformat(), "--yes").exit_code == 1
    asked = office.run(*words, "--due-on", (TODAY - timedelta(days=3)).isoformat(), stdin="n\n")
    assert (asked.exit_code, office.json("finding", "list", processor)["findings"]) == (1, [])
    assert f"The gate of {processor}: now open, after this frozen." in asked.stdout
    assert re.search(r"new\s+.*past its due day", asked.stdout)
    opened = office.json(*words, "--due-on", (TODAY - timedelta(days=3)).isoformat(), "--yes")
    assert "overdue" in office.run("finding", "list", processor).stdout
    closed = office.json("finding", "close", opened["finding"], "--done", "Comptes nominatifs, vérifiés sur place", "--yes")
    assert (closed["gate"]["before"]["state"], closed["gate"]["after"]["state"]) == ("frozen", "open")
    assert office.json("finding", "list", processor)["findings"] == []
    assert [one["id"] for one in office.json("finding", "list", processor, "--all")["findings"]] == [opened["finding"]]
    assert office.json("ledger", "fsck")["problems"] == []


def test_override_when_one_account_asks_then_another_has_to_approve(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without reasons it asks for all that freeze now; its own account is refused, another lifts, anyone of them revokes."""
    processor = firm(office, "pentest", "audit")
    nothing = office.run("override", "ask", firm(office), "--why", "x", "--hours", "1")
    assert nothing.exit_code == 1
    assert office.run("override", "ask", processor, "--why", "x", "--hours", "73").exit_code == 2
    asked = office.run("override", "ask", processor, "--why", "Rentrée de 400 personnes", "--hours", "4")
    assert asked.exit_code == 0, asked.output
    assert "Another account, within 24 hours: ecluse override approve ovr_" in asked.stdout
    (waiting,) = office.json("override", "list", processor)["overrides"]
    assert (waiting["state"], waiting["reasons"]) == ("asked", ["evidence:missing:pentest", "evidence:missing:audit"])
    own = office.run("override", "approve", waiting["id"], "--yes")
    assert (own.exit_code, own.stderr.partition(":")[0]) == (1, "override-own")
    monkeypatch.setattr("ecluse.cli.reach.actor", lambda: "cli:bruno")
    done = office.json("override", "approve", waiting["id"], "--yes")
    assert (done["approved_by"], done["gate"]["after"]["state"]) == ("cli:bruno", "warn")
    assert "in force" in office.run("override", "list", processor).stdout
    back = office.json("override", "revoke", waiting["id"], "--yes")
    assert back["gate"]["after"]["state"] == "frozen"
    assert office.json("override", "list", processor)["overrides"] == []
    assert office.json("override", "list", processor, "--all")["overrides"][0]["state"] == "revoked"
    assert office.json("ledger", "fsck")["problems"] == []


def test_key_when_lost_with_documents_then_refused_and_begun_anew_above_it(office: Office, tmp_path: Path) -> None:
    """No new key is made while documents are sealed under the lost one; a rotation opens what was sealed before it."""
    processor = firm(office)
    name = str(hand_in(office, processor, paper(tmp_path), kind="insurance")["evidence"]["id"])  # type: ignore[index]
    path = office.folder / "keys" / "evidence.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    safe = path.read_text(encoding="utf-8")
    path.unlink()
    lost = office.run("evidence", "fetch", name, "--out", tmp_path / "lost")
    assert (lost.exit_code, lost.stderr.partition(":")[0]) == (2, "keys/evidence.key")
    assert not path.exists()
    last = len(safe.splitlines())
    assert office.json("keys", "rotate", "evidence", "--lost-after", str(last))["version"] == last + 1
    broken = office.run("evidence", "fetch", name, "--out", tmp_path / "broken")
    assert (broken.exit_code, broken.stderr.partition(":")[0]) == (1, "evidence-broken")
    assert not (tmp_path / "broken").exists()
    path.write_text(safe, encoding="utf-8")
    assert office.json("keys", "rotate", "evidence")["version"] == last + 1
    office.json("evidence", "fetch", name, "--out", tmp_path / "found")
    assert {"key": "evidence", "name": f"version {last + 1}", "state": "in use", "from": ""} in office.json("keys", "list")[
        "keys"
    ]
