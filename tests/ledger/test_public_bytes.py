"""What a stranger, a processor and its rival learn from all public bytes of working agencies: the number of entries, and nothing about any of them.

Two agencies live the same day but for one processor's share, one agent and one reason. Everything that anybody may read of them is read; then the words of the
entries are looked for in it, a dictionary of all that can be guessed is tried on it, and the two are laid side by side. docs/ledger.md says the rest.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ecluse.embedded import EmbeddedPostgres
from tests.agency import Agency, Party, founded
from tests.e2e.desk import code_of
from tests.e2e.outsider import Outsider, read_checkpoint, tree_root
from tests.invented import GIVEN
from tests.ledger.stranger import (
    Answer,
    digest,
    guessed_hashes,
    guessed_salts,
    hashes_in,
    leaf_hash,
    leaves_of,
    openings_of,
    read_ledger,
    read_pages,
    spellings,
    texts_in,
)

pytestmark = pytest.mark.e2e

OURS, THEIRS = (10, 11, 12, 13), (20, 21, 22, 23)
"""Persons placed with the one processor and with its rival."""

UNKNOWN = "apt_" + "k" * 25 + "a"
"""A handle that is nobody's, and no example of the documents."""


@dataclass(frozen=True, kw_only=True)
class Day:
    """An agency after its day. ``entries``: fields and salts of each, as the controller keeps them; ``told``: all that the rival was ever answered."""

    size: int
    vkey: str
    url: str
    ledger: dict[str, Answer]
    pages: dict[str, Answer]
    entries: list[tuple[list[tuple[str, object]], list[bytes]]]
    told: list[dict[str, Any]]
    names: dict[str, set[str]]

    def public(self) -> list[Answer]:
        """Return everything that anybody may read."""
        return [*self.ledger.values(), *self.pages.values()]

    def words_of(self, whose: str) -> set[str]:
        """Return the texts in the entries that name a processor, or in all of them, that could tell something: longer than a word of the format."""
        wanted = [fields for fields, _ in self.entries if not whose or dict(fields).get("processor") in self.names[whose]]
        return {text for fields in wanted for _, value in fields for text in texts_in(value) if len(text) >= 10}


async def _live(agency: Agency, *, other: bool) -> Day:
    """Let two processors work: eight grants and four refusals, with another share, agent and reason if ``other``."""
    parties = [await agency.bind(agents=2), await agency.bind(agents=2)]
    handles = [
        await agency.schedule(await agency.meeting(party, persons))
        for party, persons in zip(parties, (OURS, THEIRS), strict=True)
    ]
    shares = [(OURS[:1], THEIRS), (OURS, THEIRS[:1])][other]
    told: list[dict[str, Any]] = []
    async with _machine(agency, parties[0]) as first, _machine(agency, parties[1]) as second:
        for number, (machine, share) in enumerate(zip((first, second), shares, strict=True)):
            agent = parties[number].agents[other]
            for person in share:
                answer = await machine.disclose(handles[number][person], agent, list(GIVEN))
                assert code_of(answer) == "ok", answer.text
                told += [answer.json()] if number else []
            refused = await machine.disclose(
                UNKNOWN if other else handles[number][share[0]], agent, ["family_name" if other else "blood_type"]
            )
            assert code_of(refused) == ("not-disclosable" if other else "attribute-not-contracted")
            told += [refused.json()] if number else []
        told += await _pry(agency, second, handles[0], told)
        return await _read(agency, parties, told)


def _machine(agency: Agency, party: Party) -> Outsider:
    return Outsider(agency.public_url, party.machines[0].id, party.machines[0].key)


