"""The catalogue of problems (RFC 9457): one row a code, its status, and whose move it is. A test proves that every code that can be raised is here.

``/problems/<code>`` shows the row as a page; the answer's ``type`` points there.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from ecluse.errors import EcluseError


class Move(StrEnum):
    """Whose move it is."""

    YOURS = "processor"
    CONTROLLER = "controller"
    WAIT = "wait"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of problem. ``retry``: the same call may succeed later without anybody's doing; ``wait_seconds`` then goes into ``Retry-After``."""

    code: str
    status: int
    title: str
    detail: str
    move: Move
    retry: bool = False
    wait_seconds: int = 0


_ROWS: Final = (
    Problem(code="not-disclosable", status=403, title="Nothing to disclose", move=Move.CONTROLLER,
            detail="There is no appointment with this handle that you may read. Check the handle; if it is right, ask the agency."),
    Problem(code="outside-window", status=403, title="Outside the window", move=Move.YOURS,
            detail="The appointment may be read from opens_at (included) to closes_at (excluded), and not once it is cancelled."),
    Problem(code="outside-outcome-window", status=403, title="Not now for an outcome", move=Move.YOURS,
            detail="An outcome may be said from opens_at (the session's start, included) to closes_at (excluded), and not of a cancelled place."),
    Problem(code="budget-spent", status=403, title="Budget spent", move=Move.WAIT,
            detail="The ceiling named by `budget` is reached: a person already read in the same hour, day or month costs nothing more."),
    Problem(code="gate-frozen", status=403, title="The gate is closed", move=Move.CONTROLLER,
            detail="The contract does not allow disclosure now: it is not in force, or something it must hold is missing."),
    Problem(code="suspended", status=403, title="Suspended", move=Move.CONTROLLER,
            detail="The agency has suspended what `scope` names: the processor, the client, the key or the agent."),
    Problem(code="purpose-not-contracted", status=403, title="Purpose not contracted", move=Move.CONTROLLER,
            detail="The contract in force does not name the purpose of this appointment."),
    Problem(code="attribute-not-contracted", status=403, title="Attribute not contracted", move=Move.YOURS,
            detail="The contract does not name these attributes for this purpose. GET /v1/whoami lists those it names."),
    Problem(code="undetermined", status=403, title="It can't be told", move=Move.CONTROLLER,
            detail="The agency's own data do not suffice to decide. It has been recorded for the agency to mend."),
    Problem(code="step-up-required", status=403, title="Sign in at the desk", move=Move.YOURS,
            detail="The contract asks that the agent be signed in; a name given by a machine is not enough."),
    Problem(code="unknown-agent", status=403, title="Unknown agent", move=Move.YOURS,
            detail="This agent is not registered for you. Ask the agency to register it."),
    Problem(code="value-changed", status=409, title="A value changed", move=Move.YOURS,
            detail="The person's data changed since the answer that you want again. Ask anew with a fresh Idempotency-Key: it is a new disclosure."),
    Problem(code="key-reused", status=422, title="Idempotency-Key reused", move=Move.YOURS,
            detail="This Idempotency-Key stands for another request. Use a fresh one for each."),
    Problem(code="invalid-request", status=400, title="Invalid request", move=Move.YOURS, detail="The request is not as the schema says."),
    Problem(code="invalid-token", status=401, title="Invalid token", move=Move.YOURS,
            detail="The access token is missing, expired or not ours. Ask for a new one."),
    Problem(code="invalid-proof", status=401, title="Invalid proof of key", move=Move.YOURS,
            detail="The DPoP proof is missing, wrong, too old or was used before. Make a fresh one for each request (RFC 9449)."),
    Problem(code="wrong-role", status=403, title="Not for this client", move=Move.YOURS, detail="This client's role does not include this call."),
    Problem(code="not-found", status=404, title="Not found", move=Move.YOURS, detail="There is nothing of yours at this address."),
    Problem(code="method-not-allowed", status=405, title="Method not allowed", move=Move.YOURS, detail="This address does not take this method."),
    Problem(code="too-large", status=413, title="Too large", move=Move.YOURS, detail="The body is larger than this call takes."),
    Problem(code="not-published", status=404, title="Not yet published", move=Move.WAIT, retry=True, wait_seconds=1,
            detail="The entry is sealed but no signed checkpoint covers it yet. Ask again in a second."),
    Problem(code="schedule-refused", status=422, title="The schedule was refused", move=Move.YOURS,
            detail="Nothing of this file was applied. Each row of `problems` says where, why and the mend."),
    Problem(code="evidence-refused", status=422, title="The document was refused", move=Move.YOURS,
            detail="Nothing of it was kept. Each row of `problems` says where, why and the mend."),
    Problem(code="too-many-refusals", status=429, title="Too many refusals", move=Move.YOURS,
            detail="This client was refused too often within a minute: refusals are only counted until it is over. What may be read is still disclosed."),
    Problem(code="too-many-requests", status=429, title="Too many requests", move=Move.WAIT, retry=True, wait_seconds=60,
            detail="This client has asked as often in this minute as it may."),
    Problem(code="ledger-unavailable", status=503, title="The ledger can't be written", move=Move.WAIT, retry=True, wait_seconds=1,
            detail="Without a sealed entry nothing is disclosed. Try again with the same Idempotency-Key."),
    Problem(code="register-unavailable", status=503, title="The register can't be read", move=Move.WAIT, retry=True, wait_seconds=2,
            detail="The agency's register does not answer. Try again with the same Idempotency-Key."),
    Problem(code="clock-untrusted", status=503, title="The clock can't be trusted", move=Move.CONTROLLER,
            detail="The database's clock went back, so no window can be told. Nothing is disclosed until it has caught up."),
    Problem(code="busy", status=503, title="Busy", move=Move.WAIT, retry=True, wait_seconds=1,
            detail="Too many requests are waiting. Try again with the same Idempotency-Key."),
    Problem(code="internal", status=500, title="An error of ours", move=Move.CONTROLLER, detail="Nothing was disclosed by this call. It has been logged."),
)  # fmt: skip
PROBLEMS: Final[Mapping[str, Problem]] = {row.code: row for row in _ROWS}


