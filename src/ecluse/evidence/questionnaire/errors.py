"""Errors of questionnaires.

QuestionnaireError
├── LibraryInvalid        a library file can't be read: each fault says where, why and the mend
├── AnswersInvalid        answers or a filled workbook can't be taken: nothing of it was
├── LinkInvalid           no such link is open: unknown, expired, revoked or used
├── ResponseUnknown       there is no such response
└── QuestionnaireRefused  what was asked can't be done: where, why and the mend
"""

from __future__ import annotations

from collections.abc import Sequence

from ecluse.errors import EcluseError
from ecluse.evidence.model import Fault


class QuestionnaireError(EcluseError):
    """A questionnaire can't be read, sent or taken."""

    code = "questionnaire"


class _Faulty(QuestionnaireError):
    """Something with a list of faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep all ``faults``; the message is one line a fault."""
        super().__init__("\n".join(f"{fault.where}: {fault.why}. {fault.mend}." for fault in faults))
        self.faults = tuple(faults)


class LibraryInvalid(_Faulty):
    """A questionnaire library can't be read."""

    code = "library-invalid"


class AnswersInvalid(_Faulty):
    """The answers can't be taken, and nothing of them was."""

    code = "answers-invalid"


class LinkInvalid(QuestionnaireError):
    """This link is not valid, or no longer."""

    code = "link-invalid"


class ResponseUnknown(QuestionnaireError):
    """There is no such response to a questionnaire."""

    code = "response-unknown"


class QuestionnaireRefused(QuestionnaireError):
    """It can't be done so."""

    code = "questionnaire-refused"

    def __init__(self, where: str, why: str, mend: str) -> None:
        """Say ``where``, ``why`` it is refused and the ``mend``."""
        super().__init__(f"{where}: {why}. {mend}")
        self.where, self.why, self.mend = where, why, mend
