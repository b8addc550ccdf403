"""Workbooks for CISO Assistant: hostile ones refused cell by cell, ours read back as the same objects whatever their texts, others compared."""

from __future__ import annotations

import contextlib
import io
import zipfile
from datetime import UTC, datetime
from typing import Any

import msgspec
import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecluse.papers.cells import bare, guard
from ecluse.papers.ciso import (
    AGREEMENT,
    ENTITY,
    SOLUTION,
    Agreement,
    Ecosystem,
    Entity,
    Solution,
    compare,
    ecosystem_of,
    ecosystem_tables,
    evidence_tables,
    processing_tables,
    read_ecosystem,
)  # fmt: skip
from ecluse.papers.errors import WorkbookInvalid
from ecluse.papers.workbook import MOST_CELL_CHARACTERS, Table, read_workbook, write_workbook
from tests.papers.ours import abroad, two
from tests.papers.samples import facts, processor

pytestmark = pytest.mark.unit

AT = datetime(2026, 9, 15, 9, 30, tzinfo=UTC)
ODD = st.sampled_from(
    [
        "=1+1",
        "'=1",
        "''+",
        "@x",
        "+33 1",
        "a|b,c;d",
        "a\tb",
        "  =x",
        "_x0041_",
        "_x0007_",
        "<r>&</r>",
        "<r><t>x</t></r>",
        "طارق",
        "邓小",
        "🙂",
        "＝1",
        "x" * 5000,
    ]
)
TEXTS = st.one_of(ODD, st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=40)).map(str)
LINES = TEXTS.map(lambda text: text.replace("\n", " "))


def workbook(**changes: Any) -> bytes:
    """Write our workbook, or what is wrong with it: ``cells`` of the sheet *Entities* by address, ``drop`` a sheet."""
    tables = ecosystem_tables(ecosystem_of(two()))
    book = openpyxl.load_workbook(io.BytesIO(write_workbook(tables, AT)))
    for address, value in changes.get("cells", {}).items():
        book["Entities"][address] = value
    if "drop" in changes:
        del book[changes["drop"]]
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "where", "why"),
    [
        (b"", "the workbook", "it is not an .xlsx file"),
        (b"PK\x03\x04 not really", "the workbook", "it is not an .xlsx file"),
        (b"ref_id,name\n1,2\n", "the workbook", "it is not an .xlsx file"),
        (b"x" * (20 * 1024 * 1024 + 1), "the workbook", "it is larger than 20 MiB"),
    ],
)
def test_workbook_when_it_is_none_then_refused(content: bytes, where: str, why: str) -> None:
    """What is no workbook is refused with the reason, before any parser of sheets sees it."""
    with pytest.raises(WorkbookInvalid) as refused:
        read_ecosystem(content)
    assert (refused.value.where, refused.value.why) == (where, why)


@pytest.mark.parametrize(
    ("changes", "where", "why"),
    [
        ({"drop": "Solutions"}, 'sheet "Solutions"', "it is not in the workbook"),
        ({"cells": {"A1": "reference"}}, 'sheet "Entities"', "the column ref_id is missing"),
        ({"cells": {"B3": "=1+1"}}, 'sheet "Entities", row 3, column 2', "it holds a formula or a fault"),
    ],
)
def test_workbook_when_something_is_wrong_in_it_then_the_cell_is_named(changes: dict[str, Any], where: str, why: str) -> None:
    """A sheet that lacks, a column that lacks, a formula: each is named by its place."""
    with pytest.raises(WorkbookInvalid) as refused:
        read_ecosystem(workbook(**changes))
    assert (refused.value.where, refused.value.why) == (where, why)


def test_workbook_when_it_unpacks_to_too_much_or_declares_a_type_then_refused() -> None:
    """A bomb and a document type are refused unread; one that says it is small and is not is refused, too."""
    typed = b'<!DOCTYPE x [<!ENTITY a "b">]><x/>'
    for part, why in (
        (b"0" * (65 * 1024 * 1024), "it unpacks to more than 64 MiB"),
        (typed, "a part of it declares a document type"),
    ):
        out = io.BytesIO(workbook())
        with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("xl/more.xml", part)
        with pytest.raises(WorkbookInvalid) as refused:
            read_ecosystem(out.getvalue())
        assert refused.value.why == why


def test_workbook_when_its_parts_are_damaged_then_one_error_of_ours() -> None:
    """Whatever byte of a workbook is changed, it reads or is refused by our own error."""
    content = workbook()
    for at in range(0, len(content), 997):
        damaged = content[:at] + bytes([content[at] ^ 0x5A]) + content[at + 1 :]
        with contextlib.suppress(WorkbookInvalid):
            read_ecosystem(damaged)


