"""Triangles are merged, the cheapest edge first (Garland and Heckbert 1997).

Compiled by numba. Of a manifold mesh the result is manifold, too: an edge only collapses where its
ends share no other neighbours than those of its faces (the link condition, Dey et al. 1999).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int32

from recon3d.run.compiled import compiled

_BORDER = 1.0
"""Weight of the planes that stand on open borders and keep them where they are."""
_EVEN = 1e-4
"""Weight of an edge's middle, as a share of the area around: on what is flat, where any place is as
good, triangles become even."""
_LEAST_COSINE = 0.2
"""Between a face's normal before and after: what turns further folds."""
_NONE = -1


def collapse(
    vertices: Float64[np.ndarray, "v 3"],
    faces: Int32[np.ndarray, "f 3"],
    most: int,
    fixed: Bool[np.ndarray, "v"] | None = None,
) -> tuple[Float64[np.ndarray, "n 3"], Int32[np.ndarray, "g 3"], Int32[np.ndarray, "v"]]:
    """Merge vertices until at most so many faces are left, if that can be; fixed ones stay.

    Returns the vertices and faces, and for every old vertex which new one it has become; -1 where
    none is left of it.
    """
    middle = vertices.mean(axis=0)
    size = float(np.abs(vertices - middle).max(initial=0.0)) or 1.0
    places = (vertices - middle) / size
    left = np.array(faces, np.int32)
    merged = _collapse(places, left, most, np.zeros(len(places), bool) if fixed is None else fixed)
    left = left[left[:, 0] >= 0]
    used, numbers = np.unique(left, return_inverse=True)
    number_of = np.full(len(vertices), _NONE, np.int32)
    number_of[used] = np.arange(len(used), dtype=np.int32)
    return (
        places[used] * size + middle,
        numbers.reshape(left.shape).astype(np.int32),
        number_of[_last(merged)],
    )


@compiled
def _last(merged):
    """Follow each vertex to the one that it has become."""
    for v in range(len(merged)):
        end = v
        while merged[end] != end:
            end = merged[end]
        while merged[v] != end:
            merged[v], v = end, merged[v]
    return merged


@compiled
def _add_plane(quadric, nx, ny, nz, d, weight):
    quadric[0] += weight * nx * nx
    quadric[1] += weight * nx * ny
    quadric[2] += weight * nx * nz
    quadric[3] += weight * ny * ny
    quadric[4] += weight * ny * nz
    quadric[5] += weight * nz * nz
    quadric[6] += weight * nx * d
    quadric[7] += weight * ny * d
    quadric[8] += weight * nz * d
    quadric[9] += weight * d * d


@compiled
def _cross(a, b, c):
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    wx, wy, wz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx


@compiled
def _quadrics(places, faces, head, next_corner):
    """Squared distances to the planes of the faces around each vertex, and to those on borders."""
    quadrics = np.zeros((len(places), 10))
    for f in range(len(faces)):
        a, b, c = faces[f]
        nx, ny, nz = _cross(places[a], places[b], places[c])
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if length < 1e-300:
            continue
        nx, ny, nz = nx / length, ny / length, nz / length
        d = -(nx * places[a, 0] + ny * places[a, 1] + nz * places[a, 2])
        for k in range(3):
            _add_plane(quadrics[faces[f, k]], nx, ny, nz, d, length / 2)
        for k in range(3):
            u, v = faces[f, k], faces[f, (k + 1) % 3]
            if _shared(u, v, faces, head, next_corner) > 1:
                continue
            ex, ey, ez = (
                places[v, 0] - places[u, 0],
                places[v, 1] - places[u, 1],
                places[v, 2] - places[u, 2],
            )
            mx, my, mz = ey * nz - ez * ny, ez * nx - ex * nz, ex * ny - ey * nx
            across = np.sqrt(mx * mx + my * my + mz * mz)
            if across < 1e-300:
                continue
            mx, my, mz = mx / across, my / across, mz / across
            d_border = -(mx * places[u, 0] + my * places[u, 1] + mz * places[u, 2])
            for end in (u, v):
                _add_plane(quadrics[end], mx, my, mz, d_border, _BORDER * length / 2)
    return quadrics


@compiled
def _shared(u, v, faces, head, next_corner):
    """How many faces have both vertices."""
    count = 0
    corner = head[u]
    while corner != _NONE:
        f = corner // 3
        if faces[f, 0] == v or faces[f, 1] == v or faces[f, 2] == v:
            count += 1
        corner = next_corner[corner]
    return count


