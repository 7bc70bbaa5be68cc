"""Errors that a user can cause, and what to do about each."""


class ReconError(Exception):
    """A mistake in what the user gave us, told in a photographer's words.

    Attributes:
        hint: What to do next; empty where the message already says it.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """The user stopped the run; everything finished so far is kept."""


class InputError(ReconError):
    """A file or folder from the user cannot be used."""


class IntrinsicsError(InputError):
    """A camera file is unreadable, has impossible values, or does not fit the photos."""


class PosesError(InputError):
    """A file of camera poses is unreadable or does not fit the photos."""


class ConfigError(ReconError):
    """A setting has an impossible value or an unknown name."""


class TooFewPhotosPlacedError(ReconError):
    """Structure from motion could not place enough photos to go on."""


class TooLittleDepthError(ReconError):
    """No surface is left to fuse or mesh."""


class NotSolidError(ReconError):
    """No closed solid can be made of a surface."""


class EstimatorError(ReconError):
    """A depth estimator is unknown, is not installed, or cannot serve this scene."""


class AlignmentError(EstimatorError):
    """A predicted depth map cannot be brought to the scene's scale; the message is the reason."""


class OutputError(ReconError):
    """A result cannot be written where the user wants it."""


class WorkspaceBusyError(ReconError):
    """Another program is working in this workspace."""


class ClusterError(ReconError):
    """A cluster cannot be joined, its machines cannot take part, or they are lost."""


class MissingSystemLibraryError(ReconError):
    """A library of the operating system that a dependency needs is not installed."""


class NotEnoughMemoryError(ReconError):
    """The machine has too little memory left for a step; what was given to it may be fine."""


class ShapeMismatchError(ValueError):
    """A programmer's mistake: two arrays or an array and a camera disagree on size."""


_MEMORY_WORDS = (
    "out of memory", "can't allocate memory", "insufficient memory", "bad_alloc",
    "cannot allocate memory", "unable to allocate", "failed to map segment",
    "cannot map zero-fill pages", "can't start new thread", "not enough space",
)  # fmt: skip


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error of any library says that memory ran out, of the machine or of its GPU.

    Libraries below Python have no common class for it: torch, OpenCV and Open3D raise
    RuntimeErrors of their own, and Pillow's decoders an OSError. Packages that fail to load their
    own library raise something else from its error.
    """
    return (
        isinstance(error, MemoryError)
        or any(words in str(error).lower() for words in _MEMORY_WORDS)
        or (error.__cause__ is not None and is_lack_of_memory(error.__cause__))
    )


def not_enough_memory(doing: str, needed_bytes: int = 0) -> NotEnoughMemoryError:
    """The error for a person.

    Args:
        doing: What could not be done, as in "decode photo.jpg".
        needed_bytes: About how much it takes; 0 = unknown.
    """
    needed_gib = needed_bytes / 2**30
    return NotEnoughMemoryError(
        f"There is not enough free memory to {doing}; it takes about {needed_gib:.2g} GiB."
        if needed_bytes
        else f"There is not enough free memory to {doing}.",
        hint="Close other programs, choose --preset draft, or use smaller or fewer photos. "
        "What is finished is kept.",
    )


def require(condition: bool, setting: str, value: object, expected: str) -> None:
    """Hold a setting to its range.

    Raises:
        ConfigError: the condition is false.
    """
    if not condition:
        raise ConfigError(f"{setting} is {value}, but must be {expected}.")
