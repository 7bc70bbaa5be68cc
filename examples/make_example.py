"""Photograph the stone scene of ruin.py: photos, K.json, true cameras and the true mesh.

python examples/make_example.py [--photos N] [--scale S] [--out FOLDER]

Seeded: the same libraries give the same files. The shipped set takes some ten CPU-minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import open3d as o3d
import ruin
import trimesh
from PIL import Image

WIDTH_PX, HEIGHT_PX, FOCAL_PX = 960, 640, 905.0
VOXEL = 0.008
FACES = 140_000
TEXTURE_POINTS = 30_000
EXPOSURE = 0.55
SUN = np.array([-0.52, -0.62, 0.72]) / np.linalg.norm([-0.52, -0.62, 0.72])
SUN_RGB, SKY_RGB, BOUNCE_RGB = (
    np.float32(c) for c in ([2.7, 2.4, 1.95], [0.62, 0.78, 1.05], [0.3, 0.24, 0.17])
)


def sample_field() -> np.ndarray:
    """Signed distances on a grid; exact near the surface, coarse elsewhere."""
    step = 4
    counts = np.ceil((ruin.HIGH - ruin.LOW) / (VOXEL * step)).astype(int)
    corners = np.stack(np.meshgrid(*(np.arange(c) for c in counts), indexing="ij"), -1)
    middle = ruin.LOW + (corners.reshape(-1, 3) + 0.5) * VOXEL * step
    coarse = ruin.distance(middle)[0].astype(np.float32)
    field = np.repeat(np.repeat(np.repeat(coarse.reshape(counts), step, 0), step, 1), step, 2)
    near = np.flatnonzero(np.abs(coarse) < VOXEL * step * 1.3)
    inside = np.stack(np.meshgrid(*(np.arange(step),) * 3, indexing="ij"), -1).reshape(-1, 3)
    for rows in np.array_split(near, max(1, len(near) // 4000)):
        index = (corners.reshape(-1, 3)[rows, None] * step + inside).reshape(-1, 3)
        field[tuple(index.T)] = ruin.distance(ruin.LOW + index * VOXEL)[0]
    return field


def surface_net(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of the zero set (naive surface nets, Gibson 1998)."""
    solid = field < 0
    count = sum(
        solid[x : x - 1 or None, y : y - 1 or None, z : z - 1 or None].astype(np.int8)
        for x in (0, 1)
        for y in (0, 1)
        for z in (0, 1)
    )
    active = (count > 0) & (count < 8)
    number = np.full(active.shape, -1, np.int32)
    number[active] = np.arange(active.sum())
    vertices = ruin.LOW + (np.argwhere(active) + 0.5) * VOXEL
    faces = []
    for axis in range(3):
        here = np.moveaxis(solid, axis, 0)
        cells = np.moveaxis(number, axis, 0)
        up, down = here[:-1] & ~here[1:], ~here[:-1] & here[1:]
        for change, order in ((up, (0, 1, 2, 3)), (down, (0, 3, 2, 1))):
            i, j, k = np.nonzero(change[:, 1:-1, 1:-1])
            ring = [cells[i, j, k], cells[i, j + 1, k], cells[i, j + 1, k + 1], cells[i, j, k + 1]]
            a, b, c, d = (ring[o] for o in order)
            if axis == 1:
                b, d = d, b
            faces += [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
    return vertices, np.concatenate(faces)


def gradient(points: np.ndarray, reach: float) -> np.ndarray:
    """Unit normals of the field."""
    steps = np.eye(3) * reach
    slope = [ruin.distance(points + s)[0] - ruin.distance(points - s)[0] for s in steps]
    normal = np.stack(slope, 1)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)


