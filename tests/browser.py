"""A headless Chromium, driven over a pipe with the DevTools protocol; tests without one are skipped, but in CI."""

import json
import os
import shutil
import subprocess
from base64 import b64decode
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="Chromium is not installed (apt-get install chromium)"
)
# No traffic of the browser's own, and root, as which tests run in containers, has no sandbox.
FLAGS = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking"
FLAGS += " --disable-component-update --disable-sync --disable-extensions --mute-audio"


class Browser:
    """One page of the browser: what it asks for, what goes wrong in it, and what its scripts say."""

    def __init__(self, to_browser, from_browser):
        self.to_browser, self.from_browser = to_browser, from_browser
        self.number, self.session, self.events = 0, None, []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        """Send a command and wait for its result; what happens meanwhile is kept in ``events``."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.to_browser.write(json.dumps(message).encode() + b"\0")
        self.to_browser.flush()
        while (answer := self._read()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self):
        text = bytearray()
        while (byte := self.from_browser.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        return json.loads(text)

    def open(self, path):
        """Open a file and wait until it is loaded."""
        before = len(self.events)
        self.send("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events[before:]):
            self.events.append(self._read())

    def run(self, script):
        """The value of a script's last expression; a promise is waited for."""
        asked = {"expression": script, "returnByValue": True, "awaitPromise": True, "userGesture": True}
        answer = self.send("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def problems(self):
        """Errors and warnings of the console, and exceptions."""
        told = [event for event in self.events if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
        return told + [event for event in self.events if event["method"] == "Runtime.consoleAPICalled"]

    def requests(self):
        """The addresses that were asked for."""
        asked = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in asked]

    def screenshot(self, path, width, height):
        """Write what is seen as PNG."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        path.write_bytes(b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(folder):
    """A browser whose profile lies in ``folder``, which ends with the block."""
    assert CHROMIUM, "Chromium is not installed (apt-get install chromium)"
    to_child, to_browser = os.pipe()
    from_browser, from_child = os.pipe()
    flags = f"{FLAGS} --user-data-dir={folder} --remote-debugging-pipe"  # which is descriptors 3 and 4
    command = f'exec 3<&{to_child} 4>&{from_child}; exec "$0" {flags}'
    with subprocess.Popen(
        ["bash", "-c", command, CHROMIUM],
        pass_fds=(to_child, from_child),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(to_child)
        os.close(from_child)
        with os.fdopen(to_browser, "wb") as writing, os.fdopen(from_browser, "rb") as reading:
            try:
                yield Browser(writing, reading)
            finally:
                process.terminate()
