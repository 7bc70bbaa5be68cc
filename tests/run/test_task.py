"""Progress is the cancel point."""

from __future__ import annotations

import psutil
import pytest

from recon3d.core.errors import Cancelled, MissingSystemLibraryError
from recon3d.run.device import Runtime
from recon3d.run.libraries import explain_missing_libraries, missing_library_advice
from recon3d.run.task import CancelToken, Event, Task, silent


def test_every_step_is_told() -> None:
    heard: list[Event] = []
    task = Task("depth", heard.append, CancelToken())
    assert list(task.each("ab", 2)) == ["a", "b"]
    assert [(e.kind, e.stage, e.done, e.total, e.note) for e in heard] == [
        ("progress", "depth", 0, 2, ""),
        ("progress", "depth", 1, 2, "a"),
        ("progress", "depth", 2, 2, "b"),
    ]


def test_cancel_stops_at_the_next_step_and_the_item_in_hand_is_finished() -> None:
    token = CancelToken()
    task = Task("depth", silent, token)
    finished = []

    def work() -> None:
        for item in task.each(range(10), 10):
            if item == 2:
                token.cancel()
            finished.append(item)

    with pytest.raises(Cancelled):
        work()
    assert finished == [0, 1, 2]


def test_a_cancelled_task_does_not_start() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        next(Task("depth", silent, token).each([1], 1))


def test_warnings_are_events_and_do_not_stop() -> None:
    heard: list[Event] = []
    Task("pose", heard.append, CancelToken()).warn("blurred")
    assert (heard[0].kind, heard[0].note) == ("warning", "blurred")


def test_a_missing_system_library_says_what_to_install() -> None:
    message = "libusb-1.0.so.0: cannot open shared object file: No such file or directory"
    with pytest.raises(MissingSystemLibraryError) as caught, explain_missing_libraries():
        raise ImportError(message)
    assert "libusb-1.0.so.0" in str(caught.value)
    assert "apt-get install libusb-1.0-0 libgl1 libegl1 libgomp1 libglib2.0-0" in caught.value.hint


def test_other_import_errors_pass_through() -> None:
    with pytest.raises(ImportError, match="no_such"), explain_missing_libraries():
        import no_such  # noqa: F401
    assert missing_library_advice("No module named 'torch'") == ""


def test_runtime_takes_the_given_threads_and_memory_or_what_is_there() -> None:
    assert Runtime(workers=3).threads == 3
    assert Runtime().threads >= 1
    assert Runtime(memory_gib=2).memory_bytes == 2 * 2**30
    assert Runtime().memory_bytes > 0


def test_only_as_many_threads_start_as_have_room() -> None:
    held = psutil.Process().memory_info().rss / 2**30
    runtime = Runtime(workers=8, memory_gib=held + 1)
    assert runtime.room_bytes == pytest.approx(2**30, rel=0.1)
    assert runtime.threads_within(2**28) in (3, 4)
    assert runtime.threads_within(2**34) == 1
    assert runtime.threads_within(1) == 8
    assert Runtime(memory_gib=1e-3).room_bytes == 0