async def _pry(agency: Agency, rival: Outsider, handles: dict[int, str], told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let the rival ask for all that its credential reads, for the other's handles, and for the proofs of its own disclosures."""
    answers = [await rival.call("GET", path) for path in ("/v1/whoami", "/v1/sessions", "/v1/changes", "/v1/budget")]
    answers += [await rival.disclose(handle, "agt_" + "a" * 26) for handle in handles.values()]
    for one in list(told):
        for _ in range(60):
            proof = await rival.call("GET", f"/v1/disclosures/{one['disclosure']}/proof")
            if code_of(proof) != "not-published":
                break
            await asyncio.sleep(0.2)
        assert code_of(proof) == "ok"
        answers.append(proof)
    return [one.json() for one in answers]


async def _read(agency: Agency, parties: list[Party], told: list[dict[str, Any]]) -> Day:
    """Read all that is public once every entry is under a checkpoint, and what the controller keeps."""
    vkey = (await agency.fetch("select vkey from ecluse.ledger_log"))[0]["vkey"]
    async with httpx.AsyncClient(base_url=agency.public_url, timeout=30) as http:
        for _ in range(100):
            size = read_checkpoint((await http.get("/ledger/main/checkpoint")).text, vkey)[1]
            if size == await agency.size():
                break
            await asyncio.sleep(0.2)
        rows = await agency.fetch("select fields, salts from ecluse.opening where log_id = 1 and index < $1 order by index", size)
        entries = openings_of({"fields": json.loads(row["fields"]), "salts": row["salts"]} for row in rows)
        names = {"ours": {parties[0].name}, "rival": {parties[1].name}}
        ledger, pages = await read_ledger(http, size), await read_pages(http)
        return Day(
            size=size, vkey=vkey, url=agency.public_url, ledger=ledger, pages=pages, entries=entries, told=told, names=names
        )


@pytest.fixture(scope="module")
def days(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[Day, Day]:
    """Two agencies, one after the other, each founded, lived in, read and gone."""
    lived = []
    for other in (False, True):
        with founded(postgres, tmp_path_factory.mktemp("agency") / "ecluse-data") as agency:
            lived.append(asyncio.run(_live(agency, other=other)))
    return lived[0], lived[1]


def test_public_bytes_when_asked_for_more_then_nothing_more_is_there(days: tuple[Day, Day]):
    """Without a credential there are no entries, metrics or operations of anyone's; only the log, health, keys, and pages."""
    for day in days:
        open_to_all = {name.partition(" ")[2] for name, answer in day.pages.items() if answer.status == 200}
        listed = {"/healthz", "/problems", "/problems.css", "/schema", "/schema/openapi.json", "/oauth/jwks", "/outcomes/jwks"}
        listed.add("/.well-known/oauth-authorization-server")
        listed.add("/my-data")  # the way in: the secret stands behind the link's #, which is never sent
        assert {path for path in open_to_all if not path.startswith(("/problems/", "/ledger/"))} - listed == {
            "/healthz?verbose=1"
        }
        assert day.pages["get /metrics"].status == 404
        assert {day.ledger[f"/ledger/main/tile/entries/000{end}"].status for end in ("", ".p/1")} <= {401, 403, 404}


def test_public_bytes_when_all_are_searched_then_no_word_of_any_entry(days: tuple[Day, Day]):
    """No agent, handle, person, processor, contract, reason, digest or salt of any entry stands anywhere, in any spelling.

    Words of the documents (names of attributes, codes of problems) stand there without any entry: they stand in the twin's, too.
    """
    for day, twin in (days, days[::-1]):
        places = {
            name: answer.body + repr(sorted(answer.headers.items())).encode()
            for name, answer in {**day.ledger, **day.pages}.items()
        }
        fixed = {text for text in day.words_of("") if any(text.encode() in answer.body for answer in twin.pages.values())}
        words = (day.words_of("") - fixed - {"agency.example/ecluse/main"}) | {
            salt.hex() for _, salts in day.entries for salt in salts
        }
        assert len(words) > 300
        assert not {word for word in fixed if word.startswith(("agt_", "apt_", "dsc_", "cli_", "proc-", "ofii:"))}
        needles = {spelling: word for word in words for spelling in spellings(word)}
        found = {(name, needles[needle]) for name, body in places.items() for needle in needles if needle in body}
        assert found == set()
        assert {
            needles[needle] for needle in needles if needle in json.dumps(day.told).encode()
        }  # the search finds what is there


def test_tiles_when_all_that_can_be_guessed_is_tried_then_no_hash_is_met(days: tuple[Day, Day]):
    """With every value of every field, and every guess for the salts but the salts, none of an entry's digests, roots or leaves is met in public."""
    for day in days:
        public = hashes_in(day.public())
        leaves = leaves_of(day.ledger, day.size)
        assert set(leaves) < public
        root = read_checkpoint(day.ledger["/ledger/main/checkpoint"].body.decode(), day.vkey)[2]
        assert tree_root(leaves) == root
        for index, (fields, salts) in enumerate(day.entries):
            assert leaf_hash(fields, salts) == leaves[index]  # with the salts the attack works: it is the salts that stop it
            known = [root, leaves[index], leaves[index - 1], bytes.fromhex(day.vkey.split("+")[1])]
            assert guessed_hashes(fields, guessed_salts(known, index)) & public == set()


def test_tiles_when_the_ledger_had_no_salts_then_the_attack_would_succeed(days: tuple[Day, Day]):
    """The same attack on the same entries written with no salt, a constant one, or the entry's number finds each of them."""
    entries = days[0].entries
    for salt_of in (lambda _: b"", lambda _: bytes(32), lambda index: index.to_bytes(32, "big")):
        weak = {leaf_hash(fields, [salt_of(index)] * len(fields)) for index, (fields, _) in enumerate(entries)}
        met = {
            one for index, (fields, _) in enumerate(entries) for one in guessed_hashes(fields, guessed_salts([], index)) & weak
        }
        assert met == weak


def test_answers_when_a_rival_keeps_them_all_then_nothing_of_the_other(days: tuple[Day, Day]):
    """A processor's own answers, receipts and proofs, and its refusals for the other's handles, hold no word of the other and open no entry of it."""
    for day in days:
        told = json.dumps(day.told).encode()
        asked = {handle for handle in day.words_of("rival") if handle.startswith("apt_")}
        words = day.words_of("ours") - day.words_of("rival") - asked
        assert len(words) > 20
        assert {word for word in words for needle in spellings(word) if needle in told} == set()
        known = [bytes.fromhex(text) for text in texts_in(day.told) if len(text) == 64 and set(text) <= set("0123456789abcdef")]
        leaves = set(leaves_of(day.ledger, day.size))
        for index, (fields, _) in enumerate(day.entries):
            if dict(fields).get("processor") in day.names["ours"]:
                assert guessed_hashes(fields, guessed_salts(known, index)) & (leaves | set(known)) == set()


def test_receipts_when_their_holder_guesses_what_is_hidden_then_no_digest_is_met(days: tuple[Day, Day]):
    """Who holds a receipt, and knows every person of the register, all reasons and rules, opens none of its hidden fields; with the true salt each opens."""
    for day in days:
        receipts = [one["receipt"] for one in day.told if "receipt" in one]
        assert len(receipts) >= 2
        for receipt in receipts:
            fields, salts = day.entries[receipt["index"]]
            shown = receipt["opening"]["fields"]
            hidden = {bytes.fromhex(one) for one in shown if isinstance(one, str)}
            names = [name for (name, _), one in zip(fields, shown, strict=True) if isinstance(one, str)]
            assert {"rules", "reasons"} & set(names) or "subject" in names
            own = [bytes.fromhex(one[1]) for one in shown if not isinstance(one, str)]
            own += [bytes.fromhex(salt) for salt in receipt["value_salts"].values()] + [bytes.fromhex(receipt["leaf_hash"])]
            tries = guessed_salts(own, receipt["index"])
            persons = [f"ofii:{number}" for number in range(1, 201)]
            assert hidden & {digest("subject", salt, person) for salt in tries for person in persons} == set()
            assert hidden & {digest(name, salt, value) for salt in tries for name, value in fields if name in names} == set()
            assert hidden == {
                digest(name, salt, value) for (name, value), salt in zip(fields, salts, strict=True) if name in names
            }


def test_public_bytes_when_share_agent_and_reason_differ_then_of_the_same_shape(days: tuple[Day, Day]):
    """Two logs that differ in whose, by whom and why have the same paths, statuses, headers and lengths; only hashes and signatures differ."""
    first, second = days
    assert sorted(str(dict(fields)["event"]) for fields, _ in first.entries) == sorted(
        str(dict(fields)["event"]) for fields, _ in second.entries
    )
    for what in ("agent", "reason", "processor"):
        assert [dict(fields).get(what) for fields, _ in first.entries] != [dict(fields).get(what) for fields, _ in second.entries]
    assert (first.size, set(first.ledger), set(first.pages)) == (second.size, set(second.ledger), set(second.pages))
    for name, answer in {**first.ledger, **first.pages}.items():
        twin = {**second.ledger, **second.pages}[name]
        assert answer.shape() == twin.shape(), name


def test_pages_when_of_two_agencies_then_the_same_bytes(days: tuple[Day, Day]):
    """Pages, problems and the OpenAPI document are of the release, not of the day: the same in both but for the address and its public keys."""
    first, second = days
    for name, answer in first.pages.items():
        if "jwks" in name or "/ledger/" in name:
            continue
        assert answer.body.replace(first.url.encode(), b"") == second.pages[name].body.replace(second.url.encode(), b""), name


def test_size_when_the_rival_subtracts_its_own_then_how_many_are_the_others_as_the_page_says(days: tuple[Day, Day]):
    """What can be learned is learned: the log's growth less one's own entries is the other's and the controller's together, and docs/ledger.md says so."""
    for day in days:
        own = {one["receipt"]["index"] for one in day.told if "receipt" in one}
        first, last = min(own), max(own)
        between = [dict(fields).get("processor") for fields, _ in day.entries[first : last + 1]]
        others = last - first + 1 - len(own)
        assert others == sum(name not in day.names["rival"] for name in between)
    page = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    assert "each can subtract" in page
