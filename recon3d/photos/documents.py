"""Small text, JSON and YAML files from strangers, read with a size limit and without eval."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from recon3d.core.errors import InputError
from recon3d.run.documents import parse_json

_MAX_BYTES = 64 << 20
# The YAML reader is slow, and no calibration is this long.
_MAX_YAML_BYTES = 1 << 20


class Document(Mapping[str, Any]):
    """The fields of a JSON or YAML file, read with a check of their type.

    A wrong field raises ValueError; who reads the file says which file it was.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    @classmethod
    def from_xml(cls, parent: ElementTree.Element) -> Document:
        """The children of an element by their tags; texts of numbers become lists of them."""
        return cls({child.tag: _value_of(child) for child in parent})

    def __getitem__(self, key: str) -> Any:
        return self._fields[key]

    def __iter__(self) -> Any:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def first(self, *keys: str) -> Any:
        """The value of the first key that is there; None without any."""
        return next((self._fields[key] for key in keys if key in self._fields), None)

    def number(self, *keys: str, default: float | None = None) -> float:
        """A finite number under the first key that is there."""
        value = self.first(*keys)
        if value is None and default is not None:
            return default
        return to_number(value, keys[0])

    def numbers(self, *keys: str) -> list[float]:
        """A list of finite numbers, nested or not, or an OpenCV matrix; empty when missing."""
        value = self.first(*keys)
        if isinstance(value, Mapping):
            value = value.get("data")
        return [to_number(item, keys[0]) for item in _flat(value, keys[0])]

    def child(self, key: str) -> Document:
        """The fields of a nested object."""
        if not isinstance(value := self._fields.get(key), Mapping):
            raise ValueError(f"{key} is missing or is not a group of values")
        return Document(value)


def to_number(value: object, name: str) -> float:
    """A finite number, also from text: YAML reads 1e-5 as text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is {shown(value)}, not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} is {shown(value)}, not a finite number")
    return number


def read_text(path: Path, error: type[InputError], max_bytes: int = _MAX_BYTES) -> str:
    """Read UTF-8 text.

    Raises:
        InputError: of the given kind; the file is missing, unreadable, too large or not text.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise error(f"{path} is larger than {max_bytes >> 20} MiB: not a camera file.")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise error(f"{path} does not exist.", hint="Check the spelling of the path.") from None
    except IsADirectoryError:
        raise error(f"{path} is a folder, not a file.") from None
    except OSError as cause:
        raise error(f"{path} cannot be read: {cause.strerror}.") from cause
    except ValueError as cause:
        raise error(f"{path} is not a text file.") from cause


def read_document(path: Path, error: type[InputError]) -> Document:
    """Read a JSON or YAML file (OpenCV's dialect too) whose outermost level has named fields.

    Raises:
        InputError: of the given kind; as `read_text`, or the file is damaged.
    """
    text = read_text(path, error)
    try:
        return parse_document(text)
    except ValueError as cause:
        raise error(f"{path}: {cause}.") from cause


def parse_document(text: str) -> Document:
    """The fields of JSON or YAML text.

    Raises:
        ValueError: it is damaged or has no named fields.
    """
    try:
        content = parse_json(text) if text.lstrip().startswith("{") else _read_yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError) as cause:
        why = " ".join(str(cause).split())[:200]
        raise ValueError(f"it is damaged or in an unknown format: {why}") from cause
    if not isinstance(content, Mapping):
        raise ValueError("it is not JSON or YAML with named values, nor anything else known here")
    return Document({str(key): value for key, value in content.items()})


def parse_xml(text: str) -> ElementTree.Element:
    """The outermost element of XML text.

    Raises:
        ValueError: it is damaged, or defines entities, which camera files never need.
    """
    if "<!" in text.replace("<!--", "").replace("<![CDATA[", ""):
        raise ValueError("its XML has a document type of its own")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as cause:
        raise ValueError(f"its XML is damaged: {cause}") from cause


def read_array(path: Path) -> np.ndarray:
    """A numpy array in a .npy file, mapped: a header that claims too much takes no memory.

    Raises:
        ValueError: it is none.
    """
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # the header is Python text, which can fail in any way
        raise ValueError(f"it is no array of numpy: {error}") from error
    return array


class _OpenCvLoader(yaml.SafeLoader):
    """Safe YAML that also knows OpenCV's matrix tag."""


_OpenCvLoader.add_constructor(
    "tag:yaml.org,2002:opencv-matrix",
    lambda loader, node: loader.construct_mapping(node, deep=True),  # type: ignore[arg-type]
)


def _read_yaml(text: str) -> object:
    if len(text) > _MAX_YAML_BYTES:
        raise ValueError("too long for YAML")
    # OpenCV writes "%YAML:1.0", which is no directive of YAML.
    if text.startswith("%YAML:"):
        text = text.partition("\n")[2]
    return yaml.load(text, _OpenCvLoader)


def _flat(value: object, name: str) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"{name} is {shown(value)}, not a list")
    if len(value) > 100:
        raise ValueError(f"{name} has {len(value)} values")
    return [
        item
        for part in value
        for item in (part if isinstance(part, Sequence) and not isinstance(part, str) else [part])
    ]


def shown(value: object) -> str:
    """A value from a stranger, short enough for a message."""
    # Not repr: values nested a thousand times end its recursion.
    return reprlib.repr(value)[:40]


def _value_of(element: ElementTree.Element) -> object:
    """Of an element, or of those right in it; what lies deeper is no camera's."""
    if len(element):
        return {child.tag: _words_of(child) for child in element}
    return _words_of(element)


def _words_of(element: ElementTree.Element) -> object:
    words = (element.text or "").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return " ".join(words)
    return numbers[0] if len(numbers) == 1 else numbers
