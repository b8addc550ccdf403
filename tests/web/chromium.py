"""A real browser for tests: Chromium without a window, driven over two pipes by its own debugging protocol. It is skipped by name where there is none."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

FOUND: Final = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
IN_CI: Final = bool(os.environ.get("ECLUSE_CI"))
"""Set by `.ci/run`: there a browser has to be, and its absence fails instead of skipping."""
needed = pytest.mark.skipif(FOUND is None and not IN_CI, reason="there is no chromium on this machine")
WAIT_SECONDS: Final = 120
_KEYS: Final = {"Tab": 9, "Enter": 13, "Space": 32, "ArrowDown": 40}


class Browser:
    """One page of a browser. Scripts of pages are switched off; what is evaluated here is the test's own look at the page."""

    def __init__(self, into: int, out: int) -> None:
        """Speak over two open descriptors."""
        self._into, self._out, self._rest, self._count = into, out, b"", 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.ask("Network.enable")
        self.ask("Emulation.setScriptExecutionDisabled", value=True)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer; events that come before it are kept."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._into, json.dumps(message).encode() + b"\0")
        while True:
            told = self._hear()
            if told.get("id") == self._count:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            self._events.append(told)

    def _hear(self) -> dict[str, Any]:
        """Wait for one message."""
        deadline = time.monotonic() + WAIT_SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._out], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._out, 1 << 20) if ready else b""
            assert chunk, "the browser does not answer"
            self._rest += chunk
        text, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(text)
        return told

    def loaded(self) -> None:
        """Wait until a page that was asked for is there."""
        while True:
            for place, event in enumerate(self._events):
                if event.get("method") == "Page.loadEventFired":
                    del self._events[: place + 1]
                    return
            self._events.append(self._hear())

    def open(self, url: str) -> None:
        """Go to an address."""
        self._events.clear()
        self.ask("Page.navigate", url=url)
        self.loaded()

    def look(self, expression: str) -> Any:
        """Look at something on the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def press(self, key: str, *, loads: bool = False) -> None:
        """Press a key; ``loads``: and wait for the page that it leads to."""
        text = {"Enter": "\r", "Space": " "}.get(key, "")
        code = {"windowsVirtualKeyCode": _KEYS[key], "code": key, "key": " " if key == "Space" else key}
        if loads:
            self._events.clear()
        self.ask("Input.dispatchKeyEvent", type="keyDown", **code, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **code)
        if loads:
            self.loaded()

    def write(self, text: str) -> None:
        """Type a text where the cursor is."""
        self.ask("Input.insertText", text=text)

    def show_as(self, *, width: int = 1100, height: int = 900, scheme: str = "light", phone: bool = False) -> None:
        """Take the shape of a screen."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone
        )
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path) -> None:
        """Take a picture of the whole page."""
        taken = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(taken))

    def named(self) -> list[tuple[str, str]]:
        """Return role and name of everything that can be reached or filled in, as a screen reader is told."""
        self.ask("Accessibility.enable")
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        wanted = {"link", "button", "radio", "checkbox", "textbox", "group", "form", "navigation"}
        return [
            (n["role"]["value"], n.get("name", {}).get("value", ""))
            for n in nodes
            if not n.get("ignored") and n["role"]["value"] in wanted
        ]

    def sent(self, header: str) -> list[str]:
        """Return what requests since the last page had in a header field."""
        found = [event["params"] for event in self._events if event.get("method") == "Network.requestWillBeSent"]
        return [params["request"]["headers"].get(header, "") for params in found]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser with a fresh profile, and end it."""
    assert FOUND is not None, "ECLUSE_CI is set, and there is no chromium: .ci/run installs one"
    with tempfile.TemporaryDirectory(prefix="ecluse-chromium-", ignore_cleanup_errors=True) as profile:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        options = [
            "--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run", "--disable-gpu", "--no-proxy-server", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--lang=fr", "--accept-lang=fr", *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]  # fmt: skip
        start = ["bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', str(FOUND), *options]
        process = subprocess.Popen(
            start, pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Browser(ours_in, ours_out)
        finally:
            os.close(ours_in)
            os.close(ours_out)
            os.killpg(process.pid, signal.SIGKILL)  # its own session: the browser and its helpers, nobody else's
            process.wait()
