"""What structure from motion found in photos, kept beside their places for a run with more photos.

Features of every photo and the verified matches of every pair: what takes longest to find, and
does not change when other photos come or go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recon3d.core.scene import GivenCameras, ImageSet
from recon3d.run.digests import file_digest, json_digest
from recon3d.run.documents import parse_json
from recon3d.run.files import atomic_path, write_json
from recon3d.run.reuse import take_over
from recon3d.run.stage import library_version
from recon3d.run.task import Task

if TYPE_CHECKING:  # it imports pycolmap
    from _typeshed import DataclassInstance

    from recon3d.sfm.features import PhotoDatabase

_FOLDER = "evidence"
_INDEX = "photos.json"
_PAIRS = "pairs.npz"


@dataclass(frozen=True)
class Basis:
    """What evidence was found in, and how."""

    contents: Mapping[str, str]
    """By photo id: a digest of its picture and mask."""
    settings: str
    """A digest of all that decides what is found in a photo and what of it matches."""
    image_set: str
    """A digest of the photos and of the verdicts on those that were left out."""

    @staticmethod
    def of(image_set: ImageSet, given: GivenCameras, config: DataclassInstance) -> Basis:
        """That of a run."""
        masks = {photo_id: file_digest(path) for photo_id, path in image_set.masks.items()}
        contents = {
            photo.id: json_digest([photo.sha256, masks.get(photo.id)]) for photo in image_set.photos
        }
        how = [image_set.sequential, image_set.orientation, library_version("pycolmap")]
        settings = json_digest([asdict(config), given.digest, *how])
        verdicts = [asdict(verdict) for verdict in image_set.verdicts]
        return Basis(
            contents, settings, json_digest([contents, verdicts, list(image_set.excluded)])
        )


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of the photos of one finished run."""

    folder: Path
    """That of its stage."""
    photos: tuple[str, ...]
    """Their ids, in the order in which they were numbered."""
    basis: Basis


def write_evidence(folder: Path, database: PhotoDatabase, basis: Basis, task: Task) -> None:
    """Keep a database's features and verified matches in a stage's folder."""
    from recon3d.sfm.pycolmap_library import pycolmap

    place = folder / _FOLDER
    place.mkdir(exist_ok=True)
    pairs, counts, matches = [], [], [np.zeros((0, 2), np.uint32)]
    made_from = {
        f"{_FOLDER}/{_features_path(folder, number).name}": json_digest(
            [basis.contents[photo.id], basis.settings]
        )
        for number, photo in enumerate(database.photos, start=1)
    }
    take_over(folder, made_from, task)
    with database.open() as stored:
        for number in range(1, len(database.photos) + 1):
            if _features_path(folder, number).exists():
                continue
            with atomic_path(_features_path(folder, number)) as part, part.open("wb") as stream:
                np.savez(
                    stream,
                    keypoints=np.asarray(stored.read_keypoints(number), np.float32),
                    descriptors=np.asarray(stored.read_descriptors(number).data, np.uint8),
                )
        for pair_id in sorted(stored.read_two_view_geometry_num_inliers()[0]):
            pair = pycolmap.pair_id_to_image_pair(pair_id)
            geometry = stored.read_two_view_geometry(*pair)
            pairs.append((*pair, int(geometry.config)))
            matches.append(np.asarray(geometry.inlier_matches, np.uint32).reshape(-1, 2))
            counts.append(len(matches[-1]))
    with atomic_path(place / _PAIRS) as part, part.open("wb") as stream:
        np.savez(
            stream,
            pairs=np.array(pairs, np.int64).reshape(-1, 3),
            counts=np.array(counts, np.int64),
            matches=np.concatenate(matches),
        )
    photos = [photo.id for photo in database.photos]
    write_json(place / _INDEX, {"photos": photos, "basis": asdict(basis)})


def read_evidence(folder: Path) -> Evidence | None:
    """What `write_evidence` kept in a stage's folder; None where there is none, or not all."""
    try:
        stored: Mapping[str, Any] = parse_json(
            (folder / _FOLDER / _INDEX).read_text(encoding="utf-8")
        )
        return Evidence(folder, tuple(stored["photos"]), Basis(**stored["basis"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def restore(evidence: Evidence, photo_ids: Collection[str], database: PhotoDatabase) -> None:
    """Put what was found in some photos into a database of them and others."""
    from recon3d.sfm.pycolmap_library import pycolmap

    numbers = {photo.id: number for number, photo in enumerate(database.photos, start=1)}
    now = {
        before: numbers[photo_id]
        for before, photo_id in enumerate(evidence.photos, start=1)
        if photo_id in photo_ids
    }
    with np.load(evidence.folder / _FOLDER / _PAIRS, allow_pickle=False) as stored:
        pairs, ends = stored["pairs"], np.cumsum(stored["counts"])
        matches = np.split(stored["matches"], ends[:-1]) if len(ends) else []
    with database.open() as target:
        for before, number in now.items():
            if target.exists_descriptors(number):
                continue
            with np.load(_features_path(evidence.folder, before), allow_pickle=False) as found:
                target.write_keypoints(number, found["keypoints"])
                kind = pycolmap.FeatureExtractorType.SIFT
                descriptors = pycolmap.FeatureDescriptors(kind, found["descriptors"])
                target.write_descriptors(number, descriptors)
        for (first, second, configuration), inliers in zip(pairs.tolist(), matches, strict=True):
            a, b = now.get(first), now.get(second)
            if a is None or b is None or target.exists_two_view_geometry(a, b):
                continue
            # Photos may be numbered in another order by now; a match names the first one first.
            geometry = pycolmap.TwoViewGeometry()
            geometry.config = pycolmap.TwoViewGeometryConfiguration(configuration)
            geometry.inlier_matches = inliers
            target.write_matches(a, b, geometry.inlier_matches)
            target.write_two_view_geometry(a, b, geometry)


def _features_path(folder: Path, number: int) -> Path:
    return folder / _FOLDER / f"{number:06d}.npz"
