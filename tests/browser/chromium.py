"""A headless Chromium, driven over the DevTools protocol: a page, its elements by role and name.

Elements are found in the accessibility tree, as a screen reader finds them: what a person is told
rather than how it is built.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from websockets.sync.client import ClientConnection, connect

Found = TypeVar("Found")
Node = dict[str, Any]

WAIT_S = 240.0
AGAIN_S = 15.0
EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str | None:
    """Where Chromium is; None where it is not installed."""
    return next((found for name in EXECUTABLES if (found := shutil.which(name))), None)


def until(look: Callable[[], Found | None], what: str, within_s: float = WAIT_S) -> Found:
    """What ``look`` finds, as soon as it finds something."""
    end = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"{what} was not there after {within_s:.0f} s"
        time.sleep(0.3)


class Gone(Exception):
    """The page has changed under a command: look again."""


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        for domain in ("Page", "DOM", "Runtime", "Accessibility"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> Any:
        """One command and its answer; events in between are dropped."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=WAIT_S))
            if answer.get("id") == number:
                if "error" in answer:
                    raise Gone(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, address: str) -> None:
        self.send("Page.navigate", url=address)

    @property
    def address(self) -> str:
        return str(self.evaluate("location.href"))

    @property
    def text(self) -> str:
        """What a person reads on the page."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def evaluate(self, expression: str) -> Any:
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True)[
            "result"
        ].get("value")

    def nodes(self) -> list[Node]:
        """What a screen reader finds: role, name and the element behind it."""
        tree = self.send("Accessibility.getFullAXTree")["nodes"]
        return [
            {
                "role": node["role"]["value"],
                "name": str(node.get("name", {}).get("value", "")),
                "value": str(node.get("value", {}).get("value", "")),
                "element": node.get("backendDOMNodeId"),
            }
            for node in tree
            if not node.get("ignored") and "role" in node
        ]

    def find(self, role: str, name: str, *, within_s: float = WAIT_S) -> Node:
        """The first element of this role whose name matches the pattern, once it is there."""
        pattern = re.compile(name, re.IGNORECASE)

        def look() -> Node | None:
            return next(
                (n for n in self.nodes() if n["role"] == role and pattern.search(n["name"])), None
            )

        return until(look, f"{role} {name!r}", within_s)

    def click(self, node: Node) -> None:
        """At its middle, with the mouse, as a person does."""
        self.send("DOM.scrollIntoViewIfNeeded", backendNodeId=node["element"])
        (quad, *_) = self.send("DOM.getContentQuads", backendNodeId=node["element"])["quads"]
        at = {"x": sum(quad[0::2]) / 4, "y": sum(quad[1::2]) / 4, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, **at)

    def follow(self, role: str, name: str, to: str) -> None:
        """Click until the address matches ``to``: a page that still settles swallows clicks."""
        pattern = re.compile(to)

        def led() -> bool:
            with contextlib.suppress(Gone, AssertionError):
                self.click(self.find(role, name, within_s=AGAIN_S))
                until(lambda: pattern.search(self.address), to, AGAIN_S)
            return bool(pattern.search(self.address))

        until(led, f"the way to {to}")

    def fill(self, node: Node, text: str) -> None:
        """Replace what a field holds by typing."""
        self.send("DOM.focus", backendNodeId=node["element"])
        everything = {"key": "a", "code": "KeyA", "modifiers": 2, "commands": ["selectAll"]}
        self.send("Input.dispatchKeyEvent", type="keyDown", **everything)
        self.send("Input.dispatchKeyEvent", type="keyUp", key="a", code="KeyA")
        self.send("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def page(profile: Path) -> Iterator[Page]:
    """A tab of a Chromium of its own, gone at the end; ``profile`` is an empty folder."""
    found = executable()
    assert found is not None
    command = [
        found, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--window-size=1280,1600", "--remote-debugging-port=0", f"--user-data-dir={profile}",
        "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port_file = profile / "DevToolsActivePort"
        told = until(lambda: port_file.is_file() and port_file.read_text(), "Chromium's port")
        port = str(told).split()[0]
        tabs = until(lambda: _tabs(port), "Chromium's tab")
        with connect(
            tabs[0]["webSocketDebuggerUrl"], max_size=None, compression=None
        ) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _tabs(port: str) -> list[dict[str, Any]]:
    try:
        tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", timeout=5).json()
    except httpx.HTTPError:
        return []
    return [tab for tab in tabs if tab["type"] == "page"]