def test_rows_when_there_are_too_many_then_refused() -> None:
    """More rows than anybody has processors are refused."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Entities")
        for number in range(10_002):
            sheet.write_string(number, 0, "ref_id")
    with pytest.raises(WorkbookInvalid, match="more than 10,000 rows"):
        read_workbook(out.getvalue(), {"Entities": ("ref_id",)})


@pytest.mark.parametrize(("length", "fits"), [(MOST_CELL_CHARACTERS, True), (MOST_CELL_CHARACTERS + 1, False)])
def test_cell_when_a_text_is_too_long_then_refused_not_cut(length: int, fits: bool) -> None:
    """A text is written whole or refused with its place."""
    table = Table("Sheet", ("name",), [{"name": "x" * length}])
    if fits:
        assert read_workbook(write_workbook([table], AT), {"Sheet": ("name",)})["Sheet"][0]["name"] == "x" * length
        return
    with pytest.raises(WorkbookInvalid, match='sheet "Sheet", row 2, column name'):
        write_workbook([table], AT)


def test_cell_when_a_text_holds_controls_then_they_are_shown_as_lost() -> None:
    """A control character, which no contract can hold, becomes the sign for what can't be shown."""
    table = Table("Sheet", ("name",), [{"name": "a\x07b\x00\rc\nd"}])
    assert read_workbook(write_workbook([table], AT), {"Sheet": ("name",)})["Sheet"][0]["name"] == "a\ufffdb\ufffd\ufffdc\nd"


@given(text=st.text())
@settings(max_examples=300)
def test_guard_when_any_text_then_no_formula_and_back(text: str) -> None:
    """A guarded text begins like no formula, and comes back as it was."""
    assert bare(guard(text)) == text
    assert guard(text)[:1] not in {"=", "+", "-", "@", "\t", "\r"}


def _ecosystem() -> st.SearchStrategy[Ecosystem]:
    """Make ecosystems of any texts."""
    refs = st.text("abc.-", min_size=1, max_size=6).map("ecluse.".__add__)
    entity = st.builds(Entity, ref_id=refs, name=TEXTS, description=TEXTS, country=LINES)
    solution = st.builds(Solution, ref_id=refs, name=TEXTS, description=TEXTS, provider_entity_ref_id=refs)
    agreement = st.builds(
        Agreement, ref_id=refs, name=TEXTS, description=TEXTS, provider_entity_ref_id=refs, solution_ref_id=st.lists(refs, max_size=3, unique=True).map(tuple),
        status=LINES, start_date=st.dates().map(str), end_date=st.dates().map(str),
    )  # fmt: skip

    def several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(one, max_size=3, unique_by=lambda each: each.ref_id).map(
            lambda found: tuple(sorted(found, key=lambda each: each.ref_id))
        )

    return st.builds(Ecosystem, entities=several(entity), solutions=several(solution), agreements=several(agreement))


@given(ecosystem=_ecosystem())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_ecosystem_when_written_and_read_then_the_same_objects(ecosystem: Ecosystem) -> None:
    """Formulas, separators, markup, other scripts, long texts: what is exported re-imports as the same objects."""
    assert read_ecosystem(write_workbook(ecosystem_tables(ecosystem), AT)) == ecosystem


def test_ecosystem_when_made_of_contracts_then_read_back_the_same() -> None:
    """Processors, their contracts, the chain below them: the export of real facts re-imports as the same objects, twice as the same bytes."""
    ours = ecosystem_of(two())
    content = write_workbook(ecosystem_tables(ours), AT)
    assert read_ecosystem(content) == ours
    assert content == write_workbook(ecosystem_tables(ours), AT)
    assert [each.ref_id for each in ours.entities if each.ref_id.startswith("ecluse.p.")] == [
        "ecluse.p.lyon-formation",
        "ecluse.p.tunis-langues",
    ]
    assert len(ours.entities) == 3
    providers = {each.ref_id: each.provider_entity_ref_id for each in ours.solutions}
    agreement = ours.agreements[0]
    host = next(each.ref_id for each in ours.entities if each.name == "Hébergeur Rhône")
    assert {providers[each] for each in agreement.solution_ref_id} == {"ecluse.p.lyon-formation", host}
    assert (agreement.name, agreement.status, agreement.start_date, agreement.end_date) == (
        "2026-CIR-017",
        "active",
        "2026-01-01",
        "2027-12-31",
    )


