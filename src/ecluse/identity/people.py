"""People who sign in: officers of the controller, agents of processors. What an officer's roles allow is one table, read by every page and nothing else.

No driver, clock or request here: who is signed in is resolved in `ecluse.identity.sign_in`, and refused in ``ecluse.web.pages.guard``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec


class Role(StrEnum):
    """What an officer of the controller is there for. Grows at its end; a word, once sealed, keeps its meaning for ever."""

    ADMINISTRATOR = "administrator"
    DPO = "dpo"
    SECURITY = "security"
    CASE_WORKER = "case-worker"
    READER = "reader"


class Act(StrEnum):
    """What an officer may do on a page. Grows at its end."""

    LOOK = "look"
    EVIDENCE = "evidence"
    QUESTIONNAIRE = "questionnaire"
    FINDINGS = "findings"
    HOLD = "hold"
    OVERRIDE_ASK = "override-ask"
    OVERRIDE_APPROVE = "override-approve"
    SCHEDULE = "schedule"
    LOOK_UP = "look-up"
    PAPERS = "papers"
    CONTRACT = "contract"
    ACCOUNTS = "accounts"
    EMERGENCY = "emergency"


_GOVERNS: Final = frozenset({Role.ADMINISTRATOR, Role.DPO, Role.SECURITY})

MAY: Final[Mapping[Act, frozenset[Role]]] = MappingProxyType(
    {
        Act.LOOK: frozenset(Role),
        Act.EVIDENCE: _GOVERNS,
        Act.QUESTIONNAIRE: _GOVERNS,
        Act.FINDINGS: _GOVERNS,
        Act.HOLD: _GOVERNS,
        Act.OVERRIDE_ASK: _GOVERNS,
        Act.OVERRIDE_APPROVE: frozenset({Role.DPO}),
        Act.SCHEDULE: frozenset({Role.ADMINISTRATOR, Role.CASE_WORKER}),
        Act.LOOK_UP: frozenset({Role.DPO, Role.CASE_WORKER}),
        Act.PAPERS: frozenset(Role) - {Role.READER},
        Act.CONTRACT: frozenset({Role.ADMINISTRATOR}),
        Act.ACCOUNTS: frozenset({Role.ADMINISTRATOR}),
        Act.EMERGENCY: frozenset({Role.DPO, Role.SECURITY}),
    }
)
"""Which roles may do it: one of them is enough."""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in, as of this request.

    ``sign_in``: public id ``sgn_…``, not the cookie's secret. ``kind``: ``officer`` or ``agent``; ``person``: ``off_…`` or ``agt_…``; ``name``: the officer's
    name, the agent's label. ``roles``: empty for agents. ``processor``, ``client``: the agent's, and the desk client of it; None for officers.
    ``thumbprint``: of the desk key of this browser, None until it is bound. ``stepped_up_at``: when a passkey was used last;
    ``fresh_seconds``: how long that still counts as just now, by the database's clock. Instants are aware, UTC.
    """

    sign_in: str
    kind: str
    person: str
    name: str
    roles: frozenset[Role]
    processor: str | None
    client: str | None
    thumbprint: str | None
    started_at: datetime
    ends_at: datetime
    stepped_up_at: datetime
    fresh_seconds: int

    @property
    def fresh(self) -> bool:
        """Tell whether the passkey was used just now."""
        return self.fresh_seconds > 0

    def may(self, act: Act) -> bool:
        """Tell whether one of the roles allows it; an agent may nothing of it."""
        return not self.roles.isdisjoint(MAY[act])
