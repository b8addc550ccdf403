"""The documents of the demo: real ones, of every kind that its contracts ask for."""

from __future__ import annotations

import pytest

from ecluse.contracts import EvidenceKind
from ecluse.demo.contract_file import REQUIRED
from ecluse.demo.documents import _KINDS, _document
from ecluse.evidence import MediaType
from ecluse.evidence.sniff import sniff
from tests.papers.pdf_text import text_of

pytestmark = pytest.mark.unit


def test_documents_when_counted_then_one_of_each_kind_that_a_contract_asks_for():
    """What every contract asks for, and the signed act for its papers."""
    assert set(_KINDS) == {*(EvidenceKind(kind) for kind, _ in REQUIRED), EvidenceKind.SIGNED_CONTRACT}


@pytest.mark.parametrize("kind", _KINDS)
def test_document_when_printed_then_a_pdf_that_the_door_takes(kind):
    """It is a whole PDF with nothing in it that acts, it says its title, and that it is invented."""
    content = _document(kind)
    assert sniff(content) is MediaType.PDF
    text = text_of(content)
    assert _KINDS[kind].title.replace("'", "’") in text.replace("'", "’")
    assert "inventé pour une démonstration" in text


@pytest.mark.parametrize("kind", _KINDS)
def test_document_when_asked_for_again_then_the_same_bytes(kind):
    """It is printed once, whoever hands it in."""
    assert _document(kind) is _document(kind)
