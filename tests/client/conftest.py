"""A gate in one process: real keys, proofs, tokens, receipts and checkpoints; only the register and the socket are made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse import clock, ids
from ecluse import identity as i
from ecluse.client.receipts import value_digest
from ecluse.ledger import fields as f
from ecluse.ledger import model as ledger_model
from ecluse.ledger import notes, tree

URL = "https://gate.example"
CLIENT = ids.ClientId("cli_aaaaaaaaaaaaaaaaaaaaaaaaaa")
ORIGIN = "gate.example/ecluse/main"
APPOINTMENT, AGENT = "apt_aaaaaaaaaaaaaaaaaaaaaaaaaa", "agt_aaaaaaaaaaaaaaaaaaaaaaaaaa"
PERSON = {"family_name": "Ouédraogo", "birth_date": 1990, "phone": None}


class Gate:
    """Answers as the gate does, checks what the gate checks, and counts; ``troubles`` are answered first, one a request."""

    def __init__(self, client_key: i.PublicKey) -> None:
        """Know one client by its key."""
        token_key = i.load_private(i.generate_private("ES256"))
        self.client_key, self.log_key = client_key, Ed25519PrivateKey.generate()
        self.issuer = i.TokenIssuer(token_key, URL, URL)
        self.tokens, self.proofs = i.TokenChecker([token_key.public], URL, URL), i.ProofChecker(URL)
        self.troubles: list[httpx.Response | Exception] = []
        self.tampering: Callable[[dict], None] = lambda _answer: None
        self.seen: list[httpx.Request] = []
        self.spent: set[bytes] = set()
        self.leaves = [sha256(bytes([number])).digest() for number in range(6)]
        self.signed_size: int | None = None

    @property
    def vkey(self) -> str:
        """The log's verifier key."""
        return notes.format_vkey(notes.verifier_of_key(ORIGIN, self.log_key))

    def calls(self, path: str) -> list[httpx.Request]:
        """Return the requests for a path so far."""
        return [request for request in self.seen if request.url.path == path]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.seen.append(request)
        if request.url.path.startswith("/.well-known/"):
            return httpx.Response(200, content=_json(i.server_metadata(URL)))
        if request.url.path == "/oauth/token":
            return self.token(request)
        token = request.headers["Authorization"].removeprefix("DPoP ")
        known = self.tokens.check(token, clock.now())
        self.spend(request, token, known.thumbprint)
        if self.troubles:
            trouble = self.troubles.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        answer = self.answer(request)
        self.tampering(answer)
        return httpx.Response(200, json=answer)

    def token(self, request: httpx.Request) -> httpx.Response:
        """Authenticate the client as the gate does and issue a real token."""
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assertion = form["client_assertion"]
        assert form["client_assertion_type"] == i.ASSERTION_TYPE
        client_id = i.peek_client_id(assertion)
        keys = [self.client_key]
        once = i.check_assertion(assertion, client_id=client_id, client_keys=keys, audiences=[URL], now=clock.now())
        assert once.digest not in self.spent
        self.spent.add(once.digest)
        proof = self.spend(request, None, None)
        i.check_bound(proof.thumbprint, keys)
        token = self.issuer.issue(
            client_id=client_id, scope="x", thumbprint=proof.thumbprint, now=clock.now(), jti=ids.random_bytes(8).hex()
        )
        return httpx.Response(200, json={"access_token": token, "token_type": "DPoP", "expires_in": self.issuer.life_seconds})

    def spend(self, request: httpx.Request, token: str | None, thumbprint: str | None) -> i.Proof:
        """Check a proof and that it was never seen."""
        proof = self.proofs.check(
            request.headers["DPoP"],
            method=request.method,
            path=request.url.path,
            token=token,
            thumbprint=thumbprint,
            now=clock.now(),
        )
        assert proof.digest not in self.spent
        self.spent.add(proof.digest)
        return proof

    def answer(self, request: httpx.Request) -> dict:
        """Answer what is asked."""
        path = request.url.path
        if path == "/v1/disclosures":
            body = json.loads(request.content)
            return self.disclosure(body["appointment"], body["agent"], body["attributes"])
        if path.endswith("/sheet"):
            rows = [APPOINTMENT, "apt_baaaaaaaaaaaaaaaaaaaaaaaaa"]
            return {"disclosures": [self.disclosure(row, AGENT, ["family_name"]) | {"appointment": row} for row in rows]}
        if path.endswith("/proof"):
            return self.proof()
        return {"path": path, "query": dict(request.url.params)}

    def disclosure(self, appointment: str, agent: str, attributes: list[str]) -> dict:
        """Grant attributes of the made-up person, with a real opening; ``address`` is withheld."""
        subject = {name: PERSON[name] for name in attributes if name != "address"}
        forms = {name: "full" if name in subject else "withheld" for name in attributes}
        salts = {name: ids.random_bytes(32) for name in subject}
        digests = {name: value_digest(name, salts[name], value).hex() for name, value in subject.items()}
        disclosure = ids.new_id("dsc")
        pairs: list[tuple[str, object]] = [
            ("at", "2026-01-05T09:30:00.000000Z"),
            ("event", "disclosure:person:granted"),
            ("disclosure", disclosure),
            ("agent", agent),
            ("appointment", appointment),
            ("subject", "ofii:1042"),
            ("forms", forms),
            ("values", digests),
            ("rules", ["window"]),
        ]
        committed = f.commit(pairs, ids.random_bytes(32 * len(pairs)))
        shown = f.opening_shown(pairs, committed.salts, committed.digests, f.SHOWN_TO_PROCESSOR)
        self.leaves.append(tree.leaf_hash(committed.leaf))
        receipt = {
            "log": ORIGIN,
            "index": len(self.leaves) - 1,
            "leaf_hash": self.leaves[-1].hex(),
            "opening": {"v": 1, "k": "decision", "h": committed.hour, "fields": shown},
            "value_salts": {name: salt.hex() for name, salt in salts.items()},
        }
        closes = "2026-01-05T18:00:00Z"
        return {"disclosure": disclosure, "subject": subject, "forms": forms, "window_closes_at": closes, "receipt": receipt}

    def proof(self) -> dict:
        """Prove the last entry under a signed checkpoint of ``signed_size`` entries (all, if None)."""
        size = len(self.leaves) if self.signed_size is None else self.signed_size
        self.signed_size = None
        index, leaves = len(self.leaves) - 1, self.leaves[:size]
        root = tree.root_of(leaves)
        note = notes.sign_checkpoint(ledger_model.Checkpoint(origin=ORIGIN, size=size, root=root), self.log_key)

        def read(wanted: list[tree.Node]) -> dict[tree.Node, bytes]:
            return {(height, at): tree.root_of(leaves[at << height : (at + 1) << height]) for height, at in wanted}

        path = tree.inclusion_path(index, size, read) if index < size else []
        inclusion = [step.hex() for step in path]
        return {"log": ORIGIN, "index": index, "leaf_hash": self.leaves[-1].hex(), "checkpoint": note, "inclusion": inclusion}


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


@pytest.fixture(params=["ES256", "EdDSA"])
def key_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Write a private key of each kind in turn."""
    path = tmp_path / "client.pem"
    path.write_bytes(i.generate_private(request.param))
    return path


@pytest.fixture
def gate(key_file: Path) -> Gate:
    """Return a gate that knows the client of ``key_file``."""
    return Gate(i.load_private(key_file.read_bytes()).public)