def build_mesh() -> o3d.geometry.TriangleMesh:
    """The surface that is photographed, and the truth that results are measured against."""
    vertices, faces = surface_net(sample_field())
    for _ in range(2):
        towards = ruin.distance(vertices)[0][:, None] * gradient(vertices, 0.002)
        vertices = vertices - np.clip(towards, -VOXEL / 2, VOXEL / 2)
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(vertices), o3d.utility.Vector3iVector(faces)
    )
    labels, sizes, _ = (np.asarray(a) for a in mesh.cluster_connected_triangles())
    mesh.remove_triangles_by_mask(sizes[labels] < 400)
    mesh = mesh.simplify_quadric_decimation(FACES)
    mesh.remove_unreferenced_vertices()
    # float32 is what the file holds; the photos must show the same surface.
    mesh.vertices = o3d.utility.Vector3dVector(np.asarray(mesh.vertices).astype(np.float32))
    return mesh


def cameras(count: int) -> list[np.ndarray]:
    """cam_from_world of a walk around the front, there at eye height and back held high."""
    rng = np.random.default_rng(2)
    out = []
    for i in range(count):
        low = i < count // 2
        share = (i + (0 if low else 0.5)) / (count // 2) - (0 if low else 1)
        angle = np.radians(270 + 220 * (share - 0.48) * (1 if low else -1))
        radius = (3.05 if low else 2.85) + rng.uniform(-0.15, 0.15)
        high = (1.05 if low else 1.95) + rng.uniform(-0.1, 0.1)
        centre = np.array([radius * np.cos(angle), radius * np.sin(angle), high])
        target = np.array([0, 0.05, 0.5]) + rng.uniform(-0.06, 0.06, 3)
        forward = (target - centre) / np.linalg.norm(target - centre)
        right = np.cross(forward, [0, 0, 1]) + rng.normal(0, 0.015, 3)
        right -= forward * (right @ forward)
        right /= np.linalg.norm(right)
        matrix = np.eye(4)
        matrix[:3, :3] = np.stack([right, np.cross(forward, right), forward])
        matrix[:3, 3] = -matrix[:3, :3] @ centre
        out.append(matrix)
    return out


class Stage:
    """The lit scene, ready to be photographed."""

    def __init__(self, mesh: o3d.geometry.TriangleMesh) -> None:
        self.vertices = np.asarray(mesh.vertices).astype(np.float32)
        self.faces = np.asarray(mesh.triangles)
        self.normals = gradient(self.vertices, 0.004).astype(np.float32)
        self.material = ruin.distance(self.vertices[self.faces].mean(1))[1]
        self.rays = o3d.t.geometry.RaycastingScene()
        self.rays.add_triangles(
            o3d.core.Tensor(self.vertices), o3d.core.Tensor(self.faces.astype(np.uint32))
        )
        self.openness = self._openness()

    def _openness(self) -> np.ndarray:
        """Share of the sky that each vertex sees, weighted by the cosine."""
        rng = np.random.default_rng(3)
        total = np.zeros(len(self.vertices), np.float32)
        rounds = 96
        for _ in range(rounds):
            ball = rng.normal(size=self.vertices.shape)
            ball /= np.linalg.norm(ball, axis=1, keepdims=True)
            toward = self.normals + ball * 0.999
            toward /= np.linalg.norm(toward, axis=1, keepdims=True)
            total += ~self._blocked(self.vertices + self.normals * 0.004, toward, 0.9)
        return total / rounds

    def _blocked(self, start: np.ndarray, toward: np.ndarray, reach: float) -> np.ndarray:
        rays = np.concatenate([start, toward], 1).astype(np.float32)
        return self.rays.test_occlusions(o3d.core.Tensor(rays), tfar=reach).numpy()

    def shade(self, start: np.ndarray, toward: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Linear RGB of every ray."""
        rays = np.concatenate([np.broadcast_to(start, toward.shape), toward], 1).astype(np.float32)
        hit = self.rays.cast_rays(o3d.core.Tensor(rays))
        face = hit["primitive_ids"].numpy()
        colour = backdrop(toward)
        rows = np.flatnonzero(face != self.rays.INVALID_ID)
        if not len(rows):
            return colour
        corner = self.faces[face[rows]]
        u, v = hit["primitive_uvs"].numpy()[rows].T
        share = np.stack([1 - u - v, u, v], 1)[..., None]
        point = rays[rows, :3] + hit["t_hit"].numpy()[rows, None] * rays[rows, 3:]
        flat = hit["primitive_normals"].numpy()[rows]
        flat *= -np.sign((flat * rays[rows, 3:]).sum(1, keepdims=True))
        smooth = (self.normals[corner] * share).sum(1)
        normal = smooth + flat * np.clip(0.15 - (smooth * flat).sum(1, keepdims=True), 0, None)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        open_sky = (self.openness[corner] * share[..., 0]).sum(1)
        relief = ruin.relief(point)
        albedo = ruin.paint(point, self.material[face[rows]], normal, open_sky)
        bumped = normal.copy()
        for axis in np.eye(3, dtype=np.float32):
            slope = (ruin.relief(point + 0.002 * axis) - relief) / 0.002
            bumped -= 0.8 * slope[:, None] * axis
        bumped -= normal * ((bumped * normal).sum(1, keepdims=True) - 1)
        bumped /= np.linalg.norm(bumped, axis=1, keepdims=True)
        towards_sun = SUN + rng.normal(0, 0.012, point.shape)
        lit = np.clip(bumped @ SUN, 0, None) * (flat @ SUN > 0)
        lit[lit > 0] *= ~self._blocked(
            (point + flat * 0.003)[lit > 0], towards_sun[lit > 0], np.inf
        )
        up = 0.5 + 0.5 * bumped[:, 2]
        ambient = SKY_RGB * (open_sky * up)[:, None]
        ambient = ambient + BOUNCE_RGB * ((1.3 - 0.6 * up) * (0.35 + 0.65 * open_sky))[:, None]
        colour[rows] = albedo * (SUN_RGB * lit[:, None] + ambient)
        return colour


def backdrop(toward: np.ndarray) -> np.ndarray:
    """A garden far away and out of focus."""
    toward = toward / np.linalg.norm(toward, axis=1, keepdims=True)
    up = toward[:, 2]
    soft = ruin.octaves(toward.astype(np.float32), 0.35, 2, 7)
    sky = np.float32([0.62, 0.76, 0.95]) * (1.1 - 0.3 * np.clip(up, 0, 1))[:, None]
    trees = np.float32([0.1, 0.15, 0.06]) * (1.2 + 0.6 * soft)[:, None]
    lawn = np.float32([0.27, 0.29, 0.16]) * (1.1 + 0.25 * soft)[:, None]
    leafy = 1 / (1 + np.exp((up - 0.2 - 0.12 * soft) / 0.02))
    grassy = 1 / (1 + np.exp((up + 0.06) / 0.025))
    return ruin.mix(ruin.mix(sky, trees, leafy), lawn, grassy).astype(np.float32)


def photograph(stage: Stage, cam_from_world: np.ndarray, scale: float, seed: int) -> Image.Image:
    """One photo: 3x3 samples a pixel, lens falloff, exposure, sensor noise, tone curve."""
    rng = np.random.default_rng(seed)
    width, height, focal = round(WIDTH_PX * scale), round(HEIGHT_PX * scale), FOCAL_PX * scale
    centre = -cam_from_world[:3, :3].T @ cam_from_world[:3, 3]
    image = np.empty((height, width, 3), np.float32)
    offsets = (np.arange(3) + 0.5) / 3
    columns = ((np.arange(width)[:, None] + offsets).ravel() - width / 2) / focal
    for top in range(0, height, 32):
        rows = np.arange(top, min(top + 32, height))
        lines = ((rows[:, None] + offsets).ravel() - height / 2) / focal
        x, y = np.meshgrid(columns, lines)
        toward = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3) @ cam_from_world[:3, :3]
        light = stage.shade(centre, toward, rng).reshape(len(rows), 3, width, 3, 3)
        image[rows] = light.mean(axis=(1, 3))
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    image *= (1 - 0.07 * (x**2 + y**2))[..., None] * EXPOSURE * rng.uniform(0.9, 1.08)
    image = np.clip(image + rng.normal(size=image.shape) * 0.012 * np.sqrt(image + 0.01), 0, None)
    return Image.fromarray(developed(image))


def developed(light: np.ndarray) -> np.ndarray:
    """8-bit sRGB of linear light, through a film-like curve (ACES, Narkowicz)."""
    toned = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return np.round(255 * np.clip(toned, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def true_texture(stage: Stage, cam_from_world: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Random points of the surface and their colours, without lens, exposure and noise.

    Each colour is the mean over a patch as wide as a pixel of a photo taken 3 m away: finer
    detail than that is in no photo. Only points that two or more photos see.
    """
    rng = np.random.default_rng(4)
    corners = stage.vertices[stage.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    face = rng.choice(len(area), 2 * TEXTURE_POINTS, p=area / area.sum())
    share = rng.dirichlet([1, 1, 1], len(face))[..., None]
    points = (corners[face] * share).sum(1).astype(np.float32)
    normal = cross[face] / area[face, None]
    seen = np.zeros(len(points), int)
    for pose in cam_from_world:
        centre = -pose[:3, :3].T @ pose[:3, 3]
        toward = (centre - points).astype(np.float32)
        inside = points @ pose[:3, :3].T + pose[:3, 3]
        u, v = (FOCAL_PX * inside[:, :2] / inside[:, 2:]).T
        inside = (np.abs(u) < WIDTH_PX / 2) & (np.abs(v) < HEIGHT_PX / 2) & (inside[:, 2] > 0)
        facing = (toward * normal).sum(1) > 0.2 * np.linalg.norm(toward, axis=1)
        start = points + normal.astype(np.float32) * 0.003
        seen += inside & facing & ~stage._blocked(start, toward, 1.0)
    kept = np.flatnonzero(seen >= 2)[:TEXTURE_POINTS]
    points, normal = points[kept], normal[kept]
    across = np.cross(normal, np.eye(3)[np.abs(normal).argmin(1)])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    along = np.cross(normal, across)
    light = np.zeros(points.shape)
    count = 25
    for _ in range(count):
        shift = rng.uniform(-0.5, 0.5, (len(points), 2)) * 3 / FOCAL_PX
        start = points + across * shift[:, :1] + along * shift[:, 1:] + normal * 0.01
        light += stage.shade(start, -normal, rng) / count
    # 0.99 is the mean of the photos' exposures.
    return points, developed(light * EXPOSURE * 0.99)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", type=int, nargs="*", help="render just these, to look at")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    photos, truth = options.out / "photos", options.out / "truth"
    for folder in (photos, truth):
        folder.mkdir(parents=True, exist_ok=True)

    mesh = build_mesh()
    vertices = np.asarray(mesh.vertices).astype(np.float32)
    surface = trimesh.Trimesh(vertices, np.asarray(mesh.triangles), process=False)
    surface.export(truth / "truth_mesh.ply")
    stage = Stage(mesh)
    true_cameras = {}
    for index, cam_from_world in enumerate(cameras(options.photos)):
        name = f"ruin_{index:02d}.jpg"
        true_cameras[name] = {"cam_from_world": cam_from_world.round(9).tolist()}
        if options.only is None or index in options.only:
            photo = photograph(stage, cam_from_world, options.scale, 100 + index)
            photo.save(photos / name, quality=92)
            print(f"{name}  {(photos / name).stat().st_size / 1000:.0f} kB", flush=True)
    points, rgb = true_texture(stage, cameras(options.photos))
    np.savez_compressed(truth / "texture.npz", points=points, rgb=rgb)
    size = {"width": WIDTH_PX, "height": HEIGHT_PX, "cx": WIDTH_PX / 2, "cy": HEIGHT_PX / 2}
    lens = {"fx": FOCAL_PX, "fy": FOCAL_PX, "distortion": []}
    (photos / "K.json").write_text(json.dumps(size | lens, indent=1) + "\n")
    content = {"unit": "metre", **true_cameras}
    (truth / "cameras.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
