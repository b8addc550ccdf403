"""Why a page is not opened.

EcluseError
├── SignInNeeded     nobody is signed in: sign in, and come back
├── NotAllowed       not for this person's role: says who may
├── StepUpNeeded     the passkey has to be used again
└── FormUnreadable   what was sent is no form of this page
"""

from __future__ import annotations

from ecluse.errors import EcluseError
from ecluse.identity.people import Act


class SignInNeeded(EcluseError):
    """Nobody is signed in, or no longer."""

    code = "page:sign-in-needed"


class NotAllowed(EcluseError):
    """This person may not do this. ``act``: what; those who may are in ``MAY``."""

    code = "page:not-allowed"

    def __init__(self, act: Act) -> None:
        """Say which act."""
        super().__init__(act.value)
        self.act = act


class StepUpNeeded(EcluseError):
    """The passkey has to be used again."""

    code = "page:step-up-needed"

    def __init__(self, back: str = "") -> None:
        """Say which page to come back to; empty: the one asked for."""
        super().__init__("step-up")
        self.back = back


class FormUnreadable(EcluseError):
    """What was sent is not a form of this page. Nothing was changed."""

    code = "page:form-unreadable"
