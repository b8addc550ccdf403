"""Small libraries of our own in the public format, and workbooks made by hand, as the tests read them."""

from __future__ import annotations

import io
import zipfile
from typing import Any, Final

import openpyxl

from ecluse.evidence.questionnaire.library import read_library
from ecluse.evidence.questionnaire.model import Answer, Contact, Questionnaire

BASE: Final = "urn:us:risk:req_node:small"
SMALL: Final = f"""
urn: urn:us:risk:library:small
locale: en
ref_id: small
name: Small
description: A small library.
copyright: ours
version: 3
provider: us
packager: us
objects:
  framework:
    urn: urn:us:risk:framework:small
    ref_id: small
    name: Small
    description: Every kind of question.
    translations: {{fr: {{name: Petit}}}}
    requirement_nodes:
    - {{urn: "{BASE}:a", assessable: false, depth: 1, ref_id: A, name: First}}
    - urn: {BASE}:a1
      parent_urn: {BASE}:a
      assessable: true
      depth: 2
      ref_id: A.1
      name: Doors
      ecluse_finding: Doors left open
      questions:
        {BASE}:a1:q1:
          type: unique_choice
          text: Are doors closed?
          weight: 3
          translations: {{fr: {{text: "Les portes sont-elles fermées ?"}}}}
          choices:
          - {{urn: "{BASE}:a1:q1:yes", value: "Yes", add_score: 10, compute_result: compliant}}
          - {{urn: "{BASE}:a1:q1:half", value: Half, add_score: 5, ecluse_severity: medium}}
          - {{urn: "{BASE}:a1:q1:no", value: "No", add_score: 0, compute_result: non_compliant, ecluse_severity: critical}}
          - {{urn: "{BASE}:a1:q1:na", value: No doors, compute_result: not_applicable}}
        {BASE}:a1:q2:
          type: multiple_choice
          text: Which doors?
          choices:
          - {{urn: "{BASE}:a1:q2:north", value: North, add_score: 1}}
          - {{urn: "{BASE}:a1:q2:south", value: South, add_score: 3}}
          depends_on: {{question: "{BASE}:a1:q1", answers: ["{BASE}:a1:q1:yes", "{BASE}:a1:q1:half"], condition: any}}
        {BASE}:a1:q3:
          type: text
          text: Who has keys?
          depends_on: {{question: "{BASE}:a1:q2", answers: ["{BASE}:a1:q2:north", "{BASE}:a1:q2:south"], condition: all}}
    - urn: {BASE}:b1
      assessable: true
      depth: 1
      ref_id: B.1
      name: Facts
      questions:
        {BASE}:b1:q1: {{type: number, text: How many?}}
        {BASE}:b1:q2: {{type: date, text: Since when?}}
        {BASE}:b1:q3: {{type: boolean, text: Insured?}}
"""
"""Every kind of question, a question that hangs on another that hangs on a third."""

CONTACT: Final = Contact(name="Ana Lemoine", function="DPO", email="ana@lyon-formation.example")


def small() -> Questionnaire:
    """Read the small library."""
    return read_library(SMALL.encode()).questionnaire


def urn(short: str) -> str:
    """Write the urn of a question or choice of the small library."""
    return f"{BASE}:{short}"


def picks(*shorts: str) -> Answer:
    """Answer with choices of the small library."""
    return Answer(picked=tuple(urn(short) for short in shorts))


FULL: Final = {
    urn("a1:q1"): Answer(picked=(urn("a1:q1:half"),), note="=1+1"),
    urn("a1:q2"): Answer(picked=(urn("a1:q2:north"), urn("a1:q2:south")), note="@both"),
    urn("a1:q3"): Answer(text="-Somebody\n+Somebody else"),
    urn("b1:q1"): Answer(text="12.5"),
    urn("b1:q2"): Answer(text="2026-01-31"),
    urn("b1:q3"): Answer(text="yes"),
}
"""An answer to each question, comments that look like formulas."""


def edited(content: bytes, changes: dict[str, dict[str, Any]]) -> bytes:
    """Fill cells of a workbook as a person with a spreadsheet does: ``{sheet: {cell: value}}``."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    for sheet, cells in changes.items():
        for cell, value in cells.items():
            book[sheet][cell] = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_part(content: bytes, name: str, data: bytes) -> bytes:
    """Add or replace a part of a workbook's archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
        new.writestr(name, data)
    return out.getvalue()


def table(rows: list[list[Any]], title: str = "CAIQ") -> bytes:
    """Make a workbook of one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
