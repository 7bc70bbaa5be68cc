"""Bring the catalogues up to date with the source: `python -m recon3d.language`.

New messages come in without translation, changed ones lose theirs, dead ones go; then the compiled
files are written that the program reads. With --check nothing is written; it ends with 1 where
something is not up to date or not translated. Needs Babel, and a checkout of the source.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from typing_extensions import override

from recon3d.language.catalogue import catalogue_file
from recon3d.language.choice import LANGUAGES, Language
from recon3d.language.extracting import by_file, messages_of_the_source
from recon3d.language.templates import Place, parts_of

ROOT = Path(__file__).parents[2]
_HEADER = "# Words of recon3d in {}; docs/LANGUAGES.md says how to change them."
_WIDTH = 100


class _Catalogue(Catalog):
    """With a header that tells neither dates nor versions: the same words, the same bytes."""

    @override
    def _get_mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Project-Id-Version", "recon3d"),
            ("Language", str(self.locale_identifier)),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Update or check every catalogue; the exit code."""
    options = argparse.ArgumentParser(prog="python -m recon3d.language", description=__doc__)
    options.add_argument("--check", action="store_true")
    checking = options.parse_args(arguments).check
    found = messages_of_the_source(ROOT)
    troubles = 0
    for language in get_args(Language):
        if language == "en":
            continue
        updated = updated_catalogue(language, found)
        faults = [*faults_of(updated)]
        for path, content in files_of(language, updated).items():
            if not path.is_file() or path.read_bytes() != content:
                faults.append(f"{path.relative_to(ROOT)} is not up to date")
                if not checking:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
        troubles += len(faults)
        for fault in faults:
            sys.stdout.write(f"{language}: {fault}\n")
    return 1 if checking and troubles else 0


def source_file(language: Language) -> Path:
    """The catalogue that people edit."""
    return catalogue_file(language).with_suffix(".po")


def read_source(language: Language) -> Catalog:
    """The catalogue as it is in its file; an empty one where there is none."""
    path = source_file(language)
    if not path.is_file():
        return Catalog(locale=language)
    return read_po(io.BytesIO(path.read_bytes()), locale=language)


def updated_catalogue(language: Language, found: dict[str, list[str]]) -> Catalog:
    """The catalogue with exactly the messages of the source, in the order of files."""
    before = read_source(language)
    header = _HEADER.format(LANGUAGES[language])
    catalogue = _Catalogue(locale=language, header_comment=header, fuzzy=False)
    for english in by_file(found):
        old = before.get(english)
        catalogue.add(
            english,
            old.string if old and not old.fuzzy else "",
            locations=[(name, 0) for name in found[english]],
            flags=["python-brace-format"] if _places(english) else [],
            user_comments=old.user_comments if old else (),
        )
    return catalogue


def faults_of(catalogue: Catalog) -> list[str]:
    """What keeps a catalogue from being complete and right."""
    return [
        f'{fault}: "{message.id}"'
        for message in catalogue
        if message.id
        for fault in _faults_of(message)
    ]


def _faults_of(message: Message) -> list[str]:
    english, translated = str(message.id), str(message.string or "")
    if message.fuzzy or not translated:
        return ["not translated"]
    try:
        alike = _places(english) == _places(translated)
    except ValueError as error:
        return [f"not a template ({error})"]
    return [] if alike else ["other places"]


def _places(message: str) -> list[str]:
    return sorted(part.name for part in parts_of(message) if isinstance(part, Place))


def files_of(language: Language, catalogue: Catalog) -> dict[Path, bytes]:
    """What lies in the files of a catalogue: the one that people edit, and the compiled one."""
    return {
        source_file(language): po_text(catalogue),
        catalogue_file(language): mo_bytes(catalogue),
    }


def po_text(catalogue: Catalog) -> bytes:
    """The file that people edit."""
    stream = io.BytesIO()
    write_po(stream, catalogue, width=_WIDTH, omit_header=False, include_lineno=False)
    return stream.getvalue()


def mo_bytes(catalogue: Catalog) -> bytes:
    """The file that the program reads."""
    stream = io.BytesIO()
    write_mo(stream, catalogue)
    return stream.getvalue()


if __name__ == "__main__":
    sys.exit(main())
