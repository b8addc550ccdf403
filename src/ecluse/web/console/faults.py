"""What is wrong with what was sent, beside its field and in the reader's words.

The use cases refuse with English sentences that name where, why and the mend. Each that a page can meet has its own sentence here, found by how the reason
begins; one that has none is said as it stands, so that nothing is hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ecluse.web.pages.language import N_

if TYPE_CHECKING:
    from ecluse.evidence import Fault
    from ecluse.web.pages.frame import Filled, Tongue

_PLAIN: Final = N_("It is empty or cannot be read. Write visible characters on one line.")
_SAID: Final[Mapping[str, str]] = {
    "it is empty, or not a plain text": _PLAIN,
    "it is not a plain text": _PLAIN,
    "it is not a kind of evidence": N_("Choose one of the list."),
    "a list of sub-processors has no rows": N_(
        "No rows can be read. Hand in a CSV or XLSX file with the columns name, address, contact, country, role."
    ),
    "only a list of sub-processors has rows": N_("Only a list of sub-processors has rows. Choose that kind."),
    "the day is still to come": N_("The day is still to come. Write the day on which it was made or last reviewed."),
    "the day is before 2000": N_("The day is before 2000. Write the right one."),
    "the day is before reviewed_on": N_(
        "The document would end before it was made. Write its own last day, or leave this empty."
    ),
    "its last day is before its first": N_("The last day is before the first."),
    "this processor has no such document": N_(
        "This processor has no such document. Write the number (evd_…) of the document that it prolongs."
    ),
    "that document is of another kind": N_("That document is of another kind: a bridge letter prolongs one of its own kind."),
    "that document was": N_("That document does not count any more. Hand in a new one."),
    "that document is a bridge letter": N_(
        "That document is a bridge letter itself. Hand in a new document: three months is the most."
    ),
    "the document that it bridges": N_(
        "The document that it prolongs does not count. Accept that one first, or reject this one."
    ),
    "the contract has no such site": N_("The contract has no such site. Choose of the list, or none for all."),
    "a site stands twice": N_("A site stands twice. Choose each once."),
    "it is empty": N_("The file is empty. Choose one that holds something."),
    "it is larger than 20 MiB": N_("The file is larger than 20 MiB. Hand in a smaller copy."),
    "it begins as a": N_("The file is cut, or something stands behind its end. Hand in the whole file and nothing more."),
    "the PDF is encrypted": N_("The PDF has a password, so it cannot be looked into. Hand it in without one."),
    "it holds a script": N_("The PDF holds a script. Print it to a new PDF and hand that in."),
    "it can start a program": N_("The PDF can start a program. Print it to a new PDF and hand that in."),
    "it can send a form": N_("The PDF can send a form. Print it to a new PDF and hand that in."),
    "it can fetch data": N_("The PDF can fetch data. Print it to a new PDF and hand that in."),
    "it holds another file": N_("The PDF holds another file. Print it to a new PDF and hand that in."),
    "it holds media": N_("The PDF holds media that play by themselves. Print it to a new PDF and hand that in."),
    "it holds a form that runs": N_("The PDF holds a form that runs scripts. Print it to a new PDF and hand that in."),
    "the PDF has more parts": N_("The PDF has too many parts to look into. Print it to a new PDF and hand that in."),
    "a part of the PDF": N_("A part of the PDF cannot be looked into. Print it to a new PDF and hand that in."),
    "the PDF unpacks": N_("The PDF is too large once unpacked. Print it to a new PDF and hand that in."),
    "the file unpacks": N_("The file is too large once unpacked. Hand in a smaller one, or a PDF."),
    "the archive is encrypted": N_("The file has a password, or is built strangely. Save it again without a password."),
    "the archive can't be read": N_("The file cannot be read. Save it again, or export it to PDF."),
    "it is not PDF": N_("It is none of PDF, PNG, JPEG, plain text, CSV, XLSX or ODS. Export it to PDF."),
    "it holds macros": N_("The file holds macros. Save it without them, or export it to PDF."),
    "it is linked to": N_("The file is linked to other files or data. Save it without that, or export it to PDF."),
    "it holds controls": N_("The file holds controls. Save it without them, or export it to PDF."),
    "it holds other files": N_("The file holds other files. Save it without them, or export it to PDF."),
    "it is markup or a program": N_("It is markup or a program, not plain text. Export it to PDF."),
    "a cell of row": N_("A cell begins like a formula. Begin it with another sign than = + - @."),
    "it begins like a formula": N_("A cell begins like a formula. Begin it with another sign than = + - @."),
    "it is not a CSV file": N_("The list is no CSV or XLSX file. Hand it in as one of these."),
    "its columns are not": N_("The columns of a list of sub-processors are name, address, contact, country, role."),
    "the workbook can't be read": N_("The workbook cannot be read. Save it again, or hand in a CSV file."),
    "it is not a country code": N_("A country is two capital letters, such as FR."),
    "there are more than": N_("The list has too many rows."),
    "it stands twice": N_("A sub-processor stands twice. Write each once."),
    "a finding of severity": N_(
        "That is too late for how bad it is: critical within 30 days, high within 90, any within a year."
    ),
    "it is not 1 to": N_("Choose 1 to 72 hours. Settle the matter itself if it takes longer."),
    "they are not 1 to": N_("Choose at least one reason."),
    "what the contract itself lacks": N_("What the contract itself lacks cannot be lifted. Apply a version that has it."),
    "it does not freeze the gate now": N_("This does not freeze the gate now, so there is nothing to lift."),
    "a link lives for": N_("A link lives for 1 to 60 days."),
    "the questionnaire is not there": N_("The questionnaire is not there in that language."),
}
_FIELDS: Final[Mapping[str, str]] = {
    "sub_processors": "document", "list": "document", "row": "document", "reason": "reasons", "done": "closing", "period": "period_until",
}  # fmt: skip


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """A form as it is shown: what was typed, and what is wrong with it, by field."""

    entered: Mapping[str, Any] = {}  # texts, and lists of them
    faults: Mapping[str, str] = {}


BLANK: Final = Form()


def filled_again(filled: Filled[Any] | None) -> Form:
    """Return a form to be filled in again, or a blank one."""
    return BLANK if filled is None else Form(entered=filled.entered, faults=filled.faults)


def say_fault(fault: Fault, tongue: Tongue) -> str:
    """Say a fault in the reader's language."""
    return say_why(fault.why, tongue) or f"{fault.why}. {fault.mend}."


def say_why(why: str, tongue: Tongue) -> str:
    """Return the sentence of a reason that is known; empty for one that is not."""
    return next((tongue.find(text) for begins, text in _SAID.items() if why.startswith(begins)), "")


def put_faults(filled: Filled[Any], faults: Iterable[Fault], fields: Iterable[str]) -> None:
    """Put the faults of a use case beside the fields of its form; what is of none of them goes beside the first."""
    known = list(fields)
    for fault in faults:
        word = fault.where.split(",")[0].split(" ")[0]
        field = _FIELDS.get(word, word)
        filled.faults.setdefault(field if field in known else known[0], say_fault(fault, filled.tongue))
