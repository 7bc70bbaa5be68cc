"""The inner loops of PatchMatch: how alike tilted windows look, and which planes a pixel tries.

A plane at a pixel (x, y) is three numbers: inverse depth w there, and how much w grows a pixel to
the right and down, because inverse depth of a plane is affine in the photo. Coordinates have their
origin in the centre of the first pixel.

Compiled by numba; the tests compute the cost in plain numpy.
"""

from __future__ import annotations

import numpy as np

from recon3d.depth.patchmatch.kernel_types import WORST
from recon3d.run.compiled import compiled

_SIDE = 6
"""Samples across a window, every second pixel: 11 pixels."""
_SAMPLES = _SIDE * _SIDE
_STEP = np.array([2 * i - _SIDE + 1 for i in range(_SIDE)], np.float32)
_RIGHT, _DOWN = np.tile(_STEP, _SIDE), np.repeat(_STEP, _SIDE)
"""Of the samples from the centre, in pixels."""
_NEARBY = np.exp(-(_RIGHT**2 + _DOWN**2) / 50).astype(np.float32)
"""Weights of a window's samples by their distance, one sigma being 5 px."""
_NEIGHBOURS = 8
_STEPS = 11
"""Steps of two pixels that strips go outwards to find a good plane, from three pixels on."""
REACH_PX = 3 + 2 * (_STEPS - 1)
"""Farthest pixel whose plane is tried."""
_V_REACH = 4
"""The same in pixels for the V shapes next to the pixel."""
_TRIES = 4
"""Random changes of the best plane, each half as large as in the round before."""
_TURN = 0.02
_TILT = 0.5


