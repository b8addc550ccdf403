"""The demo's two witnesses, one at the data-protection officer's office and one at a processor: those who are watched pin the one who watches.

Each is a folder of its own in ``witnesses/`` and a process of its own, which knows nothing of the agency but the log's verifier key. The policy asks for
both: whatever the processors are proven afterwards has both their signatures under it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
import msgspec

from ecluse.demo.child import Child
from ecluse.demo.model import Firm
from ecluse.demo.premises import HOST, POLICY, WITNESSES, DemoWitness
from ecluse.ledger.notes import parse_vkey
from ecluse.witness.service import Witness, create

_OFFICE: Final = ("dpo", "dpo.agency.example/witness", "the data-protection officer's office")


class _Onlooker(msgspec.Struct, frozen=True):
    """One witness. ``name``: in the policy; ``says``: who runs it."""

    name: str
    says: str
    folder: Path
    vkey: str
    url: str
    child: Child


class Watch:
    """Both witnesses at work."""

    def __init__(self, folder: Path, firm: Firm) -> None:
        """Begin both and start their processes, which answer in a while; ``folder``: the demo's, ``firm``: the processor that runs the second one."""
        self._folder = folder
        (folder / WITNESSES).mkdir(mode=0o700)
        second = (firm.id, f"{firm.id}.example/witness", firm.name)
        self._onlookers = [_begin(folder / WITNESSES, *one) for one in (_OFFICE, second)]

    @property
    def says(self) -> dict[str, str]:
        """Who runs each, by its name in the policy."""
        return {one.name: one.says for one in self._onlookers}

    async def agree(self, vkey: str, log_url: str) -> bytes:
        """Wait until both answer, tell both whom to watch, and return the policy that asks for both, which is kept in the folder too."""
        await asyncio.gather(
            *(one.child.answers(one.url, lambda answer: answer.status_code == httpx.codes.NOT_FOUND) for one in self._onlookers)
        )
        for one in self._onlookers:
            Witness(one.folder).trust([parse_vkey(vkey)])
        policy = _policy(self._onlookers, vkey, log_url).encode()
        (self._folder / POLICY).write_bytes(policy)
        return policy

    def describe(self) -> list[DemoWitness]:
        """Return both for demo.json."""
        return [DemoWitness(name=one.name, vkey=one.vkey, url=one.url) for one in self._onlookers]

    def stop(self) -> None:
        """End both."""
        for one in self._onlookers:
            one.child.let_go()
        for one in self._onlookers:
            one.child.stop()


def _begin(folder: Path, name: str, key_name: str, says: str) -> _Onlooker:
    """Make one witness and start its process."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    vkey = create(folder / name, key_name)
    child = Child(f"The witness {name}", ["ecluse.demo.onlooker", str(folder / name), str(port)], folder / f"{name}.log")
    return _Onlooker(name, says, folder / name, vkey, f"http://{HOST}:{port}", child)


def _policy(onlookers: Sequence[_Onlooker], vkey: str, log_url: str) -> str:
    """Write the policy: whom to believe about this log."""
    lines = ["# Whom to believe about this log (C2SP tlog-policy): its own key, and both witnesses.", f"log {vkey} {log_url}"]
    lines += [f"witness {one.name} {one.vkey} {one.url}" for one in onlookers]
    lines += [f"group both all {' '.join(one.name for one in onlookers)}", "quorum both"]
    return "".join(f"{line}\n" for line in lines)
