"""The real program on a virtual screen, driven by real mouse, keys and drops."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

import psutil
from PIL import Image
from Xlib import XK, X, display
from Xlib.ext import xtest
from Xlib.protocol import event

TITLE = "recon3d"


class Screen:
    """A virtual screen; several of them live side by side."""

    def __init__(self, width_px: int = 1280, height_px: int = 720) -> None:
        told, tells = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(tells), "-screen", "0", f"{width_px}x{height_px}x24",
             "-nolisten", "tcp"],
            pass_fds=[tells], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(tells)
        with os.fdopen(told) as stream:
            self.name = f":{stream.readline().strip()}"
        self.link = display.Display(self.name)

    def picture(self, target: Path | None = None) -> Image.Image:
        """What is on the screen."""
        root = self.link.screen().root
        size = root.get_geometry()
        raw = root.get_image(0, 0, size.width, size.height, X.ZPixmap, 0xFFFFFFFF)
        picture = Image.frombytes("RGB", (size.width, size.height), raw.data, "raw", "BGRX")
        if target:
            picture.save(target)
        return picture

    def close(self) -> None:
        """Take it away."""
        self.link.close()
        self._server.terminate()
        self._server.wait()


class Program:
    """`recon3d gui`, with its settings and caches in a folder of the test's own."""

    def __init__(self, screen: Screen, home: Path, project: Path | None = None) -> None:
        self.screen, self._link = screen, screen.link
        home.mkdir(parents=True, exist_ok=True)
        self._home = home
        address = str(home / f"probe-{time.monotonic_ns()}")
        places = {f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "DATA", "CACHE")}
        environment = {
            **os.environ, **places, "HOME": str(home), "DISPLAY": screen.name,
            "RECON3D_GUI_PROBE": address, "PYTHONFAULTHANDLER": "1",
        }  # fmt: skip
        began = time.monotonic()
        with Listener(address) as listener:
            command = [sys.executable, "-m", "recon3d", "gui", *([str(project)] if project else [])]
            self._log = (home / "log.txt").open("ab")
            self.process = subprocess.Popen(
                command, env=environment, cwd=home, stdout=self._log, stderr=self._log
            )
            self._probe: Connection = listener.accept()
        self.studio()
        self.started_seconds = time.monotonic() - began
        self.window = self._find_window()
        self.window.set_input_focus(X.RevertToParent, X.CurrentTime)
        self._link.sync()

    # --- looking ------------------------------------------------------------------------------

    def studio(self) -> dict[str, Any]:
        """What the program knows."""
        self._probe.send(None)
        answer: dict[str, Any] = self._answer()
        return answer

    def widget(self, tag: str) -> dict[str, Any] | None:
        """Where a widget is and what it shows; None: there is none."""
        self._probe.send(tag)
        answer: dict[str, Any] | None = self._answer()
        return answer

    def wait(self, what: Callable[[dict[str, Any]], Any], seconds: float = 20) -> dict[str, Any]:
        """Wait until the program says so; nothing may go wrong in it meanwhile."""
        end = time.monotonic() + seconds
        while True:
            known = self.studio()
            assert not known["failures"], known["failures"][0]
            if what(known):
                return known
            if time.monotonic() > end:
                picture = self._home / "late.png"
                self.screen.picture(picture)
                raise AssertionError(f"waited {seconds} s, {picture}; the program says {known}")
            time.sleep(0.05)

    def wait_for(self, tag: str, seconds: float = 20) -> dict[str, Any]:
        """Wait until a widget is there to be clicked, and no longer moves."""
        end = time.monotonic() + seconds
        before, frame, since = None, 0, 0.0
        while True:
            widget = self.widget(tag)
            if widget and widget["visible"] and widget["enabled"]:
                place = widget["min"], widget["size"]
                if place != before:
                    before, frame, since = place, widget["frame"], time.monotonic()
                # Twice the same frame proves nothing; a window at rest draws none.
                elif widget["frame"] > frame + 1 or time.monotonic() > since + 1:
                    return widget
            if time.monotonic() > end:
                raise AssertionError(f"{tag}: {widget}")
            time.sleep(0.15)

    @property
    def processes(self) -> list[psutil.Process]:
        """The program and those that it has started."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    # --- acting ---------------------------------------------------------------------------------

    def move(self, x: float, y: float) -> None:
        """Move the mouse; window coordinates."""
        xtest.fake_input(self._link, X.MotionNotify, x=round(x), y=round(y))
        self._link.sync()
        time.sleep(0.05)

    def press(self, down: bool, button: int = 1) -> None:
        """Press or let go of a mouse button."""
        xtest.fake_input(self._link, X.ButtonPress if down else X.ButtonRelease, button)
        self._link.sync()
        time.sleep(0.06)

    def click_at(self, x: float, y: float, button: int = 1) -> None:
        """Click somewhere."""
        self.move(x, y)
        self.press(True, button)
        self.press(False, button)

    def click(self, tag: str) -> None:
        """Click the middle of a widget."""
        self.click_at(*self.middle(tag))

    def middle(self, tag: str) -> tuple[float, float]:
        """Of a widget that can be clicked."""
        widget = self.wait_for(tag)
        (left, top), (width, height) = widget["min"], widget["size"]
        return left + width / 2, top + height / 2

    def drag(self, start: tuple[float, float], end: tuple[float, float], button: int = 1) -> None:
        """Drag the mouse in small steps."""
        self.move(*start)
        self.press(True, button)
        for share in (0.2, 0.4, 0.6, 0.8, 1.0):
            self.move(*(a + share * (b - a) for a, b in zip(start, end, strict=True)))
        self.press(False, button)

    def key(self, *names: str) -> None:
        """Press keys together, such as "Control_L", "z"."""
        codes = [self._link.keysym_to_keycode(XK.string_to_keysym(name)) for name in names]
        for code in codes:
            xtest.fake_input(self._link, X.KeyPress, code)
            self._link.sync()
            time.sleep(0.03)
        for code in reversed(codes):
            xtest.fake_input(self._link, X.KeyRelease, code)
        self._link.sync()
        time.sleep(0.06)

    def type(self, text: str) -> None:
        """Type letters, digits and what paths hold."""
        shifted = {"_": "minus", ":": "semicolon", "~": "grave"}
        plain = {"/": "slash", ".": "period", "-": "minus", " ": "space"}
        for letter in text:
            if letter in shifted:
                self.key("Shift_L", shifted[letter])
            elif letter.isupper():
                self.key("Shift_L", letter.lower())
            else:
                self.key(plain.get(letter, letter))

    def drop(self, paths: Sequence[Path], x: float = 640, y: float = 360) -> None:
        """Drop files by the protocol that file managers use (XDND 5)."""
        link, atom = self._link, self._link.intern_atom
        payload = ("\r\n".join(path.resolve().as_uri() for path in paths) + "\r\n").encode()
        source = link.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        source.set_selection_owner(atom("XdndSelection"), X.CurrentTime)

        def send(kind: str, *values: int) -> None:
            data = (32, (list(values) + [0] * 5)[:5])
            told = event.ClientMessage(window=self.window, client_type=atom(kind), data=data)
            self.window.send_event(told)
            link.flush()

        place = (round(x) << 16) | round(y)
        send("XdndEnter", source.id, 5 << 24, atom("text/uri-list"))
        send("XdndPosition", source.id, 0, place, X.CurrentTime, atom("XdndActionCopy"))
        end, dropped = time.monotonic() + 10, False
        while time.monotonic() < end:
            if not link.pending_events():
                time.sleep(0.01)
                continue
            heard = link.next_event()
            if heard.type == X.ClientMessage and heard.client_type == atom("XdndStatus"):
                assert heard.data[1][1] & 1, "the window does not accept the drop"
                if not dropped:
                    send("XdndDrop", source.id, 0, X.CurrentTime)
                dropped = True
            elif heard.type == X.SelectionRequest:
                heard.requestor.change_property(heard.property, heard.target, 8, payload)
                told = event.SelectionNotify(
                    time=heard.time, requestor=heard.requestor, selection=heard.selection,
                    target=heard.target, property=heard.property,
                )  # fmt: skip
                heard.requestor.send_event(told)
                link.flush()
            elif heard.type == X.ClientMessage and heard.client_type == atom("XdndFinished"):
                source.destroy()
                return
        raise AssertionError("the drop was not taken within 10 s")

    def ask_close(self) -> None:
        """Press the window's X."""
        data = (32, [self._link.intern_atom("WM_DELETE_WINDOW"), X.CurrentTime, 0, 0, 0])
        kind = self._link.intern_atom("WM_PROTOCOLS")
        self.window.send_event(event.ClientMessage(window=self.window, client_type=kind, data=data))
        self._link.sync()

    def leave(self, seconds: float = 15) -> int:
        """Close the window and wait for the end; the exit code."""
        self.ask_close()
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End whatever is left of it."""
        if self.process.poll() is None:
            for process in reversed(self.processes):
                process.kill()
            self.process.wait()
        self._probe.close()
        self._log.close()

    def _answer(self) -> Any:
        if not self._probe.poll(30):
            raise AssertionError("the window has not drawn a frame for 30 s")
        return self._probe.recv()

    def _find_window(self) -> Any:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for window in self._link.screen().root.query_tree().children:
                if window.get_wm_name() == TITLE:
                    return window
            time.sleep(0.05)
        raise AssertionError("there is no window")


def can_drive() -> bool:
    """Whether there is a virtual screen to drive the program on."""
    return shutil.which("Xvfb") is not None
