"""What a passkey answers: wrong in each way that WebAuthn knows, then right."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecluse.identity.errors import PasskeyRefused
from ecluse.identity.passkeys import (
    Assertion,
    NewPasskey,
    Registration,
    Site,
    assertion_options,
    challenge_of,
    check_assertion,
    check_registration,
    registration_options,
    site_of,
)
from tests.passkeys import Authenticator

pytestmark = pytest.mark.unit

ORIGIN = "https://pages.agency.example"
SITE = Site(rp_id="pages.agency.example", origin=ORIGIN, name="Agency")
CHALLENGE, OTHER = bytes(range(32)), bytes(32)


def registered(device: Authenticator, *, origin: str = ORIGIN, **wrong: Any) -> Registration:
    """Make a passkey and return its answer as it is parsed."""
    options = registration_options(SITE, holder="off_" + "a" * 26, name="Someone", challenge=CHALLENGE)
    return msgspec.convert(device.create(options, origin=origin, **wrong), Registration)


def signed(device: Authenticator, *, origin: str = ORIGIN, **wrong: Any) -> Assertion:
    """Sign with the device's passkey and return its answer as it is parsed."""
    return msgspec.convert(device.get(assertion_options(SITE, challenge=CHALLENGE), origin=origin, **wrong), Assertion)


def at_hand(**kind: Any) -> tuple[Authenticator, NewPasskey]:
    """Return a device and the passkey that it made for us."""
    device = Authenticator(**kind)
    return device, check_registration(SITE, registered(device), CHALLENGE)


WRONG = [
    {"origin": "https://pages.agency.example.evil.example"},
    {"origin": "http://pages.agency.example"},
    {"origin": "https://pages.agency.example:8443"},
    {"rp_id": "agency.example"},
    {"rp_id": "evil.example"},
    {"verified": False},
    {"framed": True},
    {"challenge": "A" * 43},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_registration_when_anything_is_wrong_then_refused(wrong: dict[str, Any]) -> None:
    """Another origin, another RP, nobody verified, a frame, another challenge: no passkey of ours."""
    with pytest.raises(PasskeyRefused):
        check_registration(SITE, registered(Authenticator(), **wrong), CHALLENGE)


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_assertion_when_anything_is_wrong_then_refused(wrong: dict[str, Any]) -> None:
    """The same of a passkey that is there already."""
    device, made = at_hand()
    with pytest.raises(PasskeyRefused):
        check_assertion(SITE, signed(device, **wrong), CHALLENGE, public_key=made.public_key, sign_count=made.sign_count)


def test_assertion_when_by_another_key_then_refused() -> None:
    """A signature of another passkey does not verify with this one's key."""
    _, mine = at_hand()
    device, _ = at_hand()
    with pytest.raises(PasskeyRefused):
        check_assertion(SITE, signed(device), CHALLENGE, public_key=mine.public_key, sign_count=0)


@pytest.mark.parametrize("count", [0, 3, 4])
def test_assertion_when_the_counter_went_back_or_stood_then_refused(count: int) -> None:
    """A copy that signed in the meantime is seen by its counter."""
    device, made = at_hand()
    with pytest.raises(PasskeyRefused):
        check_assertion(SITE, signed(device, count=count), CHALLENGE, public_key=made.public_key, sign_count=4)


def test_assertion_when_given_for_a_registration_then_refused() -> None:
    """The answer to one ceremony is none to the other."""
    device, made = at_hand()
    answer = msgspec.to_builtins(registered(Authenticator()))
    given = {**answer, "response": {**answer["response"], "authenticatorData": "AA", "signature": "AA"}}
    with pytest.raises(PasskeyRefused):
        check_assertion(SITE, msgspec.convert(given, Assertion), CHALLENGE, public_key=made.public_key, sign_count=0)
    assert device.credentials


@pytest.mark.parametrize(
    "text", ["", "AA", "%%%%", "bm90IGpzb24", "e30", "eyJjaGFsbGVuZ2UiOiJBQUFBIn0", "W10", "e" * 8000], ids=lambda text: text[:12]
)
def test_answers_when_they_are_nonsense_then_refused(text: str) -> None:
    """What is no base64url, no JSON or no client data is refused in our words, whatever the library thinks of it."""
    device, made = at_hand()
    right = msgspec.to_builtins(signed(device))
    for name in ("clientDataJSON", "authenticatorData", "signature"):
        given = {**right, "response": {**right["response"], name: text or "A"}}
        answer = msgspec.convert(given, Assertion)
        with pytest.raises(PasskeyRefused):
            check_assertion(SITE, answer, challenge_of(answer), public_key=made.public_key, sign_count=0)
    new = msgspec.to_builtins(registered(Authenticator()))
    bad = msgspec.convert({**new, "response": {**new["response"], "attestationObject": text or "A"}}, Registration)
    with pytest.raises(PasskeyRefused):
        check_registration(SITE, bad, CHALLENGE)


def test_passkey_when_right_then_accepted_and_counted() -> None:
    """A passkey with a counter says how often it signed; one that is kept in a cloud says so and counts nothing."""
    device, made = at_hand()
    used = check_assertion(SITE, signed(device), CHALLENGE, public_key=made.public_key, sign_count=made.sign_count)
    cloud, kept = at_hand(counts=False)
    again = check_assertion(SITE, signed(cloud), CHALLENGE, public_key=kept.public_key, sign_count=kept.sign_count)
    assert (made.sign_count, made.backed_up, used.sign_count, used.backed_up) == (0, False, 1, False)
    assert (kept.sign_count, kept.backed_up, again.sign_count, again.backed_up) == (0, True, 0, True)
    assert challenge_of(signed(device)) == CHALLENGE


@pytest.mark.parametrize(
    ("url", "rp_id", "origin"),
    [
        ("https://Pages.Agency.example:443", "pages.agency.example", "https://pages.agency.example"),
        ("http://localhost:8080", "localhost", "http://localhost:8080"),
        ("https://agency.example/ecluse", "agency.example", "https://agency.example"),
    ],
)
def test_site_when_made_of_an_address_then_host_and_origin(url: str, rp_id: str, origin: str) -> None:
    """Passkeys know a site by its host, browsers by scheme, host and port."""
    site = site_of(url, "Agency")
    assert (site.rp_id, site.origin) == (rp_id, origin)
