"""The long forms: ``python -m tests.chaos [WHAT] [--requests N] [--cycles N] [--trials N] [--minutes M] [--changes N] [--seed N]``; without WHAT, all.

Each scenario checks as it goes and ends with its figures; the first promise broken ends the run with the assertion that saw it.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import time
from collections.abc import Callable, Coroutine

from tests.chaos.rig import Rig, rigged

Scenario = Callable[[Rig, argparse.Namespace], Coroutine[object, object, object]]


def _scenario(module: str, **terms: str) -> Scenario:
    """Name the ``run`` of a module and which options it takes."""

    async def play(rig: Rig, given: argparse.Namespace) -> object:
        told: object = await importlib.import_module(f"tests.chaos.{module}").run(
            rig, **{name: getattr(given, option) for name, option in terms.items()}
        )
        return told

    return play


SCENARIOS: dict[str, Scenario] = {
    "crowd": _scenario("crowd", requests="requests"),
    "crashes": _scenario("crashes", cycles="cycles"),
    "holds": _scenario("holds", trials="trials", register_seconds="register_seconds"),
    "locks": _scenario("locks", seconds="seconds"),
    "stopped": _scenario("stopped", trials="stops"),
    "soak": _scenario("soak", minutes="minutes"),
    "tamper": _scenario("tamper", changes="changes"),
}


def main() -> None:
    """Run what was asked for, one rig each."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Try to break the gate.")
    parser.add_argument("what", nargs="*", choices=[*SCENARIOS, []], help="default: all")
    parser.add_argument("--requests", type=int, default=10_000, help="of the crowd")
    parser.add_argument("--cycles", type=int, default=500, help="of kill -9")
    parser.add_argument("--trials", type=int, default=1_000, help="of holds")
    parser.add_argument(
        "--register-seconds", type=float, default=1.5, help="that the register takes to answer while holds are tried"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of each pair of use cases")
    parser.add_argument("--stops", type=int, default=50, help="of a replica with the head's lock")
    parser.add_argument("--changes", type=int, default=1_000, help="to history, one at a time")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the soak")
    parser.add_argument("--seed", type=int, default=20260105, help="of every choice")
    given = parser.parse_args()
    for name in given.what or SCENARIOS:
        began = time.monotonic()
        with rigged(seed=given.seed) as rig:
            rig.say = _say
            told = asyncio.run(SCENARIOS[name](rig, given))
        _say(f"{name} ({time.monotonic() - began:.0f} s): {told}")


def _say(text: str) -> None:
    """Tell whoever waits."""
    print(text, flush=True)  # noqa: T201 - what was asked for


if __name__ == "__main__":
    main()
