"""A folder of photos becomes a mesh, from Python.

python examples/01_photos_to_mesh.py
"""

from __future__ import annotations

from pathlib import Path

from recon3d import Event, Inputs, Outputs, ReconError, preset, reconstruct

HERE = Path(__file__).parent
OUT = Path("out/01_photos_to_mesh")


def show(event: Event) -> None:
    if event.kind == "stage_finished":
        print(f"{event.stage:8} {event.seconds:6.1f} s")
    elif event.kind == "warning":
        print(f"{event.stage:8} {event.note}")


def main() -> None:
    inputs = Inputs(photos=HERE / "photos", intrinsics=HERE / "photos" / "K.json")
    outputs = Outputs(meshes=(OUT / "ruin.ply", OUT / "ruin.glb"))
    try:
        results = reconstruct(
            inputs, OUT / "ruin.recon3d", preset("draft"), outputs=outputs, listener=show
        )
    except ReconError as error:
        raise SystemExit(f"{error}\n{error.hint}") from error
    assert results.posed is not None
    assert results.mesh is not None
    placed = results.posed.value.scene.views
    print(f"{len(placed)} photos placed, {len(results.mesh.value.faces)} triangles")
    print(*results.written, sep="\n")
    print(f"what happened in detail: {results.workspace / 'report.html'}")


# Windows and macOS start child processes by importing this file.
if __name__ == "__main__":
    main()
