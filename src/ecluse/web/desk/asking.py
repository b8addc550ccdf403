"""What every page and act of the desk begins with: who is signed in, whose session it is, which key signs, and whom to call.

An act (show, roll-call, outcomes, code) needs the cookie *and* a proof by this browser's key, which can't be copied out of it: who has the cookie alone is
shown nobody. The proof is a DPoP proof (RFC 9449) for the pages' own address, bound to the sign-in in the place of a token, and spent once.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from ecluse import clock
from ecluse.contracts import Contract, Purpose
from ecluse.db import LOST
from ecluse.disclosure import LedgerUnavailable, Proven, Snapshot
from ecluse.identity import ProofInvalid
from ecluse.identity.people import Signed
from ecluse.ids import is_id
from ecluse.policy import Terms, bites
from ecluse.schedule.staff import StaffPlace, StaffSession, places_of, session_for
from ecluse.web.auth import read_headers
from ecluse.web.desk.model import Contacts
from ecluse.web.desk.today import Clockwork
from ecluse.web.gateway import Gateway, HttpRequest
from ecluse.web.pages import guard
from ecluse.web.pages.frame import tongue_of
from ecluse.web.problems import HttpProblem

_KEY_CHARACTERS: Final = 43


class AtDesk(msgspec.Struct, frozen=True, kw_only=True):
    """An agent at work: who, for whom, through which desk, and what is in force there now."""

    signed: Signed
    processor: str
    client: str
    snapshot: Snapshot
    terms: Terms | None
    clockwork: Clockwork
    contacts: Contacts

    @property
    def held(self) -> bool:
        """Tell whether a hold on whoever asks here bites now. One that suspends ends the sign-in; one that freezes is told."""
        parties = self.snapshot.parties(self.processor, self.client, self.signed.person, self.signed.thumbprint or "")
        return any(bites(hold, self.clockwork.now) for hold in parties.holds)

    @property
    def contract(self) -> Contract | None:
        """Return the contract in force."""
        return self.terms.contract if self.terms is not None else None

    def purpose_of(self, session: StaffSession) -> Purpose | None:
        """Return what the contract says of a session's purpose."""
        return self.contract.purposes.get(session.purpose) if self.contract is not None else None


async def at_desk(request: HttpRequest, gateway: Gateway) -> AtDesk:
    """Return the agent who is signed in, and the terms of her work. Two statements. Raises what `guard.agent` raises, and `LedgerUnavailable`."""
    return await desk_of(request, gateway, await guard.agent(request, gateway))


async def desk_of(request: HttpRequest, gateway: Gateway, signed: Signed) -> AtDesk:
    """Return the terms of an agent's work."""
    if signed.processor is None or signed.client is None:
        raise AssertionError("impossible: an agent without a processor or a desk")
    snapshot, now = await gateway.door.snapshot(), clock.now()
    terms = snapshot.terms(signed.processor, now)
    contract = terms.contract if terms is not None else None
    controller = gateway.settings.controller
    return AtDesk(
        signed=signed, processor=signed.processor, client=signed.client, snapshot=snapshot, terms=terms,
        clockwork=Clockwork(contract, gateway.settings.zone, tongue_of(request).language, now),
        contacts=Contacts(
            phone=controller.phone, agency=controller.reach or controller.contact,
            security=contract.processor.security_contact if contract is not None else "",
        ),
    )  # fmt: skip


def prove(request: HttpRequest, gateway: Gateway, signed: Signed) -> Proven:
    """Check that this browser's key made this call for this sign-in. Raises ``invalid-proof``; whether the key is in use still, the door asks."""
    proof = read_headers(request.scope["headers"]).dpop
    if proof is None or signed.thumbprint is None or signed.client is None:
        raise HttpProblem("invalid-proof")
    try:
        found = gateway.desk_proofs.check(
            proof, method=request.method, path=request.scope["path"], token=signed.sign_in, thumbprint=signed.thumbprint, now=clock.now()
        )  # fmt: skip
    except ProofInvalid as bad:
        raise HttpProblem("invalid-proof") from bad
    return Proven(client=signed.client, thumbprint=signed.thumbprint, slot=found.slot, digest=found.digest)


async def session_at(gateway: Gateway, desk: AtDesk, session: str) -> tuple[StaffSession, list[StaffPlace]]:
    """Read one session of the agent's processor with its places. Raises ``not-found``: another's session, and one that never was, are one answer."""
    if not is_id(session, "ses"):
        raise HttpProblem("not-found")
    try:
        async with gateway.pool.acquire() as connection:
            found = await session_for(connection, desk.processor, desk.signed.person, session)
            places = await places_of(connection, session if found is not None else "")
    except LOST as lost:
        raise LedgerUnavailable from lost
    if found is None:
        raise HttpProblem("not-found")
    return found, places


def key_for(signed: Signed, what: str, attributes: tuple[str, ...], fresh: str) -> str:
    """Return the idempotency key of a press: the same within a sign-in until somebody presses for a fresh look, or the contract names other attributes."""
    text = "\0".join((signed.sign_in, what, fresh, *attributes))
    return sha256(text.encode()).hexdigest()[:_KEY_CHARACTERS]
