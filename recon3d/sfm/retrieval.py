"""Which photos may show the same thing: pairs from order, place and looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Num

Pair = tuple[int, int]

_WORDS = 64
_SAMPLES_PER_PHOTO = 300
_TRAINING_SAMPLES = 30_000


def all_pairs(count: int) -> list[Pair]:
    """Every photo with every other."""
    first, second = np.triu_indices(count, 1)
    return list(zip(first.tolist(), second.tolist(), strict=True))


def sequential_pairs(count: int, neighbours: int) -> list[Pair]:
    """Each frame with the next ones and, for loops and slow motion, with 2, 4, 8... further."""
    steps = {*range(1, neighbours // 2 + 1), *(2**power for power in range(neighbours // 2))}
    return [(a, a + step) for a in range(count) for step in sorted(steps) if a + step < count]


def most_similar(similarity: Float[np.ndarray, "n n"], neighbours: int) -> list[Pair]:
    """Each photo with those it is most similar to; -inf is never a neighbour."""
    ranked = np.argsort(-similarity, axis=1, kind="stable")[:, :neighbours]
    found = {
        (min(a, b), max(a, b))
        for a, row in enumerate(ranked.tolist())
        for b in row
        if a != b and np.isfinite(similarity[a, b])
    }
    return sorted(found)


def look_similarity(
    descriptors: Iterable[Num[np.ndarray, "_ d"]], seed: int
) -> Float[np.ndarray, "n n"]:
    """How alike photos look, from their local features alone; -inf with itself and without any.

    Vectors of locally aggregated descriptors (Jegou et al. 2010) with intra-normalisation
    (Arandjelovic and Zisserman 2013), over words learned from these very photos.
    """
    generator = np.random.default_rng(seed)
    samples = [_rooted(_sample(found, generator)) for found in descriptors]
    words = _learn_words(np.concatenate(samples), generator)
    vectors = np.stack([_aggregate(found, words) for found in samples])
    similarity: np.ndarray = (vectors @ vectors.T).astype(np.float64)
    empty = ~vectors.any(axis=1)
    similarity[empty] = similarity[:, empty] = -np.inf
    np.fill_diagonal(similarity, -np.inf)
    return similarity


def place_similarity(
    enu_m: Sequence[Float[np.ndarray, "3"] | None],
) -> Float[np.ndarray, "n n"]:
    """Minus the distance on the ground in metres; -inf where a photo does not know its place."""
    known = np.array([place is not None for place in enu_m])
    east_north = np.array([(0.0, 0.0) if place is None else place[:2] for place in enu_m])
    gaps = east_north[:, None] - east_north[None]
    similarity: np.ndarray = -np.linalg.norm(gaps, axis=2)
    similarity[~known] = similarity[:, ~known] = -np.inf
    np.fill_diagonal(similarity, -np.inf)
    return similarity


def _sample(found: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    if len(found) <= _SAMPLES_PER_PHOTO:
        return found
    return found[generator.choice(len(found), _SAMPLES_PER_PHOTO, replace=False)]


def _rooted(found: np.ndarray) -> np.ndarray:
    """Unit length; COLMAP's descriptors are L1-rooted already."""
    rooted = found.astype(np.float32)
    rooted /= np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-6)
    return rooted


def _nearest(found: np.ndarray, words: np.ndarray) -> np.ndarray:
    distance: np.ndarray = (words**2).sum(1) - 2 * found @ words.T
    nearest: np.ndarray = distance.argmin(axis=1)
    return nearest


def _learn_words(samples: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Lloyd's k-means; ten rounds are plenty for a coarse vocabulary."""
    if len(samples) > _TRAINING_SAMPLES:
        samples = samples[generator.choice(len(samples), _TRAINING_SAMPLES, replace=False)]
    count = min(_WORDS, len(samples))
    words = samples[generator.choice(len(samples), count, replace=False)]
    for _ in range(10):
        nearest = _nearest(samples, words)
        sums = np.zeros_like(words)
        np.add.at(sums, nearest, samples)
        sizes = np.bincount(nearest, minlength=count)[:, None]
        words = np.where(sizes > 0, sums / np.maximum(sizes, 1), words)
    return words


def _aggregate(found: np.ndarray, words: np.ndarray) -> np.ndarray:
    residuals = np.zeros_like(words)
    if len(found):
        nearest = _nearest(found, words)
        np.add.at(residuals, nearest, found - words[nearest])
    residuals /= np.maximum(np.linalg.norm(residuals, axis=1, keepdims=True), 1e-6)
    flat = residuals.ravel()
    flat /= max(float(np.linalg.norm(flat)), 1e-6)
    return flat