@compiled
def _best_place(p, q, u, v, places, out):
    """Where the ends of an edge are best merged, and what that costs."""
    q0, q1, q2 = p[0] + q[0], p[1] + q[1], p[2] + q[2]
    q3, q4, q5 = p[3] + q[3], p[4] + q[4], p[5] + q[5]
    q6, q7, q8 = p[6] + q[6], p[7] + q[7], p[8] + q[8]
    mx = (places[u, 0] + places[v, 0]) / 2
    my = (places[u, 1] + places[v, 1]) / 2
    mz = (places[u, 2] + places[v, 2]) / 2
    even = _EVEN * (q0 + q3 + q5) + 1e-30
    # About the middle, so that the pull to it needs no right-hand side and little is cancelled.
    gx = q0 * mx + q1 * my + q2 * mz + q6
    gy = q1 * mx + q3 * my + q4 * mz + q7
    gz = q2 * mx + q4 * my + q5 * mz + q8
    a, b, c = q0 + even, q3 + even, q5 + even
    c00, c01, c02 = b * c - q4 * q4, q2 * q4 - q1 * c, q1 * q4 - q2 * b
    determinant = a * c00 + q1 * c01 + q2 * c02
    c11, c12, c22 = a * c - q2 * q2, q1 * q2 - a * q4, a * b - q1 * q1
    x = -(c00 * gx + c01 * gy + c02 * gz) / determinant
    y = -(c01 * gx + c11 * gy + c12 * gz) / determinant
    z = -(c02 * gx + c12 * gy + c22 * gz) / determinant
    out[0], out[1], out[2] = mx + x, my + y, mz + z
    at_middle = gx * mx + gy * my + gz * mz + q6 * mx + q7 * my + q8 * mz + p[9] + q[9]
    length = (places[u, 0] - mx) ** 2 + (places[u, 1] - my) ** 2 + (places[u, 2] - mz) ** 2
    return max(at_middle + gx * x + gy * y + gz * z, 0.0) + even * length


@compiled
def _push(heap, slots, count, cost, slot):
    """Onto a binary heap; its arrays have room."""
    i = count
    while i > 0:
        parent = (i - 1) >> 1
        if heap[parent] <= cost:
            break
        heap[i], slots[i] = heap[parent], slots[parent]
        i = parent
    heap[i], slots[i] = cost, slot


@compiled
def _sift(heap, slots, count, start):
    cost, slot = heap[start], slots[start]
    i = start
    while True:
        child = 2 * i + 1
        if child >= count:
            break
        if child + 1 < count and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= cost:
            break
        heap[i], slots[i] = heap[child], slots[child]
        i = child
    heap[i], slots[i] = cost, slot