@compiled
def _window(reference, x, y, edge, weights, deviations):
    """Weights of the samples around a pixel, and weighted differences of their grey from the mean.

    Returns variance and sum of the weights. Samples unlike the centre are likely on something
    else (Yoon and Kweon 2006).
    """
    height, width = reference.shape
    centre = reference[y, x]
    total, first, second = np.float32(0), np.float32(0), np.float32(0)
    for i in range(_SAMPLES):
        row = min(max(y + 2 * (i // _SIDE) - _SIDE + 1, 0), height - 1)
        column = min(max(x + 2 * (i % _SIDE) - _SIDE + 1, 0), width - 1)
        deviations[i] = reference[row, column]
    for i in range(_SAMPLES):
        grey = deviations[i]
        apart = grey - centre
        weight = _NEARBY[i] * np.exp(-apart * apart / edge)
        weights[i] = weight
        total += weight
        first += weight * grey
        second += weight * grey * grey
    mean = first / total
    for i in range(_SAMPLES):
        deviations[i] = (deviations[i] - mean) * weights[i]
    return max(second / total - mean * mean, np.float32(0)), total


@compiled
def _sums(source, stride, height, width, u, v, u_right, u_down, v_right, v_down, weights,
          deviations):  # fmt: skip
    """Weighted sums of a source's grey, its square and its product with the reference's."""
    last_u, last_v = width - np.float32(1.001), height - np.float32(1.001)
    first, second, both = np.float32(0), np.float32(0), np.float32(0)
    one, zero = np.uintp(1), np.float32(0)
    for k in range(_SAMPLES):
        at_u = min(max(u + _RIGHT[k] * u_right + _DOWN[k] * u_down, zero), last_u)
        at_v = min(max(v + _RIGHT[k] * v_right + _DOWN[k] * v_down, zero), last_v)
        i, j = np.int32(at_v), np.int32(at_u)
        at_u -= np.float32(j)
        at_v -= np.float32(i)
        # Unsigned, or numba asks at every look whether it counts from the end.
        above = np.uintp(i * stride + j)
        below = above + np.uintp(stride)
        upper = source[above] + at_u * (source[above + one] - source[above])
        lower = source[below] + at_u * (source[below + one] - source[below])
        grey = upper + at_v * (lower - upper)
        weighted = weights[k] * grey
        first += weighted
        second += weighted * grey
        both += deviations[k] * grey
    return first, second, both


@compiled
def _unlike(photos, s, x, y, w, right, down, noise, window, weights, deviations):
    """1 - NCC of a window on the plane (w, right, down) in source s."""
    p = photos.source_from_px[s]
    x, y = np.float32(x), np.float32(y)
    height, width = np.float32(photos.sizes[s, 0]), np.float32(photos.sizes[s, 1])
    z = p[2, 0] * x + p[2, 1] * y + p[2, 2] + p[2, 3] * w
    if z < np.float32(1e-6):
        return WORST
    scale = np.float32(1) / z
    u = (p[0, 0] * x + p[0, 1] * y + p[0, 2] + p[0, 3] * w) * scale
    v = (p[1, 0] * x + p[1, 1] * y + p[1, 2] + p[1, 3] * w) * scale
    if not (u >= 0 and v >= 0 and u <= width - np.float32(1) and v <= height - np.float32(1)):
        return WORST
    # The homography's derivative: over five pixels the rest is hundredths of a pixel.
    z_right, z_down = p[2, 0] + p[2, 3] * right, p[2, 1] + p[2, 3] * down
    u_right = (p[0, 0] + p[0, 3] * right - u * z_right) * scale
    u_down = (p[0, 1] + p[0, 3] * down - u * z_down) * scale
    v_right = (p[1, 0] + p[1, 3] * right - v * z_right) * scale
    v_down = (p[1, 1] + p[1, 3] * down - v * z_down) * scale
    first, second, both = _sums(
        photos.sources[s], np.int32(photos.stride), height, width,
        u, v, u_right, u_down, v_right, v_down, weights, deviations,
    )  # fmt: skip
    variance, total = window
    mean = first / total
    theirs = max(second / total - mean * mean, np.float32(0))
    return np.float32(1) - both / total / np.sqrt((theirs + noise) * (variance + noise))


@compiled
def _apart_px(photos, s, x, y, w):
    """How far from the pixel its point comes back by the source's depth, 3 px at most."""
    most = np.float32(3)
    p, q = photos.source_from_px[s], photos.px_from_source[s]
    z = p[2, 0] * x + p[2, 1] * y + p[2, 2] + p[2, 3] * w
    if z < np.float32(1e-6):
        return most
    u = (p[0, 0] * x + p[0, 1] * y + p[0, 2] + p[0, 3] * w) / z
    v = (p[1, 0] * x + p[1, 1] * y + p[1, 2] + p[1, 3] * w) / z
    if not (u >= 0 and v >= 0 and u <= photos.sizes[s, 1] - 1 and v <= photos.sizes[s, 0] - 1):
        return most
    theirs = photos.inverse_z[s, int(v + np.float32(0.5)), int(u + np.float32(0.5))]
    if theirs <= 0:
        return most
    z = q[2, 0] * u + q[2, 1] * v + q[2, 2] + q[2, 3] * theirs
    if z < np.float32(1e-6):
        return most
    across = (q[0, 0] * u + q[0, 1] * v + q[0, 2] + q[0, 3] * theirs) / z - x
    along = (q[1, 0] * u + q[1, 1] * v + q[1, 2] + q[1, 3] * theirs) / z - y
    return min(most, np.sqrt(across * across + along * along))


@compiled
def _far_from_priors(priors, x, y, w, right, down, numbers):
    total = np.float32(0)
    for k in range(priors.strength.shape[0]):
        strength = priors.strength[k, y, x]
        if strength > 0:
            plane = priors.planes[k, y, x]
            off = (w / plane[0] - 1) / numbers.spread
            far = off * off
            if priors.slope_matters[k]:
                per_px = numbers.focal_px / (plane[0] * numbers.tilt)
                turned_right, turned_down = (right - plane[1]) * per_px, (down - plane[2]) * per_px
                far += turned_right * turned_right + turned_down * turned_down
            total += strength * (np.float32(1) - np.exp(np.float32(-0.5) * far))
    return total


@compiled
def _priced(photos, priors, x, y, plane, numbers, plainness, price, window, weights, deviations,
            below):  # fmt: skip
    """Cost of a plane and what of it is unlikeness; stops where the cost exceeds `below`.

    price: what each source's word costs; they sum to 1.
    """
    w, right, down = plane[0], plane[1], plane[2]
    cost = plainness * _far_from_priors(priors, x, y, w, right, down, numbers)
    unlike = np.float32(0)
    for s in range(len(price)):
        if price[s] > 0:
            if cost >= below:
                return WORST + WORST, WORST
            part = price[s] * _unlike(photos, s, x, y, w, right, down, numbers.noise, window,
                                      weights, deviations)  # fmt: skip
            unlike += part
            cost += part
            if numbers.disagree > 0:
                cost += numbers.disagree * price[s] * _apart_px(photos, s, x, y, w)
    return cost, unlike


@compiled
def _mean(costs, price):
    total = np.float32(0)
    for s in range(len(price)):
        total += price[s] * costs[s]
    return total


@compiled
def _copied(plane, into):
    into[0], into[1], into[2] = plane[0], plane[1], plane[2]


@compiled
def _keep(state, x, y, plane, cost, unlike, price):
    _copied(plane, state.planes[y, x])
    state.cost[y, x], state.unlike[y, x] = cost, unlike
    for s in range(len(price)):
        state.counts[y, x, s] = price[s] > 0


@compiled
def _two_best(costs, price):
    """Price the two sources of least cost."""
    for s in range(len(costs)):
        price[s] = 0
    for _ in range(min(2, len(costs))):
        best = -1
        for s in range(len(costs)):
            if price[s] == 0 and (best < 0 or costs[s] < costs[best]):
                best = s
        price[best] = np.float32(1) / min(2, len(costs))


@compiled
def _price_sources(costs, planes, counts, x, y, round_number, price):
    """Which sources to ask about a pixel: those in which several of its planes look alike.

    Rather those that count beside it too (Xu and Tao 2019, ACMH, section 3.3).
    """
    height, width, sources = counts.shape
    good_below = np.float32(0.8) * np.exp(np.float32(-round_number * round_number / 90))
    total = np.float32(0)
    for s in range(sources):
        good, bad, likely = 0, 0, np.float32(0)
        for k in range(planes):
            cost = costs[k, s]
            if cost < good_below:
                good += 1
                likely += np.exp(-cost * cost / np.float32(0.18))
            if cost > np.float32(1.2):
                bad += 1
        price[s] = 0
        if bad < 4:
            if good > 2:
                price[s] = likely / good
            else:
                price[s] = np.float32(0.5) * np.exp(-good_below * good_below / np.float32(0.32))
        beside = np.float32(0.1)
        if x > 0 and counts[y, x - 1, s]:
            beside += np.float32(0.9)
        if x < width - 1 and counts[y, x + 1, s]:
            beside += np.float32(0.9)
        if y > 0 and counts[y - 1, x, s]:
            beside += np.float32(0.9)
        if y < height - 1 and counts[y + 1, x, s]:
            beside += np.float32(0.9)
        price[s] *= beside
        total += price[s]
    if total <= 0:
        _two_best(costs[0], price)
        return
    highest, kept = np.float32(0), np.float32(0)
    for s in range(sources):
        highest = max(highest, price[s])
    for s in range(sources):
        if price[s] <= np.float32(0.15) * highest:
            price[s] = 0
        kept += price[s]
    for s in range(sources):
        price[s] /= kept


@compiled
def _carried(planes, row, column, y, x, into):
    """A neighbour's plane where this pixel is."""
    into[1], into[2] = planes[row, column, 1], planes[row, column, 2]
    into[0] = planes[row, column, 0] + into[1] * (x - column) + into[2] * (y - row)


@compiled
def _gather(state, priors, x, y, planes):
    """Fill in the planes to try: the pixel's own, its neighbours' and its priors'; their number.

    From each of eight regions the plane of least cost; all their pixels have the other colour of
    a chessboard, so that pixels of one colour do not depend on each other (Galliani et al. 2015).
    """
    height, width = state.cost.shape
    _carried(state.planes, y, x, y, x, planes[0])
    count = 1
    for side in range(4):
        step_x = (1, -1, 0, 0)[side]
        step_y = (0, 0, 1, -1)[side]
        best, row, column = np.float32(np.inf), -1, -1
        for k in range(_STEPS):
            at_x, at_y = x + step_x * (3 + 2 * k), y + step_y * (3 + 2 * k)
            if not (0 <= at_x < width and 0 <= at_y < height):
                break
            if state.cost[at_y, at_x] < best:
                best, row, column = state.cost[at_y, at_x], at_y, at_x
        if row >= 0:
            _carried(state.planes, row, column, y, x, planes[count])
            count += 1
        best, row, column = np.float32(np.inf), -1, -1
        for k in range(_V_REACH):
            for sign in (1, -1):
                at_x = x + step_x * (1 + k) + sign * step_y * k
                at_y = y + step_y * (1 + k) + sign * step_x * k
                inside = 0 <= at_x < width and 0 <= at_y < height
                if inside and state.cost[at_y, at_x] < best:
                    best, row, column = state.cost[at_y, at_x], at_y, at_x
        if row >= 0:
            _carried(state.planes, row, column, y, x, planes[count])
            count += 1
    for k in range(priors.strength.shape[0]):
        if priors.strength[k, y, x] > 0:
            _carried(priors.planes[k], y, x, y, x, planes[count])
            count += 1
    return count


@compiled
def _random(seed):
    """The next state of a generator (Knuth's MMIX), and a number from 0 to 1."""
    seed = seed * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return seed, np.float32((seed >> np.uint64(40)) * (1.0 / 16777216.0))


@compiled
def _changed(plane, attempt, scale, numbers, seed, into):
    """A plane near another: nearer or farther, tilted, or both; every fourth anywhere."""
    seed, first = _random(seed)
    seed, second = _random(seed)
    seed, third = _random(seed)
    _copied(plane, into)
    kind = attempt % 4
    half = np.float32(0.5)
    if kind in (0, 2):
        into[0] *= 1 + np.float32(2 * _TURN) * scale * (first - half)
    if kind in (1, 2):
        tilt = np.float32(2 * _TILT) * scale * plane[0] / numbers.focal_px
        into[1] += tilt * (second - half)
        into[2] += tilt * (third - half)
    if kind == 3:
        into[0] = numbers.least + (numbers.most - numbers.least) * first
    return seed


@compiled
def start(photos, priors, active, near, numbers, top, bottom, state):
    """Give the active pixels of some rows the best of their priors, others near them the first."""
    width = photos.reference.shape[1]
    sources = len(photos.sources)
    weights, deviations = np.empty(_SAMPLES, np.float32), np.empty(_SAMPLES, np.float32)
    costs, price = np.empty(sources, np.float32), np.empty(sources, np.float32)
    for y in range(top, bottom):
        for x in range(width):
            if not near[y, x]:
                continue
            window = _window(photos.reference, x, y, numbers.edge, weights, deviations)
            plainness = numbers.texture / (window[0] + numbers.texture)
            best = np.float32(np.inf)
            for k in range(len(priors.planes) if active[y, x] else 1):
                plane = priors.planes[k, y, x]
                if not numbers.least < plane[0] < numbers.most:
                    continue
                for s in range(sources):
                    costs[s] = _unlike(photos, s, x, y, plane[0], plane[1], plane[2],
                                       numbers.noise, window, weights, deviations)  # fmt: skip
                _two_best(costs, price)
                unlike = _mean(costs, price)
                cost = unlike + plainness * _far_from_priors(
                    priors, x, y, plane[0], plane[1], plane[2], numbers
                )
                if cost < best:
                    best = cost
                    _keep(state, x, y, plane, cost, unlike, price)
            if best == np.inf:
                # Anything: what its neighbours know, it gets from them.
                state.planes[y, x, 0] = np.float32(0.5) * (numbers.least + numbers.most)
                state.planes[y, x, 1], state.planes[y, x, 2] = 0, 0


@compiled
def improve(photos, priors, active, numbers, top, bottom, colour, round_number, seed, state):
    """One round over the active pixels of some rows that have one colour of a chessboard."""
    width = photos.reference.shape[1]
    sources = len(photos.sources)
    weights, deviations = np.empty(_SAMPLES, np.float32), np.empty(_SAMPLES, np.float32)
    most = 1 + _NEIGHBOURS + len(priors.strength)
    planes, costs = np.empty((most, 3), np.float32), np.empty((most, sources), np.float32)
    price, changed = np.empty(sources, np.float32), np.empty(3, np.float32)
    best_plane = np.empty(3, np.float32)
    scale = np.float32(0.5**round_number)
    for y in range(top, bottom):
        for x in range((y + colour) % 2, width, 2):
            if not active[y, x]:
                continue
            window = _window(photos.reference, x, y, numbers.edge, weights, deviations)
            plainness = numbers.texture / (window[0] + numbers.texture)
            count = _gather(state, priors, x, y, planes)
            for k in range(count):
                w = planes[k, 0]
                for s in range(sources):
                    costs[k, s] = WORST
                    if numbers.least < w < numbers.most:
                        costs[k, s] = _unlike(photos, s, x, y, w, planes[k, 1], planes[k, 2],
                                              numbers.noise, window, weights,
                                              deviations)  # fmt: skip
            _price_sources(costs, count, state.counts, x, y, round_number, price)
            best, best_unlike, chosen = np.float32(np.inf), WORST, 0
            for k in range(count):
                w = planes[k, 0]
                unlike = _mean(costs[k], price)
                cost = unlike + plainness * _far_from_priors(
                    priors, x, y, w, planes[k, 1], planes[k, 2], numbers
                )
                if numbers.disagree > 0:
                    for s in range(sources):
                        if price[s] > 0:
                            apart = _apart_px(photos, s, x, y, w)
                            cost += numbers.disagree * price[s] * apart
                if cost < best:
                    best, best_unlike, chosen = cost, unlike, k
            _copied(planes[chosen], best_plane)
            state_of_chance = np.uint64(
                seed + 7919 * (y * width + x) + 104729 * round_number
            ) * np.uint64(2654435761)
            for attempt in range(_TRIES):
                state_of_chance = _changed(best_plane, attempt, scale, numbers, state_of_chance,
                                           changed)  # fmt: skip
                if not numbers.least < changed[0] < numbers.most:
                    continue
                cost, unlike = _priced(photos, priors, x, y, changed, numbers, plainness, price,
                                       window, weights, deviations, best)  # fmt: skip
                if cost < best:
                    best, best_unlike = cost, unlike
                    _copied(changed, best_plane)
            _keep(state, x, y, best_plane, best, best_unlike, price)
