"""What a document is, by its bytes: each kind as its real tool writes it, and what cuts, hides, hooks or acts, refused with its reason."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import odfdo
import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.evidence import MOST_BYTES, EvidenceRefused, MediaType
from ecluse.evidence.sniff import is_formula, sniff
from tests.evidence.papers import LIST, PNG, pdf, pdf_with, workbook

pytestmark = pytest.mark.unit


@cache
def ods() -> bytes:
    """Write a spreadsheet as LibreOffice's format has it."""
    out = io.BytesIO()
    odfdo.Document("spreadsheet").save(out)
    return out.getvalue()


def repacked(archive: bytes, **parts: bytes) -> bytes:
    """Return an archive with parts added or replaced; ``__`` in a name stands for a slash, ``_dot_`` for a dot."""
    added = {name.replace("__", "/").replace("_dot_", "."): content for name, content in parts.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, added.pop(name, old.read(name)))
        for name, content in added.items():
            new.writestr(name, content)
    return out.getvalue()


def act(subtype: str) -> Callable[[pikepdf.Pdf], None]:
    """Let a PDF do something when it is opened."""

    def change(book: pikepdf.Pdf) -> None:
        book.Root.OpenAction = pikepdf.Dictionary(Type=pikepdf.Name.Action, S=pikepdf.Name(f"/{subtype}"), JS="app.alert(1)")

    return change


def attach(book: pikepdf.Pdf) -> None:
    """Put another file into a PDF."""
    book.attachments["notes.txt"] = b"bonjour"


def packed(book: pikepdf.Pdf) -> None:
    """Hide an action in an object of its own, which then goes into an object stream."""
    book.Root.OpenAction = book.make_indirect(pikepdf.Dictionary(S=pikepdf.Name("/JavaScript"), JS="app.alert(1)"))


def object_stream(packed: bytes, filters: bytes, end_of_line: bytes = b"\n") -> bytes:
    """Write what a reader takes objects out of, packed as it is said; nothing else of a PDF is there."""
    head = b"%PDF-1.7\n1 0 obj <</N 1/First 4/Length " + str(len(packed)).encode() + b" " + filters + b">> stream" + end_of_line
    return head + packed + b"\nendstream endobj\n%%EOF\n"


