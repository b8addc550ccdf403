"""Passkeys (W3C Web Authentication Level 3): what a browser is asked to sign, and checking what it signed. Pure but for the keys' mathematics.

The library verifies; this module says with which rules, and reads the browser's JSON strictly before the library sees it:

1  the challenge is ours, for this purpose, in time and for the first time (the caller has spent it: `challenge_of` tells which)
2  ``type``, ``challenge`` and ``origin`` are those of this ceremony, and the page was not in a frame of another site
3  the authenticator signed for our RP id, with the person present *and verified* (a fingerprint, a face, a PIN): two factors in one gesture
4  the signature verifies with the stored key
5  the counter did not go back: a passkey that was copied is refused

A passkey is discoverable, so nobody types a name, and none can be guessed from an answer. Attestation is not asked for: the make of a key is nobody's
business here, and its statement would single a person out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ecluse.identity.compact import Malformed, unpack
from ecluse.identity.errors import PasskeyRefused
from ecluse.identity.proofs import normal_url

CHALLENGE_BYTES: Final = 32
LABEL_CHARACTERS: Final = 80
_MILLISECONDS: Final = 240_000  # less than the five minutes for which a challenge is good
_FORMATS: Final = frozenset({"none", "packed"})
"""What a browser hands over when no attestation is asked for: none, or a statement by the passkey itself."""
_BROKEN: Final = (
    WebAuthnException, InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
"""What the library and its parsers raise for an answer that is none."""

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]
_Id = Annotated[str, msgspec.Meta(min_length=16, max_length=1400)]


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The pages' own address as passkeys know it: RP id (its host), origin, and the name that the browser shows."""

    rp_id: str
    origin: str
    name: str


class Attested(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a new passkey answers."""

    client_data_json: _Text = msgspec.field(name="clientDataJSON")
    attestation_object: _Text


class Asserted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a passkey answers that is there already. ``user_handle``: whose it says it is; never believed."""

    client_data_json: _Text = msgspec.field(name="clientDataJSON")
    authenticator_data: _Text
    signature: _Text
    user_handle: str | None = None


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A browser's ``PublicKeyCredential`` of a new passkey, as JSON; members that we do not use are dropped."""

    id: _Id
    response: Attested


class Assertion(msgspec.Struct, frozen=True, kw_only=True):
    """A browser's ``PublicKeyCredential`` of a passkey that is there already, as JSON."""

    id: _Id
    response: Asserted


class NewPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey that was made for us. ``public_key``: COSE; ``backed_up``: it is kept in a cloud, or on several devices."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backed_up: bool


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey that signed: its counter now, and whether it is kept elsewhere too."""

    sign_count: int
    backed_up: bool


class _ClientData(msgspec.Struct, frozen=True, rename="camel"):
    challenge: Annotated[str, msgspec.Meta(min_length=43, max_length=43)]
    cross_origin: bool = False


_client_data: Final = msgspec.json.Decoder(_ClientData).decode


def site_of(pages_url: str, name: str) -> Site:
    """Say how passkeys know the pages at ``pages_url`` (its path does not matter)."""
    parts = urlsplit(normal_url(pages_url))
    if parts.hostname is None:
        raise AssertionError("impossible: an address without a host")
    return Site(rp_id=parts.hostname, origin=f"{parts.scheme}://{parts.netloc}", name=name)


def registration_options(
    site: Site, *, holder: str, name: str, challenge: bytes, known: Sequence[bytes] = ()
) -> Mapping[str, object]:
    """Return ``PublicKeyCredentialCreationOptionsJSON``. ``holder``: their id, which is random; ``known``: credentials that are theirs already."""
    return options_to_json_dict(
        generate_registration_options(
            rp_id=site.rp_id,
            rp_name=site.name,
            user_id=holder.encode("ascii"),
            user_name=name,
            challenge=challenge,
            timeout=_MILLISECONDS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
        )
    )


def assertion_options(site: Site, *, challenge: bytes, known: Sequence[bytes] = ()) -> Mapping[str, object]:
    """Return ``PublicKeyCredentialRequestOptionsJSON``. ``known``: the only credentials that will do; empty: whichever the device has for this site."""
    return options_to_json_dict(
        generate_authentication_options(
            rp_id=site.rp_id,
            challenge=challenge,
            timeout=_MILLISECONDS,
            allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def challenge_of(answer: Registration | Assertion) -> bytes:
    """Return the challenge that the browser says it signed (step 1), 32 bytes. Raises `PasskeyRefused`."""
    data = _client_data_of(answer)
    challenge = _bytes(data.challenge)
    if len(challenge) != CHALLENGE_BYTES:
        raise PasskeyRefused("the challenge is not one of ours")
    return challenge


def credential_of(answer: Registration | Assertion) -> bytes:
    """Return the credential's id. Raises `PasskeyRefused`."""
    return _bytes(answer.id)


def check_registration(site: Site, answer: Registration, challenge: bytes) -> NewPasskey:
    """Check what a new passkey answered (steps 2, 3). Raises `PasskeyRefused`."""
    _refuse_framed(answer)
    response = {"clientDataJSON": answer.response.client_data_json, "attestationObject": answer.response.attestation_object}
    try:
        checked = verify_registration_response(
            credential={"id": answer.id, "rawId": answer.id, "type": "public-key", "response": response},
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _BROKEN:
        checked = None
    if checked is None or checked.fmt not in _FORMATS or checked.credential_id != _bytes(answer.id):
        raise PasskeyRefused("the new passkey's answer does not verify")
    return NewPasskey(
        credential_id=checked.credential_id,
        public_key=checked.credential_public_key,
        sign_count=checked.sign_count,
        backed_up=checked.credential_backed_up,
    )


def check_assertion(site: Site, answer: Assertion, challenge: bytes, *, public_key: bytes, sign_count: int) -> Used:
    """Check what a passkey signed (steps 2 to 5). ``sign_count``: its counter when it was used last. Raises `PasskeyRefused`."""
    _refuse_framed(answer)
    response = {
        "clientDataJSON": answer.response.client_data_json,
        "authenticatorData": answer.response.authenticator_data,
        "signature": answer.response.signature,
    }
    try:
        checked = verify_authentication_response(
            credential={"id": answer.id, "rawId": answer.id, "type": "public-key", "response": response},
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except _BROKEN:
        raise PasskeyRefused("the passkey's answer does not verify") from None
    return Used(sign_count=checked.new_sign_count, backed_up=checked.credential_backed_up)


def _client_data_of(answer: Registration | Assertion) -> _ClientData:
    try:
        return _client_data(_bytes(answer.response.client_data_json))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise PasskeyRefused("the client data are not as they should be") from None


def _refuse_framed(answer: Registration | Assertion) -> None:
    """Refuse an answer that was given inside a frame of another site (step 2; the library does not look)."""
    if _client_data_of(answer).cross_origin:
        raise PasskeyRefused("the page was in a frame of another site")


def _bytes(text: str) -> bytes:
    try:
        return unpack(text.encode("ascii"))
    except (Malformed, UnicodeEncodeError):
        raise PasskeyRefused("not base64url") from None
