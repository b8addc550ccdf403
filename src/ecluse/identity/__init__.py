"""Who is calling: keys, proofs of key (DPoP), access tokens and client assertions; checking them is pure.

It authenticates and decides nothing: what a caller may see is decided anew in each disclosure. It knows no contract or person.
"""

from __future__ import annotations

from ecluse.identity.assertions import ASSERTION_TYPE, check_assertion, check_bound, peek_client_id
from ecluse.identity.errors import ClientAuthInvalid, IdentityError, KeyInvalid, ProofInvalid, TokenInvalid
from ecluse.identity.keys import PrivateKey, generate_private, load_private, parse_public_jwk
from ecluse.identity.metadata import key_set, server_metadata
from ecluse.identity.model import Algorithm, Proof, PublicKey, Spent, Token
from ecluse.identity.proofs import ProofChecker
from ecluse.identity.ring import TokenRing, parse_token_keys, with_successor, write_token_keys
from ecluse.identity.tokens import TokenChecker, TokenIssuer

__all__ = [
    "ASSERTION_TYPE",
    "Algorithm",
    "ClientAuthInvalid",
    "IdentityError",
    "KeyInvalid",
    "PrivateKey",
    "Proof",
    "ProofChecker",
    "ProofInvalid",
    "PublicKey",
    "Spent",
    "Token",
    "TokenChecker",
    "TokenInvalid",
    "TokenIssuer",
    "TokenRing",
    "check_assertion",
    "check_bound",
    "generate_private",
    "key_set",
    "load_private",
    "parse_public_jwk",
    "parse_token_keys",
    "peek_client_id",
    "server_metadata",
    "with_successor",
    "write_token_keys",
]
