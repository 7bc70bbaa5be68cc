"""Whether the sweep has seen too little, so that the network shall look at the photos too.

The plane sweep is exact where there is texture and blind on plain walls, which the multi-view
network sees; it knows itself where it is blind.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recon3d.core.depth import PredictedDepth
from recon3d.core.scene import PosedPhotos
from recon3d.depth.patchmatch.stages import inside_mask

_SURE = 0.5
_MOST_UNSURE = 0.55
"""Of the pixels of the photo in the middle. It is 0.61 and 0.80 in two rooms, 0.31 on a facade, 0.45
in the example, a third of which is sky, and 0.48 around a chair before walls."""


def is_unsure(posed: PosedPhotos, predictions: Mapping[str, PredictedDepth]) -> bool:
    """Whether more than half of what most photos show is unsure; masked parts do not count."""
    shares = []
    for photo_id, prediction in predictions.items():
        inside = inside_mask(posed.masks.get(photo_id), prediction)
        if inside.any():
            shares.append(float((prediction.confidence[inside] < _SURE).mean()))
    return bool(shares) and float(np.median(shares)) > _MOST_UNSURE
