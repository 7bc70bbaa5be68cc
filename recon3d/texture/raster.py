"""Which face of a page covers a texel, and where in the face it lies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from recon3d.run.compiled import compiled

_RIM_PX = 2


class Raster:
    """The faces of one page, drawn into parts of it."""

    def __init__(
        self,
        uv: Float32[np.ndarray, "f 3 2"],
        page_of_face: Int32[np.ndarray, "f"],
        page: int,
        page_px: int,
    ) -> None:
        self._faces = np.flatnonzero(page_of_face == page)
        self._corners_px = uv[self._faces].astype(np.float64) * page_px
        # Row 0 of a picture is at the top, v = 1.
        self._corners_px[..., 1] = page_px - self._corners_px[..., 1]

    def texels(
        self, rows: slice, columns: slice
    ) -> tuple[Int64[np.ndarray, "n"], Float32[np.ndarray, "n 3"], Bool[np.ndarray, "h w"]]:
        """The texels of charts and of a thin rim around them: faces, barycentric weights, where.

        In the rim the nearest point of the faces beside it counts, so that filters at the border
        of a chart mix in nothing else.
        """
        import cv2

        corners_px = self._corners_px - [columns.start, rows.start]
        face = np.full((rows.stop - rows.start, columns.stop - columns.start), -1, np.int32)
        _draw(corners_px, face)
        around = np.ones((2 * _RIM_PX + 1,) * 2, np.uint8)
        shown = cv2.dilate((face >= 0).view(np.uint8), around) > 0
        found = np.empty(np.count_nonzero(shown), np.int32)
        weights = np.empty((len(found), 3), np.float32)
        _find_points(corners_px, face, shown, _RIM_PX, found, weights)
        return self._faces[found], weights, shown


@compiled
def _draw(corners_px, face):
    """Give every texel whose middle is in a face the first such face."""
    height, width = face.shape
    for f in range(len(corners_px)):
        x, y = corners_px[f, :, 0], corners_px[f, :, 1]
        top = max(int(np.ceil(min(y[0], y[1], y[2]) - 0.5)), 0)
        bottom = min(int(np.floor(max(y[0], y[1], y[2]) - 0.5)), height - 1)
        left = max(int(np.ceil(min(x[0], x[1], x[2]) - 0.5)), 0)
        right = min(int(np.floor(max(x[0], x[1], x[2]) - 0.5)), width - 1)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                if face[row, column] < 0:
                    a, b, c = _weights(column + 0.5, row + 0.5, corners_px[f])
                    if a >= 0 and b >= 0 and c >= 0:
                        face[row, column] = f


@compiled
def _weights(x, y, corners):
    """Barycentric; NaN in a face without area."""
    to_a, to_b, to_c = corners[0], corners[1], corners[2]
    area = (to_b[0] - to_a[0]) * (to_c[1] - to_a[1]) - (to_b[1] - to_a[1]) * (to_c[0] - to_a[0])
    a = ((to_b[0] - x) * (to_c[1] - y) - (to_b[1] - y) * (to_c[0] - x)) / area
    b = ((to_c[0] - x) * (to_a[1] - y) - (to_c[1] - y) * (to_a[0] - x)) / area
    return a, b, 1 - a - b


@compiled
def _find_points(corners_px, face, shown, rim_px, found, weights):
    """For every texel that is shown the face and the weights of the point that it shows."""
    height, width = face.shape
    n = 0
    for row in range(height):
        for column in range(width):
            if not shown[row, column]:
                continue
            x, y = column + 0.5, row + 0.5
            f = face[row, column]
            if f >= 0:
                found[n] = f
                weights[n] = _weights(x, y, corners_px[f])
            else:
                nearest, last = np.inf, -1
                for r in range(max(row - rim_px, 0), min(row + rim_px + 1, height)):
                    for c in range(max(column - rim_px, 0), min(column + rim_px + 1, width)):
                        f = face[r, c]
                        if f < 0 or f == last:
                            continue
                        last = f
                        for k in range(3):
                            away, share = _along(x, y, corners_px[f, k], corners_px[f, (k + 1) % 3])
                            if away < nearest:
                                nearest, found[n] = away, f
                                weights[n] = 0
                                weights[n, k], weights[n, (k + 1) % 3] = 1 - share, share
            n += 1


@compiled
def _along(x, y, start, end):
    """Squared distance to an edge, and how far along it the nearest point lies."""
    way_x, way_y = end[0] - start[0], end[1] - start[1]
    squared = way_x * way_x + way_y * way_y
    share = 0.0
    if squared > 0:
        share = ((x - start[0]) * way_x + (y - start[1]) * way_y) / squared
        share = min(max(share, 0.0), 1.0)
    off_x, off_y = start[0] + share * way_x - x, start[1] + share * way_y - y
    return off_x * off_x + off_y * off_y, share
