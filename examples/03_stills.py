"""A photo, and the finished model as the camera of that photo sees it: as clay and textured.

The workspace is the one of 01_photos_to_mesh.py: whatever that has computed is not done again.

python examples/03_stills.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from recon3d import Inputs, Stage, preset, reconstruct
from recon3d.surface.stills import StillRenderer, Viewpoint, contact_sheet

HERE = Path(__file__).parent
OUT = Path("out/03_stills")
WORKSPACE = Path("out/01_photos_to_mesh/ruin.recon3d")
PHOTO = "ruin_08.jpg"


def main() -> None:
    results = reconstruct(
        Inputs(photos=HERE / "photos", intrinsics=HERE / "photos" / "K.json"),
        WORKSPACE,
        preset("draft"),
        until=Stage.TEXTURE,
    )
    assert results.posed is not None
    assert results.textured is not None
    posed = results.posed.value
    view = posed.scene.view(PHOTO)
    # The same lens and place, fewer pixels; any other Viewpoint shows the model from elsewhere.
    camera = view.camera.fitted(400)
    still = StillRenderer(results.textured.value).render(Viewpoint(camera, view.cam_from_world))
    size_px = (camera.width_px, camera.height_px)
    photo = Image.fromarray(posed.rgb[PHOTO]).resize(size_px, Image.Resampling.BOX)
    contact_sheet(OUT / "ruin.jpg", [np.asarray(photo), still.clay, still.colour], columns=3)
    print(OUT / "ruin.jpg")


if __name__ == "__main__":
    main()
