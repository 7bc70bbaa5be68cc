"""What the export tab knows: what can be saved, how large it will be, what was saved last."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from recon3d.core.errors import ReconError
from recon3d_gui.job.blender import find_blender, open_in_blender
from recon3d_gui.job.formats import Format
from recon3d_gui.job.messages import ExportRequest
from recon3d_gui.job.sizes import Content, content_of, expected_bytes, size_words
from recon3d_gui.project.opening import title_of

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio


class Saving:
    """revision grows with everything that could be shown, but the progress of the export."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._jobs = studio.jobs
        self.form = Format.GLB
        self.content: Content | None = None
        """Of the run that is shown; None until it has been looked at, or without one."""
        self.problem = ""
        """Why it cannot be looked at."""
        self.blender: list[str] | None = None
        """The command that starts Blender, once it is found."""
        self.saved: Path | None = None
        """The file or folder of the latest export."""
        self.revision = 0
        self._saved_form = self.form
        self._open_after = False
        self._waiting: tuple[Path, Format, Path] | None = None
        """Workspace, format and place of what is to be saved when its run is done."""
        self._seen = -1
        self._watched = 0
        self._looks: SimpleQueue[tuple[int, Content | None, str]] = SimpleQueue()
        self._blenders: SimpleQueue[list[str] | None] = SimpleQueue()
        # Home folders on a network can be slow to look through.
        threading.Thread(target=lambda: self._blenders.put(find_blender()), daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether the chosen format can be saved now."""
        content = self.content
        if content is None or self._jobs.busy:
            return False
        return content.faces > 0 if self.form.needs_mesh else content.photos > 0

    @property
    def size(self) -> str:
        """What the chosen format will weigh, in words; empty where nothing can be saved."""
        if not self.content:
            return ""
        config = self._studio.project.config.export
        return size_words(expected_bytes(self.form, self.content, config))

    @property
    def suggested_name(self) -> str:
        """For the file or folder."""
        return self.form.suggested_name(title_of(self._studio.project))

    @property
    def saved_for_blender(self) -> bool:
        """Whether the latest export is a folder that opens in Blender."""
        return self.saved is not None and self._saved_form is Format.BLENDER

    def choose(self, form: Format) -> None:
        """Save in this format from now on."""
        self.form = form
        self.revision += 1

    def save(self, target: Path) -> None:
        """Write the chosen format to a place."""
        if not self.ready:
            # A run has begun while a person looked for a place.
            self._waiting = (self._studio.project.workspace, self.form, target)
            self._studio.toast(f"{target.name} is saved as soon as the run is done.")
            return
        outputs = self.form.outputs(target)
        studio = self._studio
        self._jobs.export(
            ExportRequest(
                workspace=studio.project.workspace,
                reached=dict(studio.reached),
                outputs=outputs,
                config=studio.project.config.export,
            )
        )
        self._watched = self._jobs.saving.number
        self._saved_form, self._open_after = self.form, False
        self.saved = None
        self.revision += 1

    def save_and_open(self, target: Path) -> None:
        """Write a Blender folder, then open it."""
        self.choose(Format.BLENDER)
        self.save(target)
        self._open_after = True

    def open_blender(self) -> None:
        """Open the folder that was saved last."""
        if not (self.blender and self.saved):
            return
        try:
            open_in_blender(self.blender, self.saved)
        except ReconError as error:
            self._studio.toast(str(error), kind="bad", details=error.hint)
        else:
            self._studio.toast("Blender is starting.")

    def tick(self) -> None:
        """Notice what has happened; call it often."""
        studio = self._studio
        if studio.reached_revision != self._seen and not self._jobs.run.busy:
            self._seen = studio.reached_revision
            self.content, self.problem = None, ""
            self.revision += 1
            if "frame" in studio.reached:
                arguments = (self._seen, studio.project.workspace, dict(studio.reached))
                threading.Thread(target=self._look, args=arguments, daemon=True).start()
        while not self._looks.empty():
            seen, content, problem = self._looks.get()
            if seen == self._seen:
                self.content, self.problem = content, problem
                self.revision += 1
        while not self._blenders.empty():
            self.blender = self._blenders.get()
            self.revision += 1
        if self._waiting and self.ready:
            (workspace, self.form, target), self._waiting = self._waiting, None
            opens = self._open_after
            if workspace == studio.project.workspace:
                self.save(target)
                self._open_after = opens
        if self._watched and not self._jobs.saving.busy:
            self._watched = 0
            self._end()

    def _look(self, seen: int, workspace: Path, reached: Mapping[str, Path]) -> None:
        try:
            self._looks.put((seen, content_of(workspace, reached), ""))
        except ReconError as error:
            self._looks.put((seen, None, str(error)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            # Damaged, or of another version.
            self._looks.put((seen, None, f"The result cannot be read: {error}"))

    def _end(self) -> None:
        job, studio = self._jobs.saving, self._studio
        self.revision += 1
        if job.state == "done" and job.summary and job.summary.written:
            first = job.summary.written[0]
            self.saved = first.parent if self._saved_form is Format.NERFSTUDIO else first
            studio.toast(f"Saved {self.saved.name}.", kind="good")
            if self._open_after:
                self.open_blender()
