"""What the photos say of the rig that is said to have taken them."""

from __future__ import annotations

from dataclasses import replace

from recon3d.core.scene import GivenCameras
from recon3d.run.task import Task
from recon3d.sfm.features import PhotoDatabase, copy_evidence, prepare
from recon3d.sfm.least_squares import noise_of
from recon3d.sfm.mapping import Placement
from recon3d.sfm.matching import read_pairs_of_moments
from recon3d.sfm.pose_check import fitting_share
from recon3d.sfm.rig_scale import scale_sigma

# As for poses that are given (`recon3d.sfm.pose_check`): the rest of the matches are wrong ones.
_FITS, _FEWEST_MATCHES = 0.5, 100


def believed(
    database: PhotoDatabase, given: GivenCameras, task: Task
) -> tuple[PhotoDatabase, GivenCameras]:
    """Without the rig, where photos of one name were not taken together, or not by this rig.

    A rig that is not believed is a warning, and its photos are taken one by one. Views of a
    panorama are not compared with each other, so nothing speaks against them.
    """
    places = {photo_id: place.cam_from_rig for photo_id, place in given.rigs.items()}
    pairs = read_pairs_of_moments(database) if places else []
    share = fitting_share(places, pairs)
    if share >= _FITS or sum(len(pair.rays_first) for pair in pairs) < _FEWEST_MATCHES:
        return database, given
    task.warn(
        f"Only {share:.0%} of the matches between photos of one moment, such as "
        f"{pairs[0].first} and {pairs[0].second}, fit the places of the rig's cameras, so these "
        "were not used. Photos of one name in the cameras' folders are taken to be of one moment; "
        "if they are, the rig has moved since it was calibrated."
    )
    doubted = {given.rigs[pair.first].rig for pair in pairs}
    kept = {key: place for key, place in given.rigs.items() if place.rig not in doubted}
    photos = tuple(replace(photo, place=kept.get(photo.id)) for photo in database.photos)
    alone = replace(database, folder=database.folder / "no_rig", photos=photos)
    prepare(alone)
    copy_evidence(database, alone)
    return alone, replace(given, rigs=kept, baseline=None)


def in_metres(placement: Placement, given: GivenCameras) -> Placement:
    """With how surely a rig tells the scale; of everything that was placed apart, too."""
    if given.baseline is None:
        return placement
    noise_px = noise_of(placement.error_px)
    return replace(
        placement,
        scale_sigma=scale_sigma(placement, given.rigs, given.baseline, noise_px),
        others=tuple(in_metres(other, given) for other in placement.others),
    )
