"""Handing mail to a real server: what is refused for safety, what a server can do to us, and what arrives."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from ecluse.errors import ConfigurationError
from ecluse.notices.model import Audience, Due, Letter, Topic
from ecluse.notices.say import Said
from ecluse.notices.send import Mailbox, Sent, compose, knock, mailbox_of, transmit
from ecluse.settings import Mail, MailSecurity, load
from tests.notices.server import PASSWORD, USER, certify, posting

pytestmark = pytest.mark.web

AT: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
DPO: Final = "dpo@agency.example"
RSSI: Final = "rssi@agency.example"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """An authority's certificate, a server's, and its key."""
    return certify(tmp_path_factory.mktemp("papers"))


def box_of(
    port: int, ca: Path | None = None, *, security: MailSecurity = MailSecurity.NONE, password: str = PASSWORD, **changes: Any
) -> Mailbox:
    """Describe how to reach a server of this test."""
    mail = Mail(
        host="127.0.0.1", port=port, security=security, sender="gate@agency.example", controller=(DPO,), **{"timeout_seconds": 5.0, **changes}
    )  # fmt: skip
    return Mailbox(mail=mail, password=lambda: password, trust=ssl.create_default_context(cafile=ca))


def letter(
    text: str = "Bonjour à tous, l'accès est suspendu.\n", subject: str = "[Écluse] accès suspendu", to: Sequence[str] = (DPO,)
) -> bytes:
    """Write a message."""
    due = Due(processor="firm", topic=Topic.GATE_FROZEN, reason="x", at=AT, days=0, audience=Audience.CONTROLLER, facts={})
    one = Letter(id="00000000-0000-4000-8000-000000000001", due=due, noted_at=AT, attempts=1, sent_to=())
    return compose(Mail(sender="gate@agency.example", controller=(DPO,)), one, Said(subject=subject, text=text), to)


# ── refused for safety ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_transmit_when_the_server_offers_no_starttls_then_nothing_is_said(papers: tuple[Path, Path, Path]) -> None:
    """Whoever stands on the line and takes STARTTLS away gets no mail, no address and no password."""
    async with posting() as post:
        box = box_of(post.port, papers[0], security=MailSecurity.STARTTLS, user=USER)
        assert await transmit(box, letter(), [DPO]) == Sent(problem="tls")
        assert await knock(box) == "tls"
    assert (post.mails, post.commands) == ([], [])


async def test_transmit_when_the_servers_authority_is_unknown_then_nothing_is_said(
    papers: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    """A certificate of another authority is not believed, nor one for another name."""
    other, _, _ = certify(tmp_path)
    async with posting(certificate=papers[1:]) as post:
        box = box_of(post.port, other, security=MailSecurity.STARTTLS)
        assert await transmit(box, letter(), [DPO]) == Sent(problem="tls")
        assert await transmit(box_of(post.port, papers[0], security=MailSecurity.TLS), letter(), [DPO]) == Sent(problem="tls")
    assert (post.mails, post.commands) == ([], [])


async def test_transmit_when_the_password_is_wrong_then_said_without_the_servers_words(papers: tuple[Path, Path, Path]) -> None:
    """A refused sign-in is named by its code; so is a mail without a sign-in where the server wants one."""
    async with posting(certificate=papers[1:], sign_in=True) as post:
        secure = {"security": MailSecurity.STARTTLS}
        assert await transmit(box_of(post.port, papers[0], password="wrong", user=USER, **secure), letter(), [DPO]) == Sent(
            problem="sign-in-535"
        )
        assert (await transmit(box_of(post.port, papers[0], **secure), letter(), [DPO])).problem == "smtp-530"
    assert post.mails == []


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ({"answer": "451 later, says a stranger"}, "smtp-451"),
        ({"answer": "554 never, says a stranger"}, "smtp-554"),
        ({"refuse": {DPO: 450}}, "smtp-450"),
        ({"refuse": {DPO: 550}}, "smtp-550"),
        ({"hang": True}, "timeout"),
        ({"cut": "before"}, "connection"),
        ({"cut": "after"}, "connection"),
    ],
    ids=["4xx", "5xx", "recipient-4xx", "recipient-5xx", "hang", "cut-before", "cut-after"],
)
async def test_transmit_when_the_server_fails_then_one_word_of_ours(behaviour: dict[str, Any], problem: str) -> None:
    """Whatever a server does is one failed attempt, within the time-out, named in a word of ours."""
    async with posting(**behaviour) as post:
        assert await transmit(box_of(post.port, timeout_seconds=1.5), letter(), [DPO]) == Sent(problem=problem)


async def test_transmit_when_nobody_listens_then_connection() -> None:
    """A server that is not there is one failed attempt."""
    async with posting() as post:
        port = post.port
    assert (await transmit(box_of(port), letter(), [DPO]), await knock(box_of(port))) == (
        Sent(problem="connection"),
        "connection",
    )


async def test_transmit_when_one_of_two_is_refused_then_the_other_has_it() -> None:
    """A wrong address keeps nobody else from being told, and is not forgotten."""
    async with posting(refuse={RSSI: 550}) as post:
        assert await transmit(box_of(post.port), letter(to=[DPO, RSSI]), [DPO, RSSI]) == Sent(to=(DPO,), problem="smtp-550")
    assert [to for to, _ in post.mails] == [(DPO,)]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"host": "mail.agency.example", "security": "none", "sender": "a@b.example"}, "mail.security"),
        ({"host": "127.0.0.1", "security": "none", "sender": "a@b.example", "user": "u"}, "mail.user"),
        ({"host": "mail.agency.example"}, "mail.sender"),
        ({"host": "mail.agency.example:25", "sender": "a@b.example"}, "mail.host"),
        ({"host": "m", "sender": "Écluse <a@b.example>"}, "mail.sender"),
        ({"controller": ["a@b.example, c@d.example"]}, "mail.controller"),
        ({"controller": ["a@b.example\r\nBcc: x@y.example"]}, "mail.controller"),
        ({"dpo": "nobody"}, "mail.dpo"),
        ({"host": "m", "sender": "a@b.example", "security": "tls", "ca": "absent.pem"}, "mail.ca"),
    ],
)
def test_settings_when_mail_would_go_wrong_then_refused_with_the_place(
    tmp_path: Path, changes: dict[str, Any], where: str
) -> None:
    """Mail in clear to another machine, from nobody, or to what is no address is refused before anything starts."""
    lines = "\n".join(
        f"{name} = {json.dumps(value)}" for name, value in changes.items()
    )  # JSON's texts and lists are TOML's, too
    (tmp_path / "ecluse.toml").write_text(f"[mail]\n{lines}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        mailbox_of(load(tmp_path, {}, {}))
    assert refused.value.where == where


# ── what arrives ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_transmit_when_all_is_well_then_secured_signed_in_and_whole(papers: tuple[Path, Path, Path]) -> None:
    """With STARTTLS by an authority of one's own and a password the mail arrives as it was written, and says that a machine sent it."""
    async with posting(certificate=papers[1:], sign_in=True) as post:
        box = box_of(post.port, papers[0], security=MailSecurity.STARTTLS, user=USER)
        assert await knock(box) is None
        assert await transmit(box, letter(), [DPO]) == Sent(to=(DPO,))
    ((to, message),) = post.mails
    assert (to, message["Subject"], message["From"]) == ((DPO,), "[Écluse] accès suspendu", "gate@agency.example")
    assert (message["Auto-Submitted"], message["Message-ID"]) == (
        "auto-generated",
        "<00000000-0000-4000-8000-000000000001@agency.example>",
    )
    assert message["Date"].datetime == AT
    assert message.get_content().replace("\r\n", "\n") == "Bonjour à tous, l'accès est suspendu.\n"


async def test_transmit_when_a_line_begins_with_a_full_stop_then_it_ends_nothing() -> None:
    """A line of one full stop, and lines of any length and script, arrive as they are."""
    text = ".\n..\n.a\n" + "é" * 500 + "\nF\n"
    async with posting() as post:
        results = await asyncio.gather(*(transmit(box_of(post.port), letter(text), [DPO]) for _ in range(3)))
    assert results == [Sent(to=(DPO,))] * 3
    assert {message.get_content().replace("\r\n", "\n") for _, message in post.mails} == {text}