def test_ecosystem_when_written_then_that_importer_s_sheets_and_columns() -> None:
    """Three sheets in its order, with its columns; nothing that its importer would split stands in a reference; no cell is a formula or a link."""
    book = openpyxl.load_workbook(io.BytesIO(write_workbook(ecosystem_tables(ecosystem_of(two())), AT)))
    assert book.sheetnames == ["Entities", "Solutions", "Contracts"]
    assert [tuple(cell.value for cell in sheet[1]) for sheet in book] == [ENTITY, SOLUTION, AGREEMENT]
    cells = [cell for sheet in book for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    assert not [cell for cell in cells if cell.hyperlink]
    for row in book["Contracts"].iter_rows(min_row=2, values_only=True):
        assert not set(",|;") & set(str(row[AGREEMENT.index("solution_ref_id")]))


def test_names_when_long_then_within_what_that_tool_holds() -> None:
    """No name is longer than the 200 characters of its models, however long ours are."""
    sub = msgspec.structs.replace(processor().sub_processors[0], role="r" * 200)
    document = msgspec.structs.replace(processor().evidence[0], title="t" * 400)
    made = facts(processor(sub_processors=(sub,), evidence=(document,)))
    rows = [
        row
        for table in (*ecosystem_tables(ecosystem_of(made)), *evidence_tables(made), *processing_tables(made))
        for row in table.rows
    ]
    assert max(len(row["name"]) for row in rows) <= 200


def test_compare_when_the_other_side_departs_then_each_place_is_named() -> None:
    """A lacking entity, one that no contract says, a changed date are told; what is the other side's own is left alone."""
    ours = ecosystem_of(two())
    gone, other = (Entity(ref_id=ref, name="A name", description="", country="FR") for ref in ("ecluse.p.gone", "ENT-9"))
    theirs = msgspec.structs.replace(
        ours, entities=(*ours.entities[1:], gone, other),
        agreements=(msgspec.structs.replace(ours.agreements[0], end_date="2029-12-31"), *ours.agreements[1:]),
    )  # fmt: skip
    found = [(each.kind, each.sheet, each.ref_id, each.column) for each in compare(ours, theirs)]
    assert found == [
        ("unknown", "Entities", "ecluse.p.gone", ""), ("missing", "Entities", ours.entities[0].ref_id, ""),
        ("differs", "Contracts", "ecluse.c.lyon-formation", "end_date"),
    ]  # fmt: skip
    assert compare(ours, read_ecosystem(workbook())) == ()


def test_compare_when_that_tool_exported_it_then_its_own_columns_and_order_do_not_matter() -> None:
    """Its export has further columns and sheets, dates as dates, solutions in any order, and an apostrophe before what looks like a formula."""
    ours = ecosystem_of(facts(processor(body=msgspec.structs.replace(processor().body, name="=Lyon"))))
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"strings_to_formulas": False}) as book:
        for table in ecosystem_tables(ours):
            sheet = book.add_worksheet(table.name)
            for column, name in enumerate(["internal", *table.columns]):
                sheet.write_string(0, column, name)
                for number, row in enumerate(table.rows, 1):
                    text = row.get(name, "")
                    if name in {"start_date", "end_date"}:
                        sheet.write_datetime(
                            number, column, datetime.fromisoformat(text), book.add_format({"num_format": "yyyy-mm-dd"})
                        )
                    else:
                        lines = "\n".join(reversed(text.split("\n"))) if name == "solution_ref_id" else text
                        sheet.write_string(number, column, f"'{lines}" if lines.startswith("=") else lines)
        book.add_worksheet("Representatives")
    assert compare(ours, read_ecosystem(out.getvalue())) == ()


def test_processing_when_written_then_that_importer_s_words() -> None:
    """The processing's sheets, and only words that the importer knows: bases, categories, relations, countries."""
    tables = {table.name: table.rows for table in processing_tables(two())}
    assert list(tables) == [
        "Processing",
        "Purposes",
        "Personal data",
        "Data subjects",
        "Data recipients",
        "Contractors",
        "Transfers",
    ]
    assert len(tables["Processing"]) == 1
    assert tables["Processing"][0]["status"] == "privacy_draft"
    assert tables["Purposes"] == (
        {"name": "Formation linguistique, parcours A1", "legal_basis": "privacy_public_interest"},
        {"name": "Journée de formation civique", "legal_basis": "privacy_public_interest"},
    )
    assert {row["name"]: row["category"] for row in tables["Personal data"]} == {
        "family_name": "privacy_basic_identity", "given_name": "privacy_basic_identity", "birth_date": "privacy_basic_identity",
        "preferred_language": "privacy_education_history", "email": "privacy_email", "phone": "privacy_phone_number",
    }  # fmt: skip
    assert [(row["name"], row["relationship_type"], row["country"]) for row in tables["Contractors"]] == [
        ("Lyon Formation SAS", "privacy_data_processor", "FR"), ("Hébergeur Rhône", "privacy_sub_processor", "FR"),
        ("Tunis Langues", "privacy_data_processor", "TN"),
    ]  # fmt: skip
    assert [(row["name"], row["guarantees"]) for row in tables["Transfers"]] == [
        ("Tunis Langues", "clauses types (UE) 2021/914, module 2")
    ]


def test_evidence_when_written_then_hashes_and_no_person() -> None:
    """Each document is named by title, dates and hash; who accepted it stays here."""
    rows = evidence_tables(facts(abroad()))[0].rows
    assert [row["ref_id"] for row in rows] == [
        "evd_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "evd_bbbbbbbbbbbbbbbbbbbbbbbbba",
        "evd_ccccccccccccccccccccccccca",
    ]
    assert rows[0]["description"].endswith("good through 2027-03-02; SHA-256 " + "5f" * 32)
    assert "does not count" in rows[1]["description"]
    assert not [row for row in rows if "cli:" in str(row)]
