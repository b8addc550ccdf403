"""Errors of ``identity``.

IdentityError
├── KeyInvalid               a public key that may not be registered or used
├── ProofInvalid             a DPoP proof (RFC 9449); OAuth error ``invalid_dpop_proof``
│   ├── ProofMalformed       not one well-formed proof
│   ├── ProofKeyRefused      header: type, algorithm or key
│   ├── ProofSignatureWrong  the signature does not verify
│   ├── ProofTargetWrong     made for another method or address
│   ├── ProofOutOfTime       too old, or from the future
│   └── ProofTokenMismatch   made for another token, or by another key than the token's
├── TokenInvalid             an access token (RFC 9068); OAuth error ``invalid_token``
│   ├── TokenMalformed       not a token of this server
│   └── TokenExpired         it was one, and its time is over
├── ClientUnknown            registering: no such client, key or processor
├── ClientStopped            a known client that may not act now: suspended, or its key revoked
├── SignInRefused            a person at a page
│   ├── LinkClosed           a one-time link that is used, expired, unknown, or waits for a second person
│   ├── ChallengeSpent       not asked for, too late, or answered before
│   ├── PasskeyUnknown       no passkey of ours, or of an account that may not sign in now
│   ├── PasskeyRefused       its answer does not verify
│   └── DeskKeyMissing       an agent's browser without a key of its own
├── AccountRefused           a change of accounts that the rules do not allow
└── ClientAuthInvalid        a client assertion (RFC 7523); OAuth error ``invalid_client``
    ├── AssertionMalformed   not one well-formed assertion
    ├── AssertionRefused     signed by no registered key, or for another server or client
    ├── AssertionOutOfTime   too old, from the future, or good for too long
    └── KeyNotRegistered     the proof's key is none of the client's

``why`` is a constant sentence for logs and for the client's developer: never a claim, a key or a name out of the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecluse.errors import EcluseError

if TYPE_CHECKING:
    from datetime import timedelta


class IdentityError(EcluseError):
    """Who is calling could not be established."""

    code = "identity"
    oauth_error: str = "invalid_request"

    def __init__(self, why: str) -> None:
        """Say ``why``, in constant words."""
        super().__init__(why)
        self.why = why


class KeyInvalid(IdentityError):
    """The public key is not an ES256 or Ed25519 key in canonical form."""

    code = "key-invalid"


class ProofInvalid(IdentityError):
    """The proof of key is not acceptable."""

    code = "proof-invalid"
    oauth_error = "invalid_dpop_proof"


class ProofMalformed(ProofInvalid):
    """The proof of key is not one well-formed DPoP proof."""

    code = "proof-malformed"


class ProofKeyRefused(ProofInvalid):
    """The proof names a type, an algorithm or a key that is not accepted."""

    code = "proof-key-refused"


class ProofSignatureWrong(ProofInvalid):
    """The proof's signature does not verify with the key it names."""

    code = "proof-signature-wrong"


class ProofTargetWrong(ProofInvalid):
    """The proof was made for another method or address."""

    code = "proof-target-wrong"


class ProofOutOfTime(ProofInvalid):
    """The proof was made too long ago, or in the future: check the clock."""

    code = "proof-out-of-time"

    def __init__(self, why: str, offset: timedelta | None = None) -> None:
        """Say ``why``, and how far the proof's clock is ahead of ours (None: too far to be written)."""
        super().__init__(why)
        self.offset = offset


class ProofTokenMismatch(ProofInvalid):
    """The proof was made for another token, or by another key than the token's."""

    code = "proof-token-mismatch"


class TokenInvalid(IdentityError):
    """The access token is not acceptable."""

    code = "token-invalid"
    oauth_error = "invalid_token"


class TokenMalformed(TokenInvalid):
    """The access token was not issued by this server for this use."""

    code = "token-malformed"


class TokenExpired(TokenInvalid):
    """The access token has expired: ask for a new one."""

    code = "token-expired"


class ClientAuthInvalid(IdentityError):
    """The client could not be authenticated."""

    code = "client-auth-invalid"
    oauth_error = "invalid_client"


class AssertionMalformed(ClientAuthInvalid):
    """The client assertion is not one well-formed assertion."""

    code = "assertion-malformed"


class AssertionRefused(ClientAuthInvalid):
    """The client assertion is signed by no registered key, or was made for another server or client."""

    code = "assertion-refused"


class AssertionOutOfTime(ClientAuthInvalid):
    """The client assertion was made too long ago, in the future, or is good for too long: check the clock."""

    code = "assertion-out-of-time"


class KeyNotRegistered(ClientAuthInvalid):
    """The proof's key is none of the keys registered for the client."""

    code = "key-not-registered"


class ClientUnknown(IdentityError):
    """There is no such client, key or processor to register for."""

    code = "client-unknown"


class ClientStopped(IdentityError):
    """The client is suspended, or its key is revoked."""

    code = "suspended"


class SignInRefused(IdentityError):
    """You could not be signed in."""

    code = "sign-in-refused"


class LinkClosed(SignInRefused):
    """This link was used already, has expired, or waits for a second administrator."""

    code = "link-closed"


class ChallengeSpent(SignInRefused):
    """This took too long, or was answered already: begin again."""

    code = "challenge-spent"


class PasskeyUnknown(SignInRefused):
    """No account that may sign in now has this passkey."""

    code = "passkey-unknown"


class PasskeyRefused(SignInRefused):
    """The passkey's answer could not be accepted."""

    code = "passkey-refused"


class DeskKeyMissing(SignInRefused):
    """This browser could not keep a key of its own, which the desk needs."""

    code = "desk-key-missing"


class AccountRefused(IdentityError):
    """This change of an account is not allowed."""

    code = "account-refused"
