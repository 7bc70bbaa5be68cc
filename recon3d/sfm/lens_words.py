"""What a person is told of an estimated lens: what it has, how sure that is, what stayed out."""

from __future__ import annotations

from recon3d.core.scene import CameraEstimate


def tell_lens(estimate: CameraEstimate) -> str:
    """Focal length, principal point and distortion with their errors, and what was not kept."""
    camera, distortion = estimate.intrinsics.pinhole, estimate.intrinsics.distortion
    sure = "" if estimate.focal_std_px is None else f" ± {estimate.focal_std_px:.1f}"
    terms = {
        "none": "no distortion",
        "radial": "radial distortion of 1 term",
        "brown": "radial and tangential distortion",
    }
    told = terms.get(distortion.model, f"distortion of the model {distortion.model}")
    if distortion.model == "radial" and len(distortion.coefficients) == 2:
        told = "radial distortion of 2 terms"
    out = "; ".join(f"{step.adds}, {step.why}" for step in estimate.steps if not step.kept)
    return f"focal length {camera.fx_px:.1f}{sure} px, {_tell_centre(estimate)}, {told}" + (
        f"; without {out}" if out else ""
    )


def _tell_centre(estimate: CameraEstimate) -> str:
    """Where the principal point is, and whether that was found or assumed."""
    camera, std_px = estimate.intrinsics.pinhole, estimate.centre_std_px
    if std_px is not None:
        across, down = (f"± {std:.1f}" for std in std_px)
        return f"principal point {camera.cx_px:.1f} {across}, {camera.cy_px:.1f} {down} px"
    if (camera.cx_px, camera.cy_px) == (camera.width_px / 2, camera.height_px / 2):
        return "principal point in the middle"
    return f"principal point {camera.cx_px:.1f}, {camera.cy_px:.1f} px"
