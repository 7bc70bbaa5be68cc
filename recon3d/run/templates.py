"""Templates of pages, filled in so that nothing that came from outside is markup."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recon3d.language import current, translate
from recon3d.language.pages import translated_page

if TYPE_CHECKING:
    from jinja2 import Template


class Page:
    """A template whose pages are in the reader's language."""

    def __init__(self, template: Template) -> None:
        self._template = template

    def render(self, *given: Mapping[str, object], **values: object) -> str:
        """The page with these values."""
        page = self._template.render(*given, **values)
        return page if current() == "en" else translated_page(page, current(), translate)


def page_template(template: Path, **filters: Callable[..., object]) -> Page:
    """A Jinja template; it may include others of its folder. A name without value is an error."""
    # Late, as commands that write no page do without.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        # Always: names of files and messages may hold markup.
        autoescape=True,
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _with_spaces, **filters}
    return Page(environment.get_template(template.name))


def _with_spaces(value: float) -> str:
    """12 345, whatever the reader's language."""
    return f"{value:,}".replace(",", "\u202f")
