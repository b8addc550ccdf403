"""Witness policies and witnesses' answers, pure: what is refused with its line and mend, what a change says, which lines are taken."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.ledger.errors import NoteInvalid, PolicyInvalid
from ecluse.ledger.notes import COSIGNATURE, cosign, format_vkey, parse_vkey, verifier_of_key
from ecluse.ledger.policies import Overdue, changes_of, check_policy, overdue, quorum_words
from ecluse.ledger.quorum import parse_policy
from ecluse.ledger.witnesses import cosignatures_in

pytestmark = pytest.mark.unit

ORIGIN = "register.example/ecluse/main"
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
ALL = "group both all dpo lyon\nquorum both"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG_VKEY = format_vkey(verifier_of_key(ORIGIN, LOG_KEY))
DPO_KEY, LYON_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
DPO = format_vkey(verifier_of_key("dpo.example/w", DPO_KEY, COSIGNATURE))
LYON = format_vkey(verifier_of_key("lyon.example/w", LYON_KEY, COSIGNATURE))
SELF = format_vkey(verifier_of_key(ORIGIN, LOG_KEY, COSIGNATURE))
GOOD = f"log {LOG_VKEY}\nwitness dpo {DPO} https://dpo.example/w\nwitness lyon {LYON} http://127.0.0.1:9/w\n{ALL}\n"
TEXT = f"{ORIGIN}\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"

# ── what a policy may say ────────────────────────────────────────────────────────────────────────────────────────────

BAD_POLICIES = [
    (GOOD.replace(LOG_VKEY, format_vkey(verifier_of_key("other.example/log", DPO_KEY))), 0, f"Add the line: log {LOG_VKEY}"),
    (GOOD.replace(" https://dpo.example/w", ""), 2, "no address"),
    (GOOD.replace("https://dpo", "http://dpo"), 2, "https://"),
    (GOOD.replace("https://dpo.example/w", "https://user@dpo.example/w"), 2, "without user"),
    (GOOD.replace("https://dpo.example/w", "https://dpo.example/w?a=b"), 2, "without user"),
    (GOOD.replace("https://dpo.example/w", "file:///etc/passwd"), 2, "https://"),
    (GOOD.replace("127.0.0.1:9", "192.0.2.1:9"), 3, "this machine"),
    (GOOD.replace("127.0.0.1:9", "127.0.0.1:99999"), 3, "https://"),
    (GOOD.replace(LYON, SELF), 3, "nobody witnesses himself"),
    (GOOD.replace("quorum both\n", ""), 4, "quorum"),
    (GOOD + "# \x7f\n", 6, "control"),
    (GOOD + "#" * 70_000 + "\n", 0, "64 KiB"),
    (GOOD + "".join(f"group g{n} any dpo\n" for n in range(1)), 6, "member"),
]


@pytest.mark.parametrize(("text", "line", "says"), BAD_POLICIES)
def test_policy_when_it_can_not_be_acted_on_then_refused_with_line_and_mend(text: str, line: int, says: str) -> None:
    """Each rule, broken alone, is named with the line where it is broken."""
    with pytest.raises(PolicyInvalid, match=re.escape(says)) as refused:
        check_policy(text.encode(), [LOG_VKEY])
    assert refused.value.line == line


def test_policy_when_it_is_not_text_then_refused_with_its_line() -> None:
    """Latin-1 in a comment is found where it stands."""
    with pytest.raises(PolicyInvalid, match="UTF-8") as refused:
        check_policy(GOOD.encode() + "# délégué\n".encode("latin-1"), [LOG_VKEY])
    assert refused.value.line == 6


def test_policy_when_the_log_changes_its_key_then_both_have_to_be_named() -> None:
    """While two keys sign the log, a policy that names one of them is refused."""
    second = format_vkey(verifier_of_key(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes([4]) * 32)))
    with pytest.raises(PolicyInvalid, match="Add the line"):
        check_policy(GOOD.encode(), [LOG_VKEY, second])
    assert len(check_policy(f"log {second}\n{GOOD}".encode(), [LOG_VKEY, second]).logs) == 2


def test_changes_when_a_policy_replaces_another_then_in_plain_words() -> None:
    """Who is new, who is gone, who moved, and what the quorum becomes."""
    before = parse_policy(GOOD.encode())
    moved = GOOD.replace("https://dpo.example/w", "https://new.example/w").replace("both all", "both any")
    gone = f"log {LOG_VKEY}\nwitness dpo {DPO} https://dpo.example/w\nquorum none\n"
    assert changes_of(before, before) == ()
    assert changes_of(None, parse_policy(GOOD.encode())) == (
        "dpo is new: it is asked at https://dpo.example/w",
        "lyon is new: it is asked at http://127.0.0.1:9/w",
        "the quorum becomes all of dpo, lyon; it was none (a checkpoint counts as soon as it is signed)",
    )
    assert changes_of(before, parse_policy(moved.encode())) == (
        "dpo is asked at https://new.example/w, no more at https://dpo.example/w",
        "the quorum becomes any of dpo, lyon; it was all of dpo, lyon",
    )
    assert changes_of(before, parse_policy(gone.encode())) == (
        "lyon is gone: its cosignatures count no more",
        "the quorum becomes none (a checkpoint counts as soon as it is signed); it was all of dpo, lyon",
    )
    assert changes_of(before, parse_policy(GOOD.replace(LYON, SELF).encode())) == (f"lyon has another key: {SELF}",)


def test_quorum_words_when_groups_nest_then_in_brackets() -> None:
    """A group of groups reads from the outside in; a group of one is that one."""
    nested = "group b any dpo lyon\ngroup one all b\ngroup top all one\nquorum top\n"
    assert quorum_words(parse_policy(GOOD.replace(f"{ALL}\n", nested).encode())) == "any of dpo, lyon"
    third = format_vkey(verifier_of_key("court.example/w", Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32), COSIGNATURE))
    deep = f"witness court {third}\ngroup b any dpo lyon\ngroup top 2 b court\nquorum top\n"
    assert quorum_words(parse_policy(GOOD.replace(f"{ALL}\n", deep).encode())) == "all of (any of dpo, lyon), court"


def test_overdue_when_time_passes_then_ok_warn_frozen() -> None:
    """The limits belong to the later state; where nothing waits nothing is overdue."""
    since = datetime(2026, 1, 5, 9, tzinfo=UTC)
    tick = timedelta(microseconds=1)
    ages = (timedelta(0), HOUR - tick, HOUR, DAY - tick, DAY)
    found = [overdue(since, since + age, warn_after=HOUR, freeze_after=DAY) for age in ages]
    assert found == [Overdue.NO, Overdue.NO, Overdue.WARN, Overdue.WARN, Overdue.FROZEN]
    assert overdue(None, since, warn_after=HOUR, freeze_after=DAY) is Overdue.NO


# ── what an answer may say ───────────────────────────────────────────────────────────────────────────────────────────


def test_cosignatures_when_the_answer_is_anything_else_then_refused() -> None:
    """A bad signature of a known key, lines of strangers alone, text among the lines, another checkpoint's line, nothing: refused."""
    known = [parse_vkey(DPO, COSIGNATURE)]
    good = cosign(TEXT, "dpo.example/w", DPO_KEY, 1)
    stranger = cosign(TEXT, "lyon.example/w", LYON_KEY, 1)
    other = cosign(TEXT.replace("\n1\n", "\n2\n"), "dpo.example/w", DPO_KEY, 1)
    forged = cosign(TEXT, "dpo.example/w", DPO_KEY, 1).replace(good.split(" ")[2][30:34], "AAAA")
    for body in (
        "",
        "\n",
        stranger,
        other,
        forged,
        good + forged,
        "more\n" + good,
        "more\n\n" + good,
        good[:-1],
        good + "\n",
        "\n" + good,
    ):
        with pytest.raises(NoteInvalid):
            cosignatures_in(TEXT, body.encode(), known)
    with pytest.raises(NoteInvalid):
        cosignatures_in(TEXT, b"\xff\xfe" + good.encode(), known)


def test_cosignatures_when_several_then_the_latest_of_each_known_key() -> None:
    """Strangers' lines are ignored, of one key's lines the latest is kept."""
    known = [parse_vkey(DPO, COSIGNATURE), parse_vkey(LYON, COSIGNATURE)]
    lines = [cosign(TEXT, "dpo.example/w", DPO_KEY, at) for at in (5, 9, 7)]
    body = "".join(lines) + cosign(TEXT, "stranger.example/w", LOG_KEY, 3)
    assert cosignatures_in(TEXT, body.encode(), known) == {known[0]: lines[1]}
