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
from ecluse.client.trust import Policy, parse_policy
from ecluse.ledger import fields as f
from ecluse.ledger import model as ledger_model
from ecluse.ledger import notes, tiles, tree

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
        self.index_of: dict[str, int] = {}
        self.signed_size: int | None = None
        self.next_log_key: Ed25519PrivateKey | None = None
        self.witnesses = {f"witness.example/w{n}": Ed25519PrivateKey.generate() for n in (1, 2, 3)}
        self.asleep: set[str] = set()

    @property
    def vkey(self) -> str:
        """The log's verifier key."""
        return notes.format_vkey(notes.verifier_of_key(ORIGIN, self.log_key))

    @property
    def policy(self) -> Policy:
        """The policy of this log: two of three witnesses."""
        return parse_policy(self.policy_text.encode())

    @property
    def policy_text(self) -> str:
        """The same as the file that the controller hands over."""
        keys = {name: notes.verifier_of_key(name, key, notes.COSIGNATURE) for name, key in self.witnesses.items()}
        lines = [f"witness w{n} {notes.format_vkey(key)}" for n, key in enumerate(keys.values(), 1)]
        return "\n".join([f"log {self.vkey}", *lines, "group all-of-them 2 w1 w2 w3", "quorum all-of-them", ""])

    def note(self, size: int, at: int = 1_767_605_401) -> str:
        """Sign the head of a size with the log's keys, and have those witnesses cosign it that are awake."""
        root = tree.root_of(self.leaves[:size])
        checkpoint = ledger_model.Checkpoint(origin=ORIGIN, size=size, root=root)
        note = notes.sign_checkpoint(checkpoint, self.log_key)
        text = notes.format_checkpoint(checkpoint)
        if self.next_log_key is not None:
            note += notes.sign_checkpoint(checkpoint, self.next_log_key).removeprefix(text + "\n")
        awake = [(name, key) for name, key in self.witnesses.items() if name not in self.asleep]
        return note + "".join(notes.cosign(text, name, key, at + n) for n, (name, key) in enumerate(awake))

    def public(self, path: str) -> httpx.Response:
        """Answer for the log's public files: its newest head, and tiles at every width that it has."""
        if path == "checkpoint":
            return httpx.Response(200, text=self.note(len(self.leaves)))
        tile = tiles.parse_tile_path(path)
        assert isinstance(tile, ledger_model.Tile)
        span = 256**tile.level
        first = tile.index * 256 * span
        if first + tile.width * span > len(self.leaves):
            return httpx.Response(404)
        starts = range(first, first + tile.width * span, span)
        return httpx.Response(200, content=b"".join(tree.root_of(self.leaves[at : at + span]) for at in starts))

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
        if request.url.path.startswith("/ledger/main/"):
            assert "Authorization" not in request.headers
            return self.public(request.url.path.removeprefix("/ledger/main/"))
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
            return self.proof(self.index_of[path.split("/")[3]])
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
            ("processor", "lyon-formation"),
            ("client", CLIENT),
            ("agent", agent),
            ("assurance", "asserted"),
            ("appointment", appointment),
            ("subject", "ofii:1042"),
            ("purpose", "civic-training"),
            ("legal_basis", "6.1.e"),
            ("contract", {"hash": "0" * 64, "reference": "2026-CIR-017", "version": 3}),
            ("forms", forms),
            ("values", digests),
            ("fingerprints", {"attributes": {}, "key": 1, "normal": 1}),
            ("rules", ["window"]),
            ("interval", ["2026-01-04T09:00:00.000000Z", "2026-01-05T18:00:00.000000Z"]),
        ]
        committed = f.commit(pairs, ids.random_bytes(32 * len(pairs)))
        shown = f.opening_shown(pairs, committed.salts, f.SHOWN_TO_PROCESSOR)
        self.leaves.append(tree.leaf_hash(committed.leaf))
        self.index_of[disclosure] = len(self.leaves) - 1
        receipt = {
            "log": ORIGIN,
            "index": len(self.leaves) - 1,
            "leaf_hash": self.leaves[-1].hex(),
            "opening": {"v": 1, "k": "decision", "h": committed.hour, "fields": shown},
            "value_salts": {name: salt.hex() for name, salt in salts.items()},
        }
        closes = "2026-01-05T18:00:00Z"
        return {"disclosure": disclosure, "subject": subject, "forms": forms, "window_closes_at": closes, "receipt": receipt}

    def proof(self, index: int) -> dict:
        """Prove an entry under a signed checkpoint of ``signed_size`` entries (all, if None)."""
        size = len(self.leaves) if self.signed_size is None else self.signed_size
        self.signed_size = None
        leaves, note = self.leaves[:size], self.note(size)

        def read(wanted: list[tree.Node]) -> dict[tree.Node, bytes]:
            return {(height, at): tree.root_of(leaves[at << height : (at + 1) << height]) for height, at in wanted}

        path = tree.inclusion_path(index, size, read) if index < size else []
        inclusion = [step.hex() for step in path]
        return {"log": ORIGIN, "index": index, "leaf_hash": self.leaves[index].hex(), "checkpoint": note, "inclusion": inclusion}


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
