"""``ecluse papers``: sheets, linked data, workbooks and our own papers, from a real installation with its PostgreSQL."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from pyld import jsonld

from ecluse.cli.papers_formats import own_facts
from ecluse.papers.model import Language
from ecluse.papers.own import retention_words
from tests.cli.offices import Office

pytestmark = pytest.mark.db

SAID = """
[record]
reference = "T-017"
service = "Service des parcours"
created_on = 2026-01-05
updated_on = 2026-06-01
persons = ["signataires du contrat"]
source = "dossier de l'agence"
rights = "par courrier"
impact_assessment = "AIPD 12"
automated_decisions = "aucune"
internal_recipients = ["service des parcours"]
[record.erasure]
identity = "2 ans"
contact = "2 ans"
civil_status = "2 ans"
programme = "2 ans"
residence = "2 ans"
"""


@pytest.fixture(scope="module")
def paper_office(found: Callable[..., Office]) -> Office:
    """Return an office that said what the law asks for, with one processor."""
    office = found("papers-formats")
    settings = office.folder / "ecluse.toml"
    text = settings.read_text(encoding="utf-8")
    assert "[controller]\n" in text
    said = 'address = "44 rue d\'Exemple"\ncontact = "Lou Marin, directrice"\nreach = "agence@agence.example"\ndpo = "dpo@agence.example"\n'
    settings.write_text(text.replace("[controller]\n", f"[controller]\n{said}"), encoding="utf-8")
    (office.folder / "papers.toml").write_text(SAID, encoding="utf-8")
    office.firm()
    return office


def test_sheet_when_the_file_is_there_already_then_refused(paper_office: Office, tmp_path: Path) -> None:
    """Nothing is written over, and the line says where and the mend."""
    out = tmp_path / "record.ods"
    out.write_text("mine", encoding="utf-8")
    refused = paper_office.run("papers", "sheet", "--out", out)
    assert refused.exit_code == 2
    assert "there is something else already" in refused.output
    assert out.read_text(encoding="utf-8") == "mine"


def test_sheet_when_something_is_not_said_then_written_and_told(paper_office: Office, tmp_path: Path) -> None:
    """A record with an empty field is written, told with the place where to say it, and ends with 1; --draft ends with 0."""
    papers = paper_office.folder / "papers.toml"
    papers.write_text(SAID.replace('["signataires du contrat"]', "[]"), encoding="utf-8")
    try:
        told = paper_office.json("papers", "sheet", "--out", tmp_path / "a.ods", code=1)
        assert [(each["id"], each["say"]) for each in told["missing"]] == [("record.persons", "papers.toml, record.persons")]
        assert paper_office.run("papers", "jsonld", "--draft", "--out", tmp_path / "b.jsonld").exit_code == 0
    finally:
        papers.write_text(SAID, encoding="utf-8")
    assert zipfile.is_zipfile(tmp_path / "a.ods")


@pytest.mark.parametrize("words", [("sheet", "nobody"), ("jsonld", "nobody")])
def test_record_when_the_processor_is_unknown_then_refused(paper_office: Office, words: tuple[str, ...]) -> None:
    """A processor without a contract has no record."""
    refused = paper_office.run("papers", *words)
    assert refused.exit_code == 1
    assert "nobody had no contract in force" in refused.output


def test_records_when_written_then_complete_and_readable(paper_office: Office, tmp_path: Path) -> None:
    """Both records, as sheet and as linked data, in both languages."""
    firm = paper_office.json("processor", "list")["processors"][0]["id"]
    for lang in ("fr", "en"):
        for whose in ((), (firm,)):
            name = f"{lang}-{len(whose)}"
            told = paper_office.json("papers", "sheet", *whose, "--lang", lang, "--out", tmp_path / f"{name}.ods", "--draft")
            assert zipfile.is_zipfile(tmp_path / f"{name}.ods")
            assert whose or told["complete"]
            paper_office.json("papers", "jsonld", *whose, "--lang", lang, "--out", tmp_path / f"{name}.jsonld", "--draft")
            expanded = jsonld.expand(
                json.loads((tmp_path / f"{name}.jsonld").read_text(encoding="utf-8")), {"documentLoader": None}
            )
            assert expanded[0]["@type"] == ["https://w3id.org/dpv#ROPA"]


def test_ciso_when_written_and_compared_then_the_same_and_a_change_is_told(paper_office: Office, tmp_path: Path) -> None:
    """The three workbooks are written; the first compares as the same, and, changed, each difference is told."""
    for kind in ("ecosystem", "evidence", "processing"):
        paper_office.json("papers", "ciso", kind, "--out", tmp_path / f"{kind}.xlsx")
    same = paper_office.json("papers", "ciso", "compare", tmp_path / "ecosystem.xlsx")
    assert same["same"] is True
    book = openpyxl.load_workbook(tmp_path / "ecosystem.xlsx")
    book["Contracts"]["H2"] = "2031-12-31"
    book.save(tmp_path / "changed.xlsx")
    found = paper_office.json("papers", "ciso", "compare", tmp_path / "changed.xlsx", code=1)["differences"]
    assert [(each["kind"], each["column"], each["theirs"]) for each in found] == [("differs", "end_date", "2031-12-31")]
    refused = paper_office.run("papers", "ciso", "compare", paper_office.folder / "papers.toml")
    assert refused.exit_code == 1
    assert "it is not an .xlsx file" in refused.output


def test_suppliers_when_written_then_each_firm_with_its_contact(paper_office: Office, tmp_path: Path) -> None:
    """The directory names each processor with its contact point."""
    paper_office.json("papers", "suppliers", "--out", tmp_path / "s.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "s.csv").read_text(encoding="utf-8-sig"))))
    assert [row["contact_point"] for row in rows if row["direct"] == "yes"] == ["rssi@lyon-formation.example"]


@pytest.mark.parametrize(
    ("paper", "shape", "begins"),
    [("dpia", "pdf", b"%PDF"), ("notice", "pdf", b"%PDF"), ("record", "md", b"# "), ("pia", "md", b"{")],
)
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_own_when_written_then_filled_for_this_installation(
    paper_office: Office, tmp_path: Path, paper: str, shape: str, begins: bytes, lang: str
) -> None:
    """Each of our own papers is written, in both languages, with what this installation says."""
    out = tmp_path / "own"
    told = paper_office.json("papers", "own", paper, "--as", shape, "--lang", lang, "--out", out)
    content = out.read_bytes()
    assert content.startswith(begins)
    assert told["bytes"] == len(content)
    if shape == "md":
        assert b"Office" in content


def test_retention_when_the_schema_is_read_then_our_papers_say_all_of_it_and_nothing_else(paper_office: Office) -> None:
    """Each comment of the schema on persons and staff has its words in both languages, and no word stands for nothing."""
    kept, words = own_facts(paper_office.folder).kept, retention_words()
    assert len(kept) > 25
    assert set(words.table) == {each.table for each in kept}
    assert set(words.what) == {each.what for each in kept}
    assert set(words.long) == {each.long for each in kept}
    assert {Language.FR, Language.EN} == set(Language)
