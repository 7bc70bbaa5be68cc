"""What the command line answers to other programs."""

DONE = 0
FAILED = 1
"""The photos, files, settings or the machine do not allow it."""
USAGE = 2
CANCELLED = 130
