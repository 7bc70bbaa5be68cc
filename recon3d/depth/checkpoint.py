"""A trained network on disk: a JSON file says what it is, a safetensors file holds the weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recon3d.core.errors import EstimatorError
from recon3d.run.documents import parse_json
from recon3d.run.files import atomic_path, write_json

if TYPE_CHECKING:
    import torch
    from torch import nn

DESCRIPTION = "recon3d.json"
"""By it a folder is known to hold a network of ours."""
SHIPPED = Path(__file__).parent / "weights"
"""Where the networks lie that come with recon3d, as NAME.json and NAME.safetensors."""

_MOST_BYTES = 4 << 30
_AGAIN = "Copy both files again, or train the network anew with `recon3d train`."


@dataclass(frozen=True)
class Checkpoint:
    """What the description says; the weights are read when they are asked for."""

    weights: Path
    sha256: str
    settings: Mapping[str, Any]
    """Of the network: whatever its class needs to be made again."""
    card: Mapping[str, Any]
    """How it came to be: data, steps, errors, licence."""

    def load_into(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Give a new network its weights; returns it ready to predict.

        Raises:
            EstimatorError: the weights are missing, or not those that were described.
        """
        # The description is read at every start, torch only when depth is predicted.
        from safetensors.torch import load

        try:
            if self.weights.stat().st_size > _MOST_BYTES:
                raise EstimatorError(f"{self.weights} is too large for weights of ours.")
            content = self.weights.read_bytes()
        except OSError as error:
            raise EstimatorError(
                f"The weights {self.weights} cannot be read: {error.strerror}.", hint=_AGAIN
            ) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise EstimatorError(
                f"The weights {self.weights} are damaged or belong to another network.",
                hint=_AGAIN,
            )
        try:
            network.load_state_dict(load(content))
        except RuntimeError as error:
            raise EstimatorError(
                f"The weights {self.weights} do not fit the network that their description names.",
                hint=_AGAIN,
            ) from error
        return network.to(device).eval().requires_grad_(False)


def network_kind(folder: Path) -> str | None:
    """Which kind of network of ours a folder holds; None where it holds none.

    Raises:
        EstimatorError: it holds a description, but a broken one.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        return None
    try:
        return str(parse_json(path.read_text(encoding="utf-8"))["network"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EstimatorError(f"{path} describes no network: {error!r}.", hint=_AGAIN) from error


def read_checkpoint(path: Path, network: str) -> Checkpoint:
    """Read the description of a network of the kind `network`: a file, or that of a folder.

    Raises:
        EstimatorError: it is missing, broken or of another kind.
    """
    path = path / DESCRIPTION if path.is_dir() else path
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if content["network"] != network:
            raise EstimatorError(
                f'{path} describes a network of the kind "{content["network"]}", not "{network}".',
                hint="Name the description of another one, or update recon3d.",
            )
        return Checkpoint(
            # The name alone: a description must not point out of its folder.
            path.with_name(Path(str(content["weights"])).name),
            str(content["sha256"]),
            dict(content["settings"]),
            dict(content["card"]),
        )
    except OSError as error:
        raise EstimatorError(
            f"{path} cannot be read: {error.strerror}.",
            hint="Name a file that `recon3d train` has written.",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise EstimatorError(f"{path} describes no network: {error!r}.", hint=_AGAIN) from error


def write_checkpoint(
    path: Path,
    kind: str,
    network: nn.Module,
    settings: Mapping[str, object],
    card: Mapping[str, object],
) -> None:
    """Write the description `path`, a .json, and the weights beside it; matrices keep sixteen bits.

    Raises:
        OutputError: the place cannot be written.
    """
    from safetensors.torch import save

    state = {
        # Statistics of normalisation span more than half precision does, and are small.
        name: (value.half() if value.ndim > 1 else value).cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    content = save(state)
    weights = path.with_suffix(".safetensors")
    with atomic_path(weights) as part:
        part.write_bytes(content)
    write_json(
        path,
        {
            "network": kind,
            "weights": weights.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "settings": dict(settings),
            "card": dict(card),
        },
    )
