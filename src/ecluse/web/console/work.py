"""The second half of the console, for the frame: where its pages are, what is said after its acts, and its statements (``work.sql``)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiosql

from ecluse.identity.people import MAY, Act
from ecluse.web.pages.language import N_
from ecluse.web.pages.model import Entry, Notice

if TYPE_CHECKING:
    from aiosql.queries import Queries

_WORK: Final = N_("The daily work")
_KNOW: Final = N_("What goes where")
_PEOPLE: Final = N_("People and accounts")

WORK: Final = (
    Entry("schedule", "/console/schedule", N_("Schedule"), _WORK),
    Entry("decisions", "/console/decisions", N_("Decisions"), _WORK),
    Entry("emergency", "/console/emergency", N_("Emergencies"), _WORK),
    Entry("flows", "/console/flows", N_("Flows"), _KNOW),
    Entry("what-if", "/console/what-if", N_("What if"), _KNOW),
    Entry("look-up", "/console/look-up", N_("Look somebody up"), _PEOPLE, MAY[Act.LOOK_UP]),
    Entry("accounts", "/console/accounts", N_("Accounts"), _PEOPLE, MAY[Act.ACCOUNTS]),
)
"""Where its pages are."""

TOLD: Final[Mapping[str, Notice]] = {
    "schedule-applied": Notice("ok", N_("The schedule is in effect. Sealed as entry %(entry)s of the ledger.")),
    "schedule-waits": Notice(
        "warn", N_("The file brings more persons than the contract foresees: it waits for another officer, and has no effect.")
    ),
    "schedule-withdrawn": Notice("info", N_("The file was withdrawn. It had no effect.")),
    "schedule-dropped": Notice("info", N_("The upload was thrown away. Nothing was changed.")),
    "lookup-asked": Notice("info", N_("Asked for, and sealed as entry %(entry)s. Another officer decides within the hour.")),
    "lookup-approved": Notice("ok", N_("Approved, and sealed as entry %(entry)s. The person will find each look in their record.")),
    "lookup-refused": Notice("info", N_("Refused, and sealed as entry %(entry)s. Nobody looks.")),
    "person-held": Notice("warn", N_("Nothing of this person is disclosed from now on. Sealed as entry %(entry)s of the ledger.")),
    "person-released": Notice("ok", N_("The hold on this person is released. Sealed as entry %(entry)s of the ledger.")),
    "walk-in-added": Notice("ok", N_("The person has a place in this session. Sealed as entry %(entry)s of the ledger.")),
    "emergency-reviewed": Notice("ok", N_("Your verdict is final. Sealed as entry %(entry)s of the ledger.")),
    "contract-applied": Notice("ok", N_("The contract is in force. Sealed as entry %(entry)s of the ledger.")),
    "officer-closed": Notice("ok", N_("The account is closed, and its sign-ins ended. Sealed as entry %(entry)s of the ledger.")),
    "recovery-approved": Notice("ok", N_("Approved: the link now opens. Its earlier passkeys end when it is used.")),
    "passkey-revoked": Notice("ok", N_("The passkey lets nobody in any more.")),
    "sign-in-ended": Notice("ok", N_("The sign-in is over.")),
}  # fmt: skip
"""What is said at the head of the next page."""


@cache
def _queries() -> Queries:
    """Load ``work.sql`` at first use: importing a module does nothing."""
    queries: Queries = aiosql.from_path(Path(__file__).with_name("work.sql"), "asyncpg")
    return queries


def query(name: str) -> str:
    """Return the text of a named statement; its values are bound in the order of their first use."""
    return str(getattr(_queries(), name).sql)
