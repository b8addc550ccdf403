"""The demo's mail server: whatever is sent to it lies in one folder, byte for byte, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from pathlib import Path

import aiosmtplib
import pytest

from ecluse.demo.mailroom import Mailroom

pytestmark = pytest.mark.e2e


@pytest.fixture
async def mailroom(tmp_path: Path) -> AsyncIterator[Mailroom]:
    """Open one."""
    room = Mailroom()
    await room.open(tmp_path)
    yield room
    room.close()


async def send(room: Mailroom, to: str, number: int = 1) -> bytes:
    """Send one mail and hang up; return what was sent."""
    message = EmailMessage(policy=WIRE)
    message["From"], message["To"], message["Message-ID"] = "a@agency.example", "somebody@b.example", f"<{number}@agency.example>"
    message.set_content("Accès suspendu\n")
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=room.port, start_tls=False) as server:
        await server.sendmail("a@agency.example", [to], message.as_bytes())
    return message.as_bytes()


def names(folder: Path) -> list[str]:
    """List a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("to", ["../../x@b.example", "/etc/x@b.example", "x@b.example/../y", '"a b"@b.example'])
async def test_mail_when_its_recipient_is_a_path_then_it_stays_in_the_folder(mailroom: Mailroom, tmp_path: Path, to: str):
    """No recipient chooses where a file goes."""
    try:
        await send(mailroom, to)
    except aiosmtplib.SMTPException:
        assert names(tmp_path / "mail") == []
    else:
        assert names(tmp_path / "mail") == ["0001-somebody.eml"]
    assert names(tmp_path) == ["mail"]


async def test_mail_when_taken_then_a_file_of_its_own_for_its_owner_alone(mailroom: Mailroom, tmp_path: Path):
    """Each mail is kept as it was sent, and found by its Message-ID; a second copy is another file."""
    sent = [await send(mailroom, "securite@b.example", number) for number in (1, 2, 2)]
    files = [tmp_path / "mail" / name for name in names(tmp_path / "mail")]
    assert [path.name for path in files] == [f"000{number}-securite@b.example.eml" for number in (1, 2, 3)]
    assert [path.read_bytes() for path in files] == sent
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert mailroom.taken == {"<1@agency.example>": files[0], "<2@agency.example>": files[2]}


async def test_mailroom_when_closed_then_it_answers_no_more(tmp_path: Path):
    """Closed twice is closed, and so is one that was never opened."""
    room, other = Mailroom(), Mailroom()
    await room.open(tmp_path)
    for each in (room, room, other):
        each.close()
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await send(room, "x@b.example")
