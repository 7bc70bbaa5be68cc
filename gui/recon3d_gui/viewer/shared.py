"""Pictures handed from one process to another through memory that both see."""

from __future__ import annotations

from multiprocessing.shared_memory import SharedMemory

import numpy as np
from jaxtyping import Float32

CHANNELS = 4
_PIXEL_BYTES = CHANNELS * 4


class SharedPictures:
    """Two slots of float32 RGBA. The one who makes them removes them.

    The drawing side fills a slot only when the other side has copied what it held, so that no
    picture is ever torn (`protocol.Taken`).
    """

    def __init__(self, slots: tuple[SharedMemory, SharedMemory], *, is_owner: bool) -> None:
        self._slots, self._is_owner = slots, is_owner

    @staticmethod
    def make(capacity_px: int) -> SharedPictures:
        """New slots that hold pictures of so many pixels.

        Raises:
            OSError: there is no room for them (a full /dev/shm).
        """
        first = SharedMemory(create=True, size=capacity_px * _PIXEL_BYTES)
        try:
            second = SharedMemory(create=True, size=capacity_px * _PIXEL_BYTES)
        except OSError:
            first.close()
            first.unlink()
            raise
        return SharedPictures((first, second), is_owner=True)

    @staticmethod
    def attach(names: tuple[str, str]) -> SharedPictures:
        """The slots that another process has made.

        Raises:
            FileNotFoundError: they are gone.
        """
        return SharedPictures((SharedMemory(names[0]), SharedMemory(names[1])), is_owner=False)

    @property
    def names(self) -> tuple[str, str]:
        """For `attach`."""
        return self._slots[0].name, self._slots[1].name

    @property
    def capacity_px(self) -> int:
        """Pixels that one slot holds."""
        return self._slots[0].size // _PIXEL_BYTES

    def picture(self, slot: int, width_px: int, height_px: int) -> Float32[np.ndarray, "h w 4"]:
        """A view into a slot; let go of it before close().

        Raises:
            ValueError: the slot does not hold so many pixels.
        """
        if not 0 < width_px * height_px <= self.capacity_px:
            raise ValueError(f"size: got {width_px}x{height_px}, expected 1 to {self.capacity_px}")
        shape = (height_px, width_px, CHANNELS)
        return np.ndarray(shape, np.float32, self._slots[slot].buf)

    def close(self) -> None:
        """Let go of the memory; its owner also removes it."""
        for slot in self._slots:
            slot.close()
            if self._is_owner:
                slot.unlink()
