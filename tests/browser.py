"""A real browser without a screen, driven through its debugging pipe: no library, no port."""

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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")


class Browser:
    """One page at a time; keeps what it logged and asked of the network."""

    def __init__(self) -> None:
        assert PROGRAM
        # Chromium reads orders from its descriptor 3 and answers on 4.
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command = (
            f'exec 3<&{orders} 4>&{answers}; exec "$0" --headless=new --remote-debugging-pipe '
            "--no-sandbox --use-angle=swiftshader --enable-unsafe-swiftshader --no-first-run "
            f'--user-data-dir="{self._home.name}" about:blank'
        )
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", command, PROGRAM],
            pass_fds=(orders, answers),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(orders)
        os.close(answers)
        self._number, self._rest = 0, b""
        self._session = ""
        self.logged: list[str] = []
        self.requests: list[str] = []
        pages = self._ask("Target.getTargets")["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        answer = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = answer["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def close(self) -> None:
        """End it and all its processes."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._orders)
        os.close(self._answers)
        self._home.cleanup()

    def open(
        self, page: Path, width_px: int = 800, height_px: int = 600, *, phone: bool = False,
        dark: bool = False, wait: str = "document.documentElement.dataset.state !== 'loading'",
    ) -> None:  # fmt: skip
        """Load a file, and wait until the page says that it has finished."""
        self.logged.clear()
        self.requests.clear()
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width_px, height=height_px, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        self._ask("Emulation.setTouchEmulationEnabled", enabled=phone)
        look = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self._ask("Emulation.setEmulatedMedia", features=[look, still])
        self._ask("Page.navigate", url=page.absolute().as_uri())
        self.wait_for(f"document.readyState === 'complete' && ({wait})")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of what it promises."""
        answer = self._ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"never: {expression}; {self.logged}"
            time.sleep(0.05)

    def drawn(self) -> None:
        """Wait until what was asked for is on the screen."""
        self.evaluate("new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))")

    def state(self) -> dict[str, str]:
        return dict(self.evaluate("({...document.documentElement.dataset})"))

    def picture(self) -> np.ndarray:
        """The page as RGB."""
        self.drawn()
        png = base64.b64decode(self._ask("Page.captureScreenshot")["data"])
        return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        self._ask("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self._ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, x: float, y: float) -> None:
        self.drag((x, y))

    def click_on(self, selector: str) -> None:
        """Click in the middle of an element."""
        place = self.evaluate(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        self.click(*place)

    def drag(self, *path: tuple[float, float], button: str = "left") -> None:
        kinds = ["mousePressed", *["mouseMoved"] * (len(path) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, (*path, path[-1]), strict=True):
            self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def wheel(self, x: float, y: float, delta: float) -> None:
        self._ask("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=delta)

    def touch(self, *moments: list[tuple[float, float]]) -> None:
        """Fingers down at the first moment's places, moved through the others, then lifted."""
        for kind, places in zip(
            ("touchStart", *["touchMove"] * len(moments[1:])), moments, strict=True
        ):
            points = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(places)]
            self._ask("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        self._ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def _ask(self, method: str, **params: object) -> dict[str, Any]:
        self._number += 1
        order: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, told
                return dict(told["result"])
            self._note(told.get("method", ""), told.get("params", {}))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], 60)
            assert ready, "the browser does not answer"
            piece = os.read(self._answers, 1 << 20)
            assert piece, "the browser has ended"
            self._rest += piece
        told, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(told))

    def _note(self, method: str, params: Mapping[str, Any]) -> None:
        match method:
            case "Runtime.consoleAPICalled" | "Log.entryAdded" | "Runtime.exceptionThrown":
                self.logged.append(json.dumps(params))
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"][:200])
