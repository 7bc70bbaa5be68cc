"""What decoders raise on files that lie, told apart from a machine that is short of memory."""

from __future__ import annotations

import struct

BROKEN = (
    OSError, ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError,
    SyntaxError, EOFError, NotImplementedError, struct.error,
)  # fmt: skip
"""Whatever Pillow and struct raise on files and tags that are not what they seem.

MemoryError is not among them: it says something of the machine and nothing of the file.
"""
