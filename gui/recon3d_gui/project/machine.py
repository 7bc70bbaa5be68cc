"""What this computer offers a run."""

from __future__ import annotations

import shutil
import subprocess
import sys

_ASK = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
_SECONDS = 120


def find_gpu() -> str:
    """Name of the NVIDIA GPU that a run would use; empty without one. Takes seconds.

    PyTorch is asked in a process of its own: it is too large to be loaded for one question.
    """
    if not shutil.which("nvidia-smi"):
        return ""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
