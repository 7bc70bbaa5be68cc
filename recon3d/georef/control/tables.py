"""Tables of text from surveyors' programs: any delimiter, encoding, header and decimal sign."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recon3d.core.errors import InputError
from recon3d.photos.documents import shown, to_number

_MAX_BYTES = 16 << 20
_DELIMITERS = ("\t", ";", ",", " ")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_PERHAPS_THOUSANDS = re.compile(r"[+-]?\d{1,3},\d{3}")
# No bracket within brackets: what never ends would be looked through from each of them.
_UNIT = re.compile(r"\[[^\[\]]*\]|\([^()]*\)")
_ROWS_ASKED = 50


class UnreadableTableError(InputError):
    """A table cannot be understood; the message names file and line."""


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    place: str
    """File and line, for messages."""
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells; lines without any, and comments, are gone."""

    title: str
    """The first line where it has words but is no row, as the coordinate system of gcp_list.txt."""
    comments: tuple[str, ...]
    """Lines that begin with # above the rows."""
    header: tuple[str, ...]
    """Plain names of the columns (`plain_name`), or nothing where the file names none."""
    rows: tuple[Row, ...]
    decimal_comma: bool

    def number(self, row: Row, index: int, what: str) -> float:
        """A finite number in a cell.

        Raises:
            UnreadableTableError: there is none.
        """
        text = row.cells[index] if index < len(row.cells) else ""
        try:
            return to_number(text.replace(",", ".") if self.decimal_comma else text, what)
        except ValueError as error:
            raise UnreadableTableError(f"{row.place}: {error}.") from None


def plain_name(cell: str) -> str:
    """The name of a column without unit, case and signs: `X/Easting [m]` -> `easting`."""
    last = _UNIT.sub("", cell).rpartition("/")[2]
    return "".join(sign for sign in last.lower() if sign.isalnum())


def read_table(path: Path, known: Mapping[str, str]) -> Table:
    """Read a table of text.

    The delimiter is the one (tab, semicolon, comma, spaces) that leaves most cells numbers. A
    comma is a decimal sign where it does not separate cells. UTF-8, UTF-16 and Windows' Western
    code are told apart.

    Args:
        path: The file.
        known: By plain name: the columns; a row that names two of them is the header.

    Raises:
        UnreadableTableError: it is missing, too large, empty or ambiguous.
    """
    lines = [
        (number, line.strip())
        for number, line in enumerate(_read_text(path).splitlines(), start=1)
        if line.strip()
    ]
    delimiter = _delimiter([line.lstrip("#") for _, line in lines], known)
    title, header = "", tuple[str, ...]()
    comments, rows = list[str](), list[Row]()
    for number, line in lines:
        cells = _split(line.lstrip("#"), delimiter)
        names = tuple(plain_name(cell) for cell in cells)
        if not rows and not header and sum(name in known for name in names) >= 2:
            header = names
        elif line.startswith("#"):
            comments.append(line.lstrip("#").strip())
        elif not rows and not header and not title and not any(map(_NUMBER.fullmatch, cells)):
            title = line
        else:
            rows.append(Row(f"{path.name}, line {number}", cells))
    if not rows:
        raise UnreadableTableError(f"{path} holds no rows with numbers.")
    return Table(title, tuple(comments), header, tuple(rows), _has_decimal_comma(rows, path))


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableTableError(
                f"{path} is larger than {_MAX_BYTES >> 20} MiB: no table of control points."
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise UnreadableTableError(
            f"{path} does not exist.", hint="Check the spelling of the path."
        ) from None
    except IsADirectoryError:
        raise UnreadableTableError(f"{path} is a folder, not a file.") from None
    except OSError as error:
        raise UnreadableTableError(f"{path} cannot be read: {error.strerror}.") from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise UnreadableTableError(f"{path} is not a text file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _delimiter(lines: Sequence[str], known: Mapping[str, str]) -> str:
    def understood(delimiter: str) -> int:
        return sum(
            _NUMBER.fullmatch(cell) is not None or plain_name(cell) in known
            for line in lines[:_ROWS_ASKED]
            for cell in _split(line, delimiter)
        )

    return max(_DELIMITERS, key=understood)


def _split(line: str, delimiter: str) -> tuple[str, ...]:
    if delimiter == " ":
        return tuple(line.split())
    try:
        # Line by line: a lone quote, as of inches, must not swallow the next ones.
        (cells,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
    except csv.Error:  # a cell longer than any reader takes
        cells = line.split(delimiter)
    return tuple(cell.strip() for cell in cells)


def _has_decimal_comma(rows: Sequence[Row], path: Path) -> bool:
    numbers = [cell for row in rows for cell in row.cells if _NUMBER.fullmatch(cell)]
    commas = [cell for cell in numbers if "," in cell]
    if not commas:
        return False
    if all(map(_PERHAPS_THOUSANDS.fullmatch, commas)):
        raise UnreadableTableError(
            f"{path}: nobody can tell whether {shown(commas[0])} has a decimal comma or counts "
            "thousands.",
            hint="Write numbers with a decimal point and without signs between thousands.",
        )
    points = [cell for cell in numbers if "." in cell]
    if points:
        raise UnreadableTableError(
            f"{path} has decimal commas ({commas[0]}) and decimal points ({points[0]}).",
            hint="Write all numbers with a decimal point.",
        )
    return True