HIDDEN = zlib.compress(b"7 0 <</S/JavaScript/JS(app.alert\\(1\\))>>")
COMPRESSED = {"object_stream_mode": pikepdf.ObjectStreamMode.generate}
XLSX = workbook(("a", "b"), (1, 2))
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is empty"),
    "too large": (b"x" * (MOST_BYTES + 1), "larger than 20 MiB"),
    "a program": (b"\x7fELF\x02\x01", "it is not PDF"),
    "blanks": (b" \n\t\n", "it is not PDF"),
    "zeroes": (b"bonjour\x00", "it is not PDF"),
    "other encoding": ("Rapport d'été".encode("latin-1"), "it is not PDF"),
    "a page": (b"\xef\xbb\xbf  <!doctype html><script>", "markup or a program"),
    "a picture that acts": (b"<svg onload='x'/>", "markup or a program"),
    "rich text": (b"{\\rtf1 bonjour}", "markup or a program"),
    "a script": (b"#!/bin/sh\n", "markup or a program"),
    "a CSV bomb": (b'name;link\nx;=HYPERLINK("http://evil.example")\n', "a cell of row 2 begins like a formula"),
    "a CSV command": (b"a,b\n@SUM(1),2\n", "a cell of row 2 begins like a formula"),
    "a cut PNG": (PNG[:-4], "begins as a PNG"),
    "a PNG with more": (PNG + b"MZ", "begins as a PNG"),
    "a cut JPEG": (b"\xff\xd8\xff\xe0abc", "begins as a JPEG"),
    "a cut PDF": (pdf()[:400], "begins as a PDF"),
    "a PDF that runs a script": (pdf_with(act("JavaScript")), r"it holds a script \(/JavaScript\)"),
    "a PDF that hides a script": (pdf_with(packed, **COMPRESSED), "it holds a script"),
    "a PDF that spells it oddly": (pdf_with(act("JavaScript")).replace(b"/JavaScript", b"/Java#53cript"), "it holds a script"),
    "a PDF that starts a program": (pdf_with(act("Launch")), "it can start a program"),
    "a PDF that packs it without a type": (object_stream(HIDDEN, b"/Filter/FlateDecode"), "it holds a script"),
    "a PDF that packs it after a lone return": (object_stream(HIDDEN, b"/Filter/FlateDecode", b"\r"), "it holds a script"),
    "a PDF that packs it twice": (object_stream(zlib.compress(HIDDEN), b"/Filter[/FlateDecode/FlateDecode]"), "it holds a script"),
    "a PDF that packs it without end": (
        object_stream(zlib.compress(zlib.compress(zlib.compress(zlib.compress(HIDDEN)))), b"/Filter[/FlateDecode]"), "not looked into"
    ),
    "a PDF that packs it by differences": (
        object_stream(HIDDEN, b"/Filter/FlateDecode/DecodeParms<</Predictor 12>>"), "packed in a way that is not looked into"
    ),
    "a PDF that packs it otherwise": (object_stream(b"x", b"/Filter[/ASCII85Decode/LZWDecode]"), "packed in a way that is not looked into"),
    "a PDF that sends a form": (pdf_with(act("SubmitForm")), "it can send a form"),
    "a PDF in a PDF": (pdf_with(attach), "it holds another file"),
    "an encrypted PDF": (pdf_with(lambda _: None, encryption=pikepdf.Encryption(owner="o", user="u")), "the PDF is encrypted"),
    "an archive": (repacked(XLSX, xl__workbook_dot_xml=b"")[:40], "the archive can't be read"),
    "a text document": (repacked(ods(), mimetype=b"application/vnd.oasis.opendocument.text"), "it is not PDF"),
    "a workbook with macros": (repacked(XLSX, xl__vbaProject_dot_bin=b"x"), "it holds macros"),
    "a workbook that says so": (
        repacked(XLSX, **{"[Content_Types].xml": b'<Types ContentType="application/vnd.ms-excel.sheet.macroEnabled.main+xml"/>'}),
        "it holds macros",
    ),
    "a workbook with links": (repacked(XLSX, xl__externalLinks__externalLink1_dot_xml=b"<x/>"), "it is linked"),
    "a workbook with a template elsewhere": (
        repacked(XLSX, xl___rels__x_dot_rels=b'<Relationship TargetMode="External" Type="x/attachedTemplate" Target="http://evil.example"/>'),
        "it is linked",
    ),
    "a workbook with a command": (repacked(XLSX, xl__x_dot_xml=b'<ddeLink ddeService="cmd"/>'), "it is linked"),
    "a workbook with entities": (repacked(XLSX, xl__x_dot_xml=b'<!DOCTYPE x [<!ENTITY a "b">]>'), "it is linked"),
    "a workbook with another file": (repacked(XLSX, xl__embeddings__oleObject1_dot_bin=b"x"), "it holds other files"),
    "a workbook with controls": (repacked(XLSX, xl__activeX__activeX1_dot_xml=b"<x/>"), "it holds controls"),
    "a spreadsheet with macros": (repacked(ods(), Basic__Standard__Module1_dot_xml=b"<x/>"), "it holds macros"),
    "a spreadsheet that acts": (repacked(ods(), content_dot_xml=b"<office:script language='x'/>"), "it holds macros"),
    "a spreadsheet with links": (repacked(ods(), content_dot_xml=b"<table:table-source xlink:href='http://evil.example'/>"), "it is linked"),
    "an encrypted spreadsheet": (
        repacked(ods(), **{"META-INF/manifest.xml": b"<manifest:encryption-data/>"}), "the archive is encrypted"
    ),
    "an archive that unpacks to much": (repacked(XLSX, xl__big_dot_xml=b"0" * (101 * 1024 * 1024)), "unpacks to more"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_document_when_it_is_none_or_acts_then_refused_with_the_reason(name: str) -> None:
    """Each is refused at its place, in words that say why and how to mend it."""
    content, why = REFUSED[name]
    with pytest.raises(EvidenceRefused, match=why) as refused:
        sniff(content)
    assert [fault.where for fault in refused.value.faults] == ["document"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (pdf(), MediaType.PDF),
        (pdf_with(lambda _: None, **COMPRESSED), MediaType.PDF),
        (pdf('= Annexe\n#link("https://example.org")[lien]\n' * 200), MediaType.PDF),
        (PNG, MediaType.PNG),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\xff\xd9", MediaType.JPEG),
        ("Été comme hiver, on relit.\nDeux fois.\n".encode(), MediaType.TEXT),
        (LIST.encode(), MediaType.CSV),
        ("\ufeffnom,téléphone\nAnna,+33 1 99 00 12 34\n".encode(), MediaType.CSV),
        (b"mesure\tvaleur\nperte\t-12,5 %\n", MediaType.CSV),
        (XLSX, MediaType.XLSX),
        (workbook(("site", "lien"), ("lyon", '=HYPERLINK("https://example.org")')), MediaType.XLSX),
        (ods(), MediaType.ODS),
    ],
    ids=["typst", "compressed", "linked", "png", "jpeg", "text", "csv", "csv-with-a-mark", "csv-of-tabs", "xlsx", "xlsx-with-a-link", "ods"],
)  # fmt: skip
def test_document_when_it_is_what_a_tool_writes_then_its_kind(content: bytes, kind: MediaType) -> None:
    """What the usual tools write is taken for what it is."""
    assert sniff(content) is kind


@given(st.binary(max_size=400), st.sampled_from([b"", b"%PDF-1.7\n", b"PK\x03\x04", XLSX[:2000], b"\x89PNG\r\n\x1a\n", b"a;b\n"]))
def test_document_when_it_is_anything_then_a_kind_or_our_own_error(tail: bytes, head: bytes) -> None:
    """No bytes raise anything else."""
    with suppress(EvidenceRefused):
        assert isinstance(sniff(head + tail), MediaType)


@pytest.mark.parametrize(
    ("cell", "formula"),
    [
        ("=1+1", True),
        (" =1", True),
        ("@x", True),
        ("+cmd|'/C calc'!A0", True),
        ("-x", True),
        ("-12,5 %", False),
        ("+33 1 99", False),
        ("a=b", False),
    ],
)
def test_cell_when_a_spreadsheet_would_run_it_then_told(cell: str, formula: bool) -> None:
    """A sign before letters is a formula, before a number it is a number."""
    assert is_formula(cell) is formula
