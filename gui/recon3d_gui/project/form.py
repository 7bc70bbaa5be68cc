"""The form of settings, made from the config dataclasses and the words for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from recon3d.config import Config, Preset, field_docs, preset
from recon3d.core.errors import ConfigError
from recon3d.core.ranges import Range, ranges
from recon3d.language import translate
from recon3d_gui.project.numbers import read_box, read_number, read_whole, write_number
from recon3d_gui.project.project import Changes, Project, Value
from recon3d_gui.project.words import SECTIONS, Words

Kind = Literal["choice", "whole", "number", "switch", "text", "box"]


@dataclass(frozen=True)
class Setting:
    """One line of the form."""

    stage: str
    name: str
    kind: Kind
    words: Words
    explanation: str
    """From the docstring under the field; paragraphs without line breaks."""
    allowed: Range | None
    options: Mapping[str, str]
    """Of a choice: every option and what it is called."""

    @property
    def key(self) -> str:
        """What files and the command line call it."""
        return f"{self.stage}.{self.name}"

    @property
    def tooltip(self) -> str:
        """Meaning, range, and the name elsewhere."""
        allowed = f"\n\nAllowed: {self.allowed}." if self.allowed else ""
        return f"{self.explanation}{allowed}\n\n{self.key}"

    def value(self, project: Project) -> Value:
        """What the project says."""
        return _of(project.config, self)

    def usual(self, project: Project) -> Value:
        """What the project's preset says."""
        return _of(_preset(project.preset), self)

    def is_changed(self, project: Project) -> bool:
        """Whether the two differ."""
        return self.value(project) != self.usual(project)

    def text(self, value: Value) -> str:
        """The value as a person reads and types it."""
        if self.words.zero and value == self._zero:
            return translate(self.words.zero)
        if self.kind == "choice":
            return self.options[str(value)]
        if isinstance(value, tuple):
            return ", ".join(map(write_number, value))
        if isinstance(value, str | bool):
            return str(value)
        return f"{write_number(value or 0)} {translate(self.words.unit)}".rstrip()

    def read(self, text: str) -> Value:
        """The value that a person has typed; says only whether it can be read.

        Raises:
            ConfigError: it cannot.
        """
        text = text.strip().removesuffix(translate(self.words.unit)).rstrip()
        if self.words.zero and text.casefold() in ("", translate(self.words.zero).casefold()):
            return self._zero
        match self.kind:
            case "choice":
                return next(value for value, shown in self.options.items() if shown == text)
            case "whole":
                return read_whole(text)
            case "number":
                return read_number(text)
            case "box":
                return read_box(text)
            case _:
                return text

    def changes(self, project: Project, value: Value) -> Changes:
        """The project's changes with this value.

        Raises:
            ConfigError: impossible; in the words of the form.
        """
        if self.allowed and isinstance(value, int | float) and value not in self.allowed:
            raise ConfigError(f"Must be {self._allowed_in_words}.")
        try:
            return project.changes_with(self.stage, **{self.name: value})
        except ConfigError as error:
            told = str(error).replace(self.key, self.words.label)
            raise ConfigError(told, hint=error.hint) from error

    def matches(self, query: str) -> bool:
        """Whether a search finds it: all words, anywhere in what is known of it."""
        options = " ".join(self.options.values())
        words = f"{self.words.label} {translate(self.words.label)} {translate(self.explanation)}"
        known = f"{words} {self.key} {self.explanation} {options}".casefold()
        return all(word in known for word in query.casefold().split())

    @property
    def _zero(self) -> Value:
        """The value that words.zero stands for."""
        if self.kind in ("box", "text"):
            return None if self.kind == "box" else ""
        assert self.allowed
        least = self.allowed.least if self.allowed.besides is None else self.allowed.besides
        return float(least or 0) if self.kind == "number" else int(least or 0)

    @property
    def _allowed_in_words(self) -> str:
        assert self.allowed
        if not self.words.zero:
            return str(self.allowed)
        return f"{replace(self.allowed, besides=None)}, or {self.words.zero}"


@dataclass(frozen=True)
class Section:
    """A part of the form."""

    title: str
    settings: tuple[Setting, ...]

    @property
    def everyday(self) -> list[Setting]:
        """Those that are shown at once."""
        return [each for each in self.settings if each.words.everyday]

    @property
    def expert(self) -> list[Setting]:
        """Those that fold out."""
        return [each for each in self.settings if not each.words.everyday]


@cache
def sections() -> tuple[Section, ...]:
    """The whole form. A setting that has no words yet is shown under its own name, at the end."""
    made = {key: setting for stage in fields(Config) for key, setting in _settings_of(stage.name)}
    named = [
        Section(title, tuple(made.pop(key) for key in settings))
        for title, settings in SECTIONS.items()
    ]
    return (*named, Section("More", tuple(made.values()))) if made else tuple(named)


def setting(key: str) -> Setting:
    """One setting of the form.

    Raises:
        KeyError: there is none of that name.
    """
    return {each.key: each for section in sections() for each in section.settings}[key]


def without(project: Project, settings: Iterable[Setting]) -> Changes:
    """The project's changes with some settings as the preset has them."""
    dropped = {(each.stage, each.name) for each in settings}
    kept = {
        stage: {name: value for name, value in changed.items() if (stage, name) not in dropped}
        for stage, changed in project.changes.items()
    }
    return {stage: changed for stage, changed in kept.items() if changed}


def changed_settings(project: Project) -> list[Setting]:
    """Those that differ from the preset, in the order of the form."""
    return [each for part in sections() for each in part.settings if each.is_changed(project)]


def told_switch(project: Project, chosen: Preset) -> str:
    """What switching to a preset leaves as it is; empty if the preset decides everything."""
    stay = [each for part in sections() for each in part.settings if _is_set(project, each)]
    stay = [each for each in stay if each.value(project) != _of(_preset(chosen), each)]
    if not stay:
        return ""
    names = [f"{each.words.label} ({each.text(each.value(project))})" for each in stay[:3]]
    more = f" and {len(stay) - 3} more" if len(stay) > 3 else ""
    return f"What you have set stays: {', '.join(names)}{more}."


_preset = cache(preset)


def _is_set(project: Project, each: Setting) -> bool:
    return each.name in project.changes.get(each.stage, {})


def _of(config: Config, each: Setting) -> Value:
    value: Value = getattr(getattr(config, each.stage), each.name)
    return value


def _settings_of(stage: str) -> Iterable[tuple[str, Setting]]:
    settings_type: type = type(getattr(Config(), stage))
    hints, allowed = get_type_hints(settings_type), ranges(settings_type)
    explanations = field_docs(settings_type)
    words = {key: each for settings in SECTIONS.values() for key, each in settings.items()}
    for field in fields(settings_type):
        key = f"{stage}.{field.name}"
        shown = words.get(key) or Words(label=field.name.replace("_", " ").capitalize())
        choices = get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else ()
        options = {choice: shown.options.get(choice, choice) for choice in choices}
        yield (
            key,
            Setting(
                stage,
                field.name,
                _kind(hints[field.name]),
                shown,
                _paragraphs(explanations.get(field.name, "")),
                allowed.get(field.name),
                options,
            ),
        )


def _kind(hint: Any) -> Kind:
    if get_origin(hint) is Literal:
        return "choice"
    if NoneType in get_args(hint):
        return "box"
    kinds: Mapping[Any, Kind] = {bool: "switch", int: "whole", float: "number", str: "text"}
    return kinds[hint]


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
