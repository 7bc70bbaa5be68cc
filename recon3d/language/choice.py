"""Which language people read: what they chose, what the environment says, or the system's."""

from __future__ import annotations

import ctypes
import locale
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import Literal, cast, get_args

Language = Literal["en", "de", "zh"]

LANGUAGES: Mapping[Language, str] = {"en": "English", "de": "Deutsch", "zh": "简体中文"}
"""Every language by its own name."""
VARIABLE = "RECON3D_LANGUAGE"
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def language_of(wish: str) -> Language | None:
    """The language of a code or locale such as de, de_AT.UTF-8 or zh-Hans-CN; None: not ours."""
    code = wish.strip().lower().replace("-", "_").split(".")[0].split("@")[0].split("_")[0]
    if code in ("c", "posix"):
        return "en"
    return cast(Language, code) if code in get_args(Language) else None


def wished_language(environment: Mapping[str, str] | None = None) -> Language:
    """The language where nobody has chosen one in the program; English where none of ours fits.

    RECON3D_LANGUAGE outranks LC_ALL, LC_MESSAGES and LANG, of which the first that is set decides;
    without any of them it is the language of the system's own windows.
    """
    said = os.environ if environment is None else environment
    if chosen := language_of(said.get(VARIABLE, "")):
        return chosen
    for wish in (*(said.get(name, "") for name in _LOCALE_VARIABLES), *_system_wishes()):
        if wish.strip():
            return language_of(wish) or "en"
    return "en"


@cache
def _system_wishes() -> tuple[str, ...]:
    """What Windows and macOS say; elsewhere the variables are all there is."""
    return tuple(_of_the_system())


def _of_the_system() -> Iterable[str]:
    wishes: list[str] = []
    with suppress(AttributeError, OSError, subprocess.SubprocessError):
        if sys.platform == "win32":
            number = ctypes.windll.kernel32.GetUserDefaultUILanguage()
            wishes.append(locale.windows_locale.get(number, ""))
        if sys.platform == "darwin":
            asked = ["/usr/bin/defaults", "read", "-g", "AppleLocale"]
            wishes.append(subprocess.check_output(asked, text=True, timeout=2))
    return wishes
