"""COLMAP's bundle adjustment, robust, with the lenses and photos held that are known."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from recon3d.sfm.features import PhotoDatabase
from recon3d.sfm.pycolmap_library import pycolmap
from recon3d.sfm.rigs import frame_with_baseline

# Mean length of a two-dimensional error whose components have a standard deviation of one.
_RAYLEIGH_MEAN = float(np.sqrt(np.pi / 2))


def adjust(
    database: PhotoDatabase,
    model: pycolmap.Reconstruction,
    found: Collection[int] = (),
    held: Collection[int] = (),
) -> dict[int, float]:
    """Adjust all once more, robustly, and tell how sure the focal lengths are.

    COLMAP minimises plain squares, where a few wrong points within its 4 px bend the whole
    orbit; the Cauchy loss halves the error of the rotations.

    found: numbers of cameras whose lens stays as it is, like that of given ones.
    held: numbers of photos that stay where they are.

    Returns one standard deviation of the focal length in pixels by camera number.
    """
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.refine_sensor_from_rig = False
    # With more threads, which it takes from 50,000 residuals on, the order of sums differs between
    # runs, and with it the last digits of every camera.
    options.ceres.solver_options.num_threads = 1
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.loss_function_scale = 1.0
    options.ceres.solver_options.max_num_iterations = 30
    options.ceres.solver_options.function_tolerance = 1e-6
    config = pycolmap.BundleAdjustmentConfig()
    for image_id in model.reg_image_ids():
        config.add_image(image_id)
    refined: dict[int, pycolmap.Camera] = {}
    for number, estimate in enumerate(database.cameras.values(), start=1):
        if not model.exists_camera(number):
            continue
        if estimate.source == "given" or number in found:
            config.set_constant_cam_intrinsics(number)
        else:
            refined[number] = model.cameras[number]
    if held:
        for image_id in sorted(held):
            config.set_constant_rig_from_world_pose(model.images[image_id].frame_id)
    else:
        _fix_gauge(config, model)
    adjuster = pycolmap.create_default_ceres_bundle_adjuster(options, config, model)
    adjuster.solve()
    model.update_point_3d_errors()
    # COLMAP knows no covariance of cameras beside the first of a rig.
    has_rigs = any(frame.num_data_ids() > 1 for frame in model.frames.values())
    if not refined or has_rigs:
        return {}
    covariance = pycolmap.estimate_ba_covariance(pycolmap.BACovarianceOptions(), model, adjuster)
    if covariance is None:
        return {}
    # The covariance is for errors of one pixel a coordinate.
    noise_px = model.compute_mean_reprojection_error() / _RAYLEIGH_MEAN
    deviations = {}
    for number, camera in refined.items():
        block = covariance.get_other_params_cov(camera.params)
        if block is not None and block.size and block[0, 0] > 0:
            deviations[number] = float(np.sqrt(block[0, 0])) * noise_px
    return deviations


def _fix_gauge(config: pycolmap.BundleAdjustmentConfig, model: pycolmap.Reconstruction) -> None:
    """Hold what the photos leave open: the frame, and its scale unless rigs know it."""
    anchor = frame_with_baseline(model)
    if anchor is None:
        config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    else:
        config.set_constant_rig_from_world_pose(anchor)