@compiled
def _without_stale(heap, slots, size, ends, stamps, version, unused):
    """Make room: how many entries are left, and how many slots are free."""
    kept, free = 0, 0
    for i in range(size):
        slot = slots[i]
        u, v = ends[slot]
        if version[u] == stamps[slot, 0] and version[v] == stamps[slot, 1]:
            heap[kept], slots[kept] = heap[i], slot
            kept += 1
        else:
            unused[free] = slot
            free += 1
    for i in range(kept // 2 - 1, -1, -1):
        _sift(heap, slots, kept, i)
    return kept, free


@compiled
def _turns(keep, other, place, places, faces, head, next_corner):
    """Whether a face around `keep` that `other` is not part of would fold."""
    corner = head[keep]
    while corner != _NONE:
        f, k = corner // 3, corner % 3
        corner = next_corner[corner]
        a, b = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
        if a == other or b == other:
            continue
        nx, ny, nz = _cross(places[keep], places[a], places[b])
        mx, my, mz = _cross(place, places[a], places[b])
        along = nx * mx + ny * my + nz * mz
        sizes = (nx * nx + ny * ny + nz * nz) * (mx * mx + my * my + mz * mz)
        if along <= 0 or along * along < _LEAST_COSINE * _LEAST_COSINE * sizes:
            return True
    return False


@compiled
def _may_merge(u, v, faces, head, next_corner, mark, round_number):
    """The link condition: what both ends neighbour are the tips of the faces at the edge."""
    corner, at_u = head[u], 0
    while corner != _NONE:
        f, k = corner // 3, corner % 3
        mark[faces[f, (k + 1) % 3], 0] = round_number
        mark[faces[f, (k + 2) % 3], 0] = round_number
        at_u += 1
        corner = next_corner[corner]
    common, at_v, tips, neighbours_v = 0, 0, 0, 0
    corner = head[v]
    while corner != _NONE:
        f, k = corner // 3, corner % 3
        has_u = False
        for step in (1, 2):
            n = faces[f, (k + step) % 3]
            if n == u:
                has_u = True
            elif mark[n, 1] != round_number:
                mark[n, 1] = round_number
                neighbours_v += 1
                if mark[n, 0] == round_number:
                    common += 1
        tips += has_u
        at_v += 1
        corner = next_corner[corner]
    if common != tips or tips == 0 or tips > 2:
        return False
    neighbours_u, corner = 0, head[u]
    while corner != _NONE:
        f, k = corner // 3, corner % 3
        for step in (1, 2):
            n = faces[f, (k + step) % 3]
            if n != v and mark[n, 0] == round_number:
                mark[n, 0] = -round_number
                neighbours_u += 1
        corner = next_corner[corner]
    # A vertex on a border has one neighbour more than faces. (u and v neighbour each other.)
    u_on_border, v_on_border = neighbours_u + 1 > at_u, neighbours_v + 1 > at_v
    if u_on_border and v_on_border and tips == 2:
        return False
    # A vertex inside needs three faces, or two of them are the same.
    return at_u + at_v - 2 * tips >= (1 if u_on_border or v_on_border else 3)


@compiled
def _collapse(places, faces, most, fixed):
    """Moves vertices, and marks merged faces with -1; returns what each vertex was merged into."""
    count_v, count_f = len(places), len(faces)
    head = np.full(count_v, _NONE, np.int32)
    tail = np.full(count_v, _NONE, np.int32)
    next_corner = np.full(3 * count_f, _NONE, np.int32)
    for f in range(count_f):
        for k in range(3):
            v, corner = faces[f, k], 3 * f + k
            if head[v] == _NONE:
                head[v] = corner
            else:
                next_corner[tail[v]] = corner
            tail[v] = corner
    quadrics = _quadrics(places, faces, head, next_corner)

    room = 3 * count_f + 64
    heap, slots = np.empty(room), np.empty(room, np.int32)
    ends = np.empty((room, 2), np.int32)
    stamps = np.empty((room, 2), np.int32)
    unused, free = np.empty(room, np.int32), 0
    version = np.zeros(count_v, np.int32)
    place = np.empty(3)
    size, made = 0, 0
    for f in range(count_f):
        for k in range(3):
            u, v = faces[f, k], faces[f, (k + 1) % 3]
            if fixed[u] or fixed[v]:
                continue
            # Each edge once: from its lower end, or from the only face it has.
            if u < v or _shared(u, v, faces, head, next_corner) == 1:
                ends[made, 0], ends[made, 1] = min(u, v), max(u, v)
                stamps[made] = 0
                heap[size] = _best_place(quadrics[u], quadrics[v], u, v, places, place)
                slots[size] = made
                made += 1
                size += 1
    for i in range(size // 2 - 1, -1, -1):
        _sift(heap, slots, size, i)

    merged = np.arange(count_v).astype(np.int32)
    mark = np.zeros((count_v, 2), np.int32)
    left, round_number = count_f, 0
    while left > most and size > 0:
        slot = slots[0]
        size -= 1
        heap[0], slots[0] = heap[size], slots[size]
        if size:
            _sift(heap, slots, size, 0)
        u, v = ends[slot]
        stale = version[u] != stamps[slot, 0] or version[v] != stamps[slot, 1]
        unused[free] = slot
        free += 1
        if stale:
            continue
        round_number += 1
        if not _may_merge(u, v, faces, head, next_corner, mark, round_number):
            continue
        _best_place(quadrics[u], quadrics[v], u, v, places, place)
        if _turns(u, v, place, places, faces, head, next_corner):
            continue
        if _turns(v, u, place, places, faces, head, next_corner):
            continue
        # v goes into u.
        places[u] = place
        quadrics[u] += quadrics[v]
        merged[v] = u
        version[u] += 1
        version[v] = -1
        next_corner[tail[u]] = head[v]
        tail[u] = tail[v]
        head[v] = _NONE
        before, corner = _NONE, head[u]
        while corner != _NONE:
            f, k = corner // 3, corner % 3
            if faces[f, k] == v:
                faces[f, k] = u
            a, b = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
            dead = faces[f, 0] == _NONE or a in (u, v) or b in (u, v)
            following = next_corner[corner]
            if dead:
                if faces[f, 0] != _NONE:
                    left -= 1
                    _unlink(f, u, v, faces, head, tail, next_corner)
                if before == _NONE:
                    head[u] = following
                else:
                    next_corner[before] = following
                if following == _NONE:
                    tail[u] = before
            else:
                before = corner
            corner = following
        # The edges around have new costs.
        round_number += 1
        corner = head[u]
        while corner != _NONE:
            f, k = corner // 3, corner % 3
            for step in (1, 2):
                n = faces[f, (k + step) % 3]
                if mark[n, 0] != round_number and not fixed[n]:
                    mark[n, 0] = round_number
                    if free == 0 and made == room:
                        size, free = _without_stale(
                            heap, slots, size, ends, stamps, version, unused
                        )
                    if free:
                        free -= 1
                        slot = unused[free]
                    else:
                        slot = made
                        made += 1
                    ends[slot, 0], ends[slot, 1] = u, n
                    stamps[slot, 0], stamps[slot, 1] = version[u], version[n]
                    cost = _best_place(quadrics[u], quadrics[n], u, n, places, place)
                    _push(heap, slots, size, cost, slot)
                    size += 1
            corner = next_corner[corner]
    return merged


@compiled
def _unlink(f, u, v, faces, head, tail, next_corner):
    """Take a dead face out of the list of its third vertex, and mark it."""
    for k in range(3):
        n = faces[f, k]
        if n in (u, v):
            continue
        before, corner = _NONE, head[n]
        while corner != _NONE:
            if corner // 3 == f:
                if before == _NONE:
                    head[n] = next_corner[corner]
                else:
                    next_corner[before] = next_corner[corner]
                if tail[n] == corner:
                    tail[n] = before
                break
            before, corner = corner, next_corner[corner]
    faces[f] = _NONE
