"""The record as a spreadsheet, and the directory of suppliers: complete, free of formulas, the same bytes; opened by LibreOffice where it is there."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from ecluse.papers.blocks import Fact, Listing, Style
from ecluse.papers.ciso import processing_tables
from ecluse.papers.jsonld import linked_record
from ecluse.papers.missing import Asked, Obligation, obligations
from ecluse.papers.model import Control, Facts, Language, PaperKind
from ecluse.papers.ods import write_ods
from ecluse.papers.own import OwnPaper
from ecluse.papers.sheets import FAMILIES, Sheet, _words, processor_sheets, record_sheets
from ecluse.papers.suppliers import COLUMNS, supplier_directory
from tests.papers.ours import abroad, filled, two
from tests.papers.samples import contract, facts, processor

pytestmark = pytest.mark.unit

HOSTILE = (
    "=1+1",
    "+33 1 99 00 00 00",
    "@SUM(A1)",
    "-2",
    "'=x",
    "\t=1",
    "a\x00b\x07c",
    "\ufffe",
    "a\u202eb",
    "<b>&amp;",
    "=" * 4000,
    "طارق",
    "邓小",
)
ODF = {
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0", "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
}  # fmt: skip


def written(made: Facts, language: Language = Language.FR) -> bytes:
    """Write the record of facts."""
    return write_ods(_sheets(made, language), title="Registre", language=language, at=made.at)


def _sheets(made: Facts, language: Language = Language.FR) -> tuple[Sheet, ...]:
    return record_sheets(made, language, filled(OwnPaper.RECORD, language))


def cells(content: bytes) -> dict[str, list[list[str]]]:
    """Read every cell's text, by sheet, without our library."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        root = ET.fromstring(packed.read("content.xml"))  # noqa: S314 - written a moment ago
    found = {}
    for table in root.iter(f"{{{ODF['table']}}}table"):
        rows = [
            [
                "\n".join("".join(p.itertext()) for p in cell.findall("text:p", ODF))
                for cell in row.findall("table:table-cell", ODF)
            ]
            for row in table.findall("table:table-row", ODF)
        ]
        found[table.get(f"{{{ODF['table']}}}name", "")] = rows
    return found


def said(content: bytes) -> set[str]:
    """Return all texts of all cells."""
    return {straight(text) for rows in cells(content).values() for row in rows for text in row}


def straight(text: str) -> str:
    """Write typographic marks as a keyboard has them."""
    return text.replace("\xa0", " ").replace("\u202f", " ").replace("’", "'")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_sheet_when_a_text_is_hostile_then_a_text_it_stays(hostile: str) -> None:
    """Whatever somebody called their service, no cell is a formula, no part is broken, and what can be shown is."""
    made = two()
    content = written(msgspec.structs.replace(made, activity=msgspec.structs.replace(made.activity, service=hostile)))
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        xml = packed.read("content.xml").decode()
    assert "table:formula" not in xml
    assert 'office:value-type="float"' not in xml
    shown = next(part for part in re.split(r"[^ -~\u0600-\u06ff\u4e00-\u9fff]", hostile) if part or hostile == "\ufffe")
    assert any(shown[:50] in text for text in said(content))


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    "field",
    [each for each in obligations() if (each.paper, each.asked) == (PaperKind.RECORD, Asked.ALWAYS)],
    ids=lambda one: one.id,
)
def test_record_when_a_field_of_the_law_is_empty_then_the_sheet_has_a_marked_cell(field: Obligation, language: Language) -> None:
    """Each field that Art. 30(1) asks for is in the sheet; where nobody said it, a marked cell says where to."""
    made, label = two(), field.label(language)
    assert field.id in _ids(_sheets(made, language))
    head, *steps = field.path.split(".")
    if not field.say or head in {"processors", "erasure_limits"} or not label:
        return
    owner = getattr(made, head)
    nothing = () if isinstance(getattr(owner, steps[0]), tuple) else ""
    empty = msgspec.structs.replace(made, **{head: msgspec.structs.replace(owner, **{steps[0]: nothing})})
    marked = [row for row in _facts(_sheets(empty, language)) if row.id == field.id and row.lines[0].style is Style.MISSING]
    assert any(field.say in row.lines[0].text for row in marked)


def _facts(sheets: tuple[Sheet, ...]) -> list[Fact]:
    """Return all labelled values."""
    return [row for sheet in sheets for block in sheet.blocks if isinstance(block, Listing) for row in block.rows]


def _ids(sheets: tuple[Sheet, ...]) -> set[str]:
    """Return the obligations that sheets fulfil."""
    found: set[str] = set()
    for sheet in sheets:
        for block in sheet.blocks:
            found |= set(getattr(block, "ids", ()))
            found |= {row.id for row in getattr(block, "rows", ()) if hasattr(row, "id")}
    return found


