"""The processor's calls (design section 9), each an exchange: what is asked, and how its answer is read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from ecluse.client.errors import AnswerInvalid, ReceiptBroken
from ecluse.client.exchange import Exchange, Exchanger
from ecluse.client.model import Disclosed, Json, PersonalValues, Place, Proven, Receipt, Session
from ecluse.client.receipts import check_receipt, parse_hash
from ecluse.client.tree import check_inclusion
from ecluse.client.trust import Policy, believe
from ecluse.clock import wire_text

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K", str, int, dict, list)  # type: ignore[type-arg]  # the kinds of a JSON member


class Calls(Exchanger):
    """An exchanger that knows the calls."""

    def disclose(self, appointment: str, agent: str, attributes: Sequence[str]) -> Exchange[Disclosed]:
        """Ask for named attributes of the person of an appointment, for an agent, and check the receipt."""
        body: dict[str, Json] = {"appointment": appointment, "agent": agent, "attributes": list(attributes)}
        answer = yield from self.call("POST", "/v1/disclosures", body=body, once=True)
        disclosed = read_disclosed(answer, appointment, agent)
        if set(disclosed.forms) != set(attributes):
            raise ReceiptBroken("other attributes were answered than were asked for")
        return disclosed

    def sheet(self, session: str, agent: str) -> Exchange[tuple[Disclosed, ...]]:
        """Ask for a session's sheet of names: one disclosure for each place, each receipt checked."""
        answer = yield from self.call("POST", f"/v1/sessions/{quote(session, safe='')}/sheet", body={"agent": agent}, once=True)
        rows = [_object(row) for row in _member(answer, "disclosures", list)]
        return tuple(read_disclosed(row, _member(row, "appointment", str), agent) for row in rows)

    def sessions(self, from_: datetime, to: datetime) -> Exchange[tuple[Session, ...]]:
        """List this processor's sessions that start in ``[from_, to)``."""
        answer = yield from self.call("GET", "/v1/sessions", query={"from": wire_text(from_), "to": wire_text(to)})
        return tuple(read_session(_object(each)) for each in _member(answer, "sessions", list))

    def session(self, session: str) -> Exchange[Session]:
        """Read one session."""
        answer = yield from self.call("GET", f"/v1/sessions/{quote(session, safe='')}")
        wrapped = answer.get("sessions")
        return read_session(_object(wrapped[0]) if isinstance(wrapped, list) and len(wrapped) == 1 else answer)

    def whoami(self) -> Exchange[dict[str, Json]]:
        """Read who we are to the gate: client, contract, purposes, attributes and forms, clock difference."""
        return self.call("GET", "/v1/whoami")

    def changes(self, after: str) -> Exchange[dict[str, Json]]:
        """Read the places moved or cancelled since ``after``, the mark the last answer gave."""
        return self.call("GET", "/v1/changes", query={"after": after})

    def outcome(
        self, appointment: str, attendance: str, *, level: str | None = None, agent: str | None = None
    ) -> Exchange[dict[str, Json]]:
        """Say, or correct, how an appointment ended: ``attendance``, and of a course the ``level`` reached; ``agent``: who says it."""
        body: dict[str, Json] = {"attendance": attendance}
        body |= {name: value for name, value in (("level", level), ("agent", agent)) if value is not None}
        return self.call("POST", f"/v1/appointments/{quote(appointment, safe='')}/outcome", body=body, once=True)

    def budget(self) -> Exchange[dict[str, Json]]:
        """Read what is left of the contract's ceilings."""
        return self.call("GET", "/v1/budget")


def read_disclosed(answer: Mapping[str, Json], appointment: str, agent: str) -> Disclosed:
    """Read one disclosure and check its receipt; raise ``AnswerInvalid`` or ``ReceiptBroken``."""
    forms = {name: form for name, form in _member(answer, "forms", dict).items() if isinstance(form, str)}
    disclosed = Disclosed(
        disclosure=_member(answer, "disclosure", str),
        appointment=appointment,
        agent=agent,
        subject=PersonalValues(_member(answer, "subject", dict)),
        forms=forms,
        window_closes_at=_instant(answer, "window_closes_at"),
        receipt=read_receipt(_member(answer, "receipt", dict)),
    )
    check_receipt(disclosed)
    return disclosed


def read_receipt(value: Mapping[str, Json]) -> Receipt:
    """Read a receipt; nothing is checked but its shape."""
    return Receipt(
        log=_member(value, "log", str),
        index=_member(value, "index", int),
        leaf_hash=parse_hash(value.get("leaf_hash")),
        opening=_member(value, "opening", dict),
        value_salts={name: parse_hash(salt) for name, salt in _member(value, "value_salts", dict).items()},
    )


def read_proof(answer: Mapping[str, Json], receipt: Receipt, policy: Policy) -> Proven | None:
    """Check the log's proof against a receipt and a policy; None while the checkpoint is older than the entry."""
    if (answer.get("log"), answer.get("index")) != (receipt.log, receipt.index):
        raise ReceiptBroken("the proof is of another entry")
    if parse_hash(answer.get("leaf_hash")) != receipt.leaf_hash:
        raise ReceiptBroken("the log holds another entry at this index")
    head = believe(_member(answer, "checkpoint", str), policy)
    if head.checkpoint.origin != receipt.log:
        raise ReceiptBroken("the checkpoint is of another log")
    if head.checkpoint.size <= receipt.index:
        return None
    path = tuple(parse_hash(step) for step in _member(answer, "inclusion", list))
    check_inclusion(receipt.index, receipt.leaf_hash, path, head.checkpoint)
    return Proven(index=receipt.index, leaf_hash=receipt.leaf_hash, head=head, path=path)


def read_session(value: Mapping[str, Json]) -> Session:
    """Read one session and its places."""
    places = [_object(each) for each in _member(value, "appointments", list)]
    return Session(
        id=_member(value, "id", str),
        purpose=_member(value, "purpose", str),
        site=_member(value, "site", str),
        starts_at=_instant(value, "starts_at"),
        ends_at=_instant(value, "ends_at"),
        appointments=tuple(
            Place(
                id=_member(each, "id", str),
                enrolment=_member(each, "enrolment", str),
                opens_at=_instant(each, "opens_at"),
                closes_at=_instant(each, "closes_at"),
            )
            for each in places
        ),
    )


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise AnswerInvalid("a member is not an object")
    return value


def _member(value: Mapping[str, Json], name: str, kind: type[K]) -> K:
    member = value.get(name)
    if not isinstance(member, kind) or isinstance(member, bool):
        raise AnswerInvalid(f"{name} is missing or of another type")
    return member


def _instant(value: Mapping[str, Json], name: str) -> datetime:
    text = _member(value, name, str)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise AnswerInvalid(f"{name} is not an instant") from None
    if at.tzinfo is None:
        raise AnswerInvalid(f"{name} is not an instant")
    return at.astimezone(UTC)
