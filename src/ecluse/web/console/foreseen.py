"""What an act would do to a gate, told before it is done: the state before and after, and the reasons that come and go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from ecluse.evidence import service
from ecluse.web.console.words import Reason, reasons_of

if TYPE_CHECKING:
    from ecluse.contracts import Standing
    from ecluse.db import Connection
    from ecluse.web.gateway import Gateway
    from ecluse.web.pages.frame import Tongue


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """The gate as it is and as it would be."""

    before: str
    after: str
    gone: tuple[Reason, ...]
    come: tuple[Reason, ...]


async def look_ahead(
    connection: Connection, gateway: Gateway, processor: str, change: Callable[[Standing, datetime], Standing], tongue: Tongue
) -> Foreseen | None:
    """Say what an act would make of a processor's gate; None where no contract is in force that can be read."""
    found = await service.foresee(connection, processor, change, attributes=gateway.attributes, timezone=gateway.settings.zone)
    if found is None:
        return None
    before, after = found.before.reasons, found.after.reasons
    return Foreseen(
        before=found.before.state.value, after=found.after.state.value,
        gone=reasons_of([code for code in before if code not in after], processor, tongue),
        come=reasons_of([code for code in after if code not in before], processor, tongue),
    )  # fmt: skip
