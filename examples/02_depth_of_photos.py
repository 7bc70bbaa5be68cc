"""The depth of every photo as a NumPy array, and how much of it other photos confirm.

The workspace is the one of 01_photos_to_mesh.py: whatever that has computed is not done again.

python examples/02_depth_of_photos.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recon3d import Inputs, Outputs, Stage, preset, reconstruct

HERE = Path(__file__).parent
OUT = Path("out/02_depth_of_photos")
WORKSPACE = Path("out/01_photos_to_mesh/ruin.recon3d")


def main() -> None:
    results = reconstruct(
        Inputs(photos=HERE / "photos", intrinsics=HERE / "photos" / "K.json"),
        WORKSPACE,
        preset("draft"),
        outputs=Outputs(depth_maps=OUT),
        until=Stage.DEPTH,
    )
    assert results.depth is not None
    print(f"{'photo':14} {'size':>9} {'known':>6} {'near':>6} {'middle':>6} {'far':>6}")
    # A mapping that reads one file when asked: any number of photos fits into memory.
    for photo_id, depth in results.depth.value.items():
        depth_z = depth.depth_z  # along the optical axis, scene units, 0 = unknown
        known = depth_z[depth_z > 0]
        near, middle, far = np.percentile(known, [1, 50, 99]) if len(known) else [np.nan] * 3
        size = f"{depth.camera.width_px}x{depth.camera.height_px}"
        share = f"{len(known) / depth_z.size:.0%}"
        print(f"{photo_id:14} {size:>9} {share:>6} {near:6.2f} {middle:6.2f} {far:6.2f}")
    print(f"depth maps as PNG and arrays: {OUT}")


if __name__ == "__main__":
    main()
