"""three.js, as trimesh brings it along for a viewer of its own."""

from __future__ import annotations

import io
import zipfile

from recon3d.core.errors import OutputError

_ARCHIVE, _PAGE = "templates/viewer.zip", "viewer.html.template"
_START, _END = "<script>", "var camera,controls,scene"
"""The library begins the page's script, trimesh's own viewer ends it."""
_PARTS = ("three.js", "THREE.GLTFLoader=", "WebGLRenderer")

LICENCE = """\
The MIT License
Copyright \N{COPYRIGHT SIGN} 2010-2022 three.js authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE."""
"""Goes with every copy; the minified library only names it."""


def three_js() -> str:
    """The library with its GLTFLoader, as a script that makes the global THREE (release 140).

    Raises:
        OutputError: the installed trimesh does not have it, or has it in another form.
    """
    import trimesh

    try:
        with zipfile.ZipFile(io.BytesIO(trimesh.resources.get_bytes(_ARCHIVE))) as archive:
            page = archive.read(_PAGE).decode()
        library = page[page.index(_START) + len(_START) : page.index(_END)]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _is_missing(trimesh.__version__) from error
    if any(part not in library for part in _PARTS):
        raise _is_missing(trimesh.__version__)
    return library


def _is_missing(version: str | None) -> OutputError:
    return OutputError(
        f"Web pages need three.js, which the installed trimesh {version} does not bring along.",
        hint='Install one that does: pip install "trimesh==5.2.0"',
    )