def test_record_when_a_time_limit_is_not_said_then_its_cell_says_where() -> None:
    """A category of data without a time limit is a marked cell that names the key."""
    made = two()
    content = written(msgspec.structs.replace(made, activity=msgspec.structs.replace(made.activity, erasure=())))
    assert "à compléter : papers.toml, record.erasure.identity" in said(content)


@pytest.mark.parametrize(
    "field", [each for each in obligations() if each.paper is PaperKind.PROCESSOR_RECORD], ids=lambda one: one.id
)
def test_processor_record_when_written_then_each_field_of_the_law_is_there(field: Obligation) -> None:
    """Each field that Art. 30(2) asks for is in a processor's sheet."""
    assert field.id in _ids(processor_sheets(two(), abroad(), Language.EN))


def test_record_when_there_are_two_purposes_then_a_list_a_sheet_each_and_ours() -> None:
    """The workbook has the list, one sheet for each purpose, and Écluse's own."""
    assert list(cells(written(two()))) == ["Liste des traitements", "01", "02", "Écluse"]
    assert list(cells(written(facts(), Language.EN))) == ["List", "01", "02", "Écluse"]


def test_record_when_no_contract_is_in_force_then_it_says_so() -> None:
    """Without a processor there is a list without activities, and our own sheet."""
    made = msgspec.structs.replace(facts(), processors=())
    content = written(made)
    assert list(cells(content)) == ["Liste des traitements", "Écluse"]
    assert "Aucun contrat n'est en vigueur : il n'y a pas de destinataire." in said(content)


def test_formats_when_an_attribute_is_withheld_then_none_says_that_it_is_given() -> None:
    """What a contract names only to withhold stands in no record, no linked data, no workbook."""
    text = {'email = "relay"': 'email = "withheld"'}
    made = facts(processor(contract=contract(**text)))
    assert "email" not in linked_record(made, Language.EN).decode()
    assert "e-mail address" not in said(written(made, Language.EN))
    assert "email" not in [row["name"] for row in processing_tables(made)[2].rows]


def test_record_when_written_twice_then_the_same_bytes() -> None:
    """The file bears no clock; its media type comes first and bare, as the format wants."""
    content = written(two())
    assert content == written(two())
    assert content[30:84] == b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert {each.date_time for each in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_record_when_seen_by_the_ledger_then_its_numbers_are_in_the_sheet() -> None:
    """Disclosures and persons of the facts stand in the purpose's sheet."""
    rows = cells(written(facts(), Language.EN))["01"]
    assert ["Lyon Formation SAS", "family name", "5230", "4112", "0"] in [row[:5] for row in rows]


def test_families_when_compared_then_every_measure_has_one_and_every_word_two_languages() -> None:
    """No measure is left out of the sheet, and both languages have the same words."""
    assert set(FAMILIES) == set(Control)
    assert set(_words(Language.FR)) == set(_words(Language.EN))


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not on this machine")
def test_record_when_libreoffice_opens_it_then_its_cells_are_ours(tmp_path: Path) -> None:
    """LibreOffice converts every sheet to CSV, and each of our texts is in one of them."""
    content, source = written(two()), tmp_path / "record.ods"
    source.write_bytes(content)
    target = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
    own = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = ["soffice", own, "--headless", "--convert-to", target, "--outdir", str(tmp_path / "out"), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    texts = [path.read_bytes().decode("utf-8") for path in (tmp_path / "out").glob("*.csv")]
    read = {straight(cell) for text in texts for row in csv.reader(io.StringIO(text, newline="")) for cell in row}
    assert {" ".join(text.split()) for text in said(content)} - {" ".join(text.split()) for text in read} == set()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_suppliers_when_a_name_is_hostile_then_no_cell_begins_like_a_formula(hostile: str) -> None:
    """No cell of the directory begins like a formula, and every row has every column."""
    body = msgspec.structs.replace(processor().body, name=hostile, address=f'{hostile}",\r\n=1')
    rows = list(csv.reader(io.StringIO(supplier_directory(facts(processor(body=body))).decode("utf-8-sig"), newline="")))
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and cell]


def test_suppliers_when_written_then_processors_and_those_below_them() -> None:
    """Each processor has its contact point and services, each sub-processor whom it works for."""
    rows = list(csv.DictReader(io.StringIO(supplier_directory(two()).decode("utf-8-sig"))))
    assert [(row["supplier"], row["direct"], row["supplies"]) for row in rows] == [
        ("lyon-formation", "yes", "Office de l'intégration (démonstration)"), ("", "no", "lyon-formation"),
        ("tunis-langues", "yes", "Office de l'intégration (démonstration)"), ("", "no", "tunis-langues"),
    ]  # fmt: skip
    assert rows[0]["contact_point"] == "rssi@lyon-formation.example"
    assert rows[0]["services"] == "Journée de formation civique; Formation linguistique, parcours A1"
    assert (rows[1]["name"], rows[1]["services"]) == ("Hébergeur Rhône", "hosting")