class HttpProblem(EcluseError):
    """A problem that the web layer itself found. ``extra`` members hold no personal data."""

    def __init__(self, code: str, detail: str | None = None, **extra: object) -> None:
        """Name a row of the catalogue; ``detail`` replaces its sentence."""
        super().__init__(code)
        self.code, self.detail, self.extra = code, detail, extra


def document(code: str, detail: str | None = None, extra: Mapping[str, object] | None = None) -> tuple[int, bytes]:
    """Return a problem's status and its JSON body."""
    row = PROBLEMS[code]
    body: dict[str, object] = {
        "type": f"/problems/{code}",
        "title": row.title,
        "status": row.status,
        "detail": detail or row.detail,
    }
    return row.status, msgspec.json.encode(body | dict(extra or {}))


def headers_of(code: str, wait_seconds: int | None = None) -> list[tuple[bytes, bytes]]:
    """Return the header fields that go with a problem. ``wait_seconds``: for ``Retry-After``, in place of the catalogue's."""
    row = PROBLEMS[code]
    fields = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    if code == "too-large":
        # the rest of the body is never read, so nothing can follow on this connection: who is not told would send the next call into its end
        fields.append((b"connection", b"close"))
    if row.retry or wait_seconds is not None:
        fields.append((b"retry-after", str(wait_seconds or row.wait_seconds).encode()))
    if code == "invalid-token":
        fields.append((b"www-authenticate", b'DPoP error="invalid_token", algs="ES256 Ed25519 EdDSA"'))
    if code == "invalid-proof":
        fields.append((b"www-authenticate", b'DPoP error="invalid_dpop_proof", algs="ES256 Ed25519 EdDSA"'))
    return fields
