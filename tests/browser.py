"""A headless Chromium for tests of pages: opened from disk with the network off, driven by the DevTools protocol.

The protocol goes over two pipes, which need no library: messages of JSON, each with a zero byte at its end.
"""

import base64
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = "there is no Chromium here to open the page with (Debian: apt-get install chromium)"
# Besides what keeps it from asking servers of its own: a window nobody sees, as any user, on any machine.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--remote-debugging-pipe", "--disable-extensions", "--force-color-profile=srgb"),
)
PATIENCE_S = 60.0


@dataclass
class Page:
    """An open page. `errors` are all complaints of its console, `asked` all addresses that it wanted something of."""

    to_browser: int
    from_browser: int
    session: str = ""
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    unread: bytes = b""
    number: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Do something and wait for its result; raises AssertionError where the browser refuses."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        write_all(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            came = self.read()
            if came.get("id") == self.number:
                assert "error" not in came, f"{method}: {came['error']}"
                return dict(came["result"])

    def read(self) -> dict[str, Any]:
        """The next message; what it says of errors and requests is kept."""
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.from_browser], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            more = os.read(self.from_browser, 1 << 20)
            assert more, "the browser has ended"
            self.unread += more
        whole, _, self.unread = self.unread.partition(b"\0")
        came: dict[str, Any] = json.loads(whole)
        self.note(came.get("method", ""), came.get("params", {}))
        return came

    def note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(json.dumps(told["entry"]))
        elif method == "Page.javascriptDialogOpening":
            self.errors.append(f"a dialog: {told['message']}")
        elif method == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"][:200])

    def value(self, script: str) -> Any:
        """What an expression of the page comes to."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """An event of the mouse: `Moved`, `Pressed` or `Released`."""
        self.call("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def drag(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        """Press at one point, move to another, let go."""
        self.mouse("Moved", *start)
        self.mouse("Pressed", *start, button="left", clickCount=1)
        for step in range(1, 5):
            at = [first + (last - first) * step / 4 for first, last in zip(start, stop, strict=True)]
            self.mouse("Moved", *at, button="left", buttons=1)
        self.mouse("Released", *stop, button="left", clickCount=1)

    def key(self, name: str) -> None:
        """Press and let go a key: `ArrowRight`, `Tab`, `+`."""
        text = {"text": name} if len(name) == 1 else {}
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
        code = {"windowsVirtualKeyCode": codes[name]} if name in codes else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, **text, **code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, **code)

    def middle(self, selector: str) -> dict[str, float]:
        """Scroll an element into view; left, top, width and height of its box, and its middle as x and y."""
        self.value(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box = self.value(
            f"(() => {{const b = document.querySelector({selector!r}).getBoundingClientRect(); "
            "return {left: b.left, top: b.top, width: b.width, height: b.height, "
            "x: b.left + b.width / 2, y: b.top + b.height / 2}})()"
        )
        return dict(box)

    def resize(self, width: int, height: int = 900, dark: bool = False, media: str = "screen") -> None:
        """Set the window, the colour scheme that the system prefers, and screen or print."""
        scale = {"deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, **scale)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        # What a page does about it comes with the next picture.
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => 1)")

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """What is seen, or all of the page, as PNG."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def open(self, path: Path) -> None:
        """Open a file of this disk with the network off, and wait until the page says that it is ready."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + PATIENCE_S
        while self.value("document.readyState + (document.documentElement?.dataset.ready || '')") != "completeyes":
            assert time.monotonic() < until, f"the page is not ready: {self.errors}"
            assert not self.errors, self.errors


@contextmanager
def browser() -> Iterator[Page]:
    """A browser with one empty page; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(MISSING)
    with tempfile.TemporaryDirectory(prefix="perfcore-browser-", ignore_cleanup_errors=True) as profile:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        process = spawned(program, Path(profile), theirs_in, theirs_out)
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield attached(Page(ours_out, ours_in))
        finally:
            os.close(ours_out)
            os.close(ours_in)
            ended(process)


def spawned(program: str, profile: Path, reads: int, writes: int) -> int:
    """Start the browser as the leader of a group of its own; it takes messages at 3 and gives them at 4."""
    high = [os.dup2(end, end + 100, inheritable=False) for end in (reads, writes)]
    actions = [
        (os.POSIX_SPAWN_DUP2, high[0], 3),
        (os.POSIX_SPAWN_DUP2, high[1], 4),
        *((os.POSIX_SPAWN_OPEN, end, os.devnull, os.O_WRONLY, 0) for end in (1, 2)),
    ]
    arguments = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = os.posix_spawn(program, arguments, os.environ, file_actions=actions, setpgroup=0)
    for end in high:
        os.close(end)
    return process


def attached(page: Page) -> Page:
    """The same with one tab, the network off, and every complaint noted."""
    target = page.call("Target.createTarget", url="about:blank")["targetId"]
    page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for part in ("Page", "Runtime", "Log", "Network"):
        page.call(f"{part}.enable")
    page.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    page.resize(1440)
    return page


def ended(process: int) -> None:
    """End the browser with all of its processes."""
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(process, 0)


def write_all(end: int, content: bytes) -> None:
    while content:
        content = content[os.write(end, content) :]
