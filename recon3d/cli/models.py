"""`recon3d models`: which depth networks there are, and how to get one."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

import tyro
from tyro.conf import Positional, arg, subcommand
from tyro.extras import subcommand_type_from_defaults

from recon3d.cli.display import Display
from recon3d.cli.options import Command
from recon3d.language import translate
from recon3d.run.task import CancelToken, Task


@dataclass(frozen=True, kw_only=True)
class ListModels(Command):
    """List depth estimators, networks on the hub, and what is on this computer."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Look without asking the network."""
        from recon3d.depth.hub.catalog import KNOWN_MODELS
        from recon3d.depth.hub.files import cached_folder, cached_names
        from recon3d.depth.registry import estimator_names

        folders = {model.name: cached_folder(model.name) for model in KNOWN_MODELS}
        built_in = estimator_names()
        lines = [f"Built in: {', '.join(built_in)}", "", "On the hub (* = on this computer):"]
        for model in KNOWN_MODELS:
            mark = "*" if folders[model.name] else " "
            size = f"{model.megabytes:,} MB"
            lines.append(f"{mark} {model.name:<57}{size:>9}  {model.kind:<9} {model.licence}")
            lines.append(f"    {model.note}")
        others = sorted(set(cached_names()) - set(folders))
        lines += [f"* {name}" for name in others]
        lines += [
            "",
            "recon3d models get NAME              downloads one, of this list or another",
            "recon3d mesh imgs/ --depth-model X   uses X: a name of these lists, or a folder;",
            "                                     best: the best of the hub that is here",
            "recon3d mesh imgs/ --depth-model A+B uses A, and B where A is not sure",
        ]
        known = [
            {**asdict(model), "folder": str(folders[model.name] or "") or None}
            for model in KNOWN_MODELS
        ]
        display.result({"built_in": built_in, "hub": known, "others": others}, "\n".join(lines))


@dataclass(frozen=True, kw_only=True)
class GetModel(Command):
    """Download a depth network from the hub, or finish an interrupted download.

    recon3d models get depth-anything/Depth-Anything-V2-Small-hf
    """

    supervised: ClassVar[bool] = True

    name: Annotated[Positional[str], arg(metavar="OWNER/NAME")]
    """As `recon3d models` lists it, or any other model for depth in transformers' format."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Download, and look whether recon3d can use it."""
        from recon3d.depth.hub.families import family_of
        from recon3d.depth.hub.fetch import fetch
        from recon3d.depth.hub.files import CONFIG, read_settings

        task = Task("download", display, cancel)
        folder = fetch(self.name, task.step)
        family = family_of(read_settings(folder, CONFIG))
        display.result(
            {"name": self.name, "folder": str(folder), "kind": family.kind},
            f"{family.label}, {family.kind} depth, in {folder}\n"
            f"Use it:   recon3d mesh PHOTOS --depth-model {self.name}\n"
            f"Licence:  https://huggingface.co/{self.name}",
        )


def models_group() -> Any:
    """`recon3d models` and its subcommands, as a type that tyro understands."""
    actions: dict[str, Command] = {"list": ListModels(), "get": GetModel(name=tyro.MISSING)}
    words = {name: translate(inspect.getdoc(command) or "") for name, command in actions.items()}
    kinds: Any = subcommand_type_from_defaults(actions, words)
    return Annotated[
        kinds,
        subcommand(
            "models", description=translate("List or get depth networks."), default=ListModels()
        ),
    ]
