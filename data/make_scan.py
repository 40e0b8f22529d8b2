"""Makes dual_phase.ang, a synthetic EBSD scan of a duplex steel, and dual_phase.truth.json, what is true of it.

A section through a 3-D anisotropic power diagram: lognormal ellipsoids are packed with a hard core, each point belongs
to the ellipsoid i of least (y - x_i)^T A_i (y - x_i), and every point is evaluated against every ellipsoid. Phases and
orientations are drawn per grain. The scan adds what a microscope does: orientation noise and points not indexed, most
of them at grain boundaries. One seed, plain NumPy: each run writes the same file.

    python data/make_scan.py [FOLDER]
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np

from microgen import Grid, Microstructure, Phase
from microgen.io import ang
from microgen.orientation import multiply, random_orientations
from microgen.provenance import sha256

SEED = 20240
SHAPE, STEP = (192, 168), 0.5  # µm
MARGIN = 12.0  # µm of material around the map, so that grains at its border are as large as others
DIAMETER, CV, ASPECT = 6.4, 0.35, 1.4  # µm; lognormal, long axis against the two short ones
AXIS_SPREAD = math.radians(20)  # of the long axes about x
PHASES = (
    Phase("Austenite", "m-3m", (3.6, 3.6, 3.6, 90.0, 90.0, 90.0)),
    Phase("Ferrite", "m-3m", (2.87, 2.87, 2.87, 90.0, 90.0, 90.0)),
)
FERRITE = 0.4
NOISE = math.radians(0.3)  # root mean square of the orientation error
LOST_AT_BOUNDARIES, LOST_INSIDE = 0.06, 0.003
HARD_CORE = 0.75  # of the sum of two radii
VOXEL = 1.0  # µm; of the grid on which the volumes of the grains are counted


def main(folder: Path) -> None:
    rng = np.random.default_rng(SEED)
    lengths = np.array([SHAPE[0] * STEP, SHAPE[1] * STEP, 0.0]) + 2 * MARGIN
    diameters = draw_diameters(rng, lengths)
    sites = pack(rng, diameters, lengths)
    metrics = draw_metrics(rng, diameters)
    phase = draw_phases(rng, diameters)
    orientation = random_orientations(len(sites), rng)

    grid = Grid(SHAPE, (STEP, STEP), origin=(-STEP / 2, -STEP / 2))
    plane = np.column_stack([grid.points() + MARGIN, np.full(grid.size, MARGIN)])
    labels = nearest(plane, sites, metrics).reshape(SHAPE)
    scan, lost = measure(rng, grid, labels, phase=phase, orientation=orientation)

    path = folder / "dual_phase.ang"
    ang.write(scan, path)
    truth = describe(labels, phase, lost) | {"solid": solid(sites, metrics, lengths), "sha256": sha256(path)}
    text = json.dumps(truth, indent=2, ensure_ascii=False)
    (folder / "dual_phase.truth.json").write_text(text + "\n", encoding="utf-8")
    print(f"{path}: {truth['points']} points, {truth['grains']} grains, {path.stat().st_size / 1e6:.2f} MB")


def draw_diameters(rng: np.random.Generator, lengths: np.ndarray) -> np.ndarray:
    """Lognormal diameters, largest first, of spheres that fill the box."""
    sigma = math.sqrt(math.log1p(CV**2))
    mean_volume = math.pi / 6 * DIAMETER**3 * (1 + CV**2) ** 3
    count = round(float(np.prod(lengths)) / mean_volume)
    drawn = DIAMETER * np.exp(sigma * rng.standard_normal(count) - sigma**2 / 2)
    return np.sort(drawn)[::-1]


def pack(rng: np.random.Generator, diameters: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Centres, none closer to another than the hard core; the best of 200 trials where all fail."""
    sites = np.empty((len(diameters), 3))
    for k, diameter in enumerate(diameters):
        trials = rng.random((200, 3)) * lengths
        gaps = np.linalg.norm(trials[:, None] - sites[None, :k], axis=-1) / (diameter + diameters[:k]) * 2
        clearance = gaps.min(axis=1) if k else np.full(200, np.inf)
        free = np.flatnonzero(clearance >= HARD_CORE)
        sites[k] = trials[free[0] if len(free) else clearance.argmax()]
    return sites


def draw_metrics(rng: np.random.Generator, diameters: np.ndarray) -> np.ndarray:
    """A = R^T diag(1 / semi-axis²) R, long axis near x."""
    tilt = rng.normal(0, AXIS_SPREAD, (len(diameters), 2))
    axis = np.column_stack([np.ones(len(diameters)), tilt])
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    along = axis[:, :, None] * axis[:, None, :]
    # Semi-axes a and a/ASPECT of an ellipsoid with the volume of the sphere.
    long = diameters / 2 * ASPECT ** (2 / 3)
    short = long / ASPECT
    return along / long[:, None, None] ** 2 + (np.eye(3) - along) / short[:, None, None] ** 2


def draw_phases(rng: np.random.Generator, diameters: np.ndarray) -> np.ndarray:
    """Phase of each grain, so that ferrite has its share of the volume."""
    order = rng.permutation(len(diameters))
    share = np.cumsum(diameters[order] ** 3) / np.sum(diameters**3)
    phase = np.zeros(len(diameters), np.int16)
    phase[order[share <= FERRITE]] = 1
    return phase


def nearest(points: np.ndarray, sites: np.ndarray, metrics: np.ndarray) -> np.ndarray:
    """Index of the ellipsoid of least cost at each point, all against all."""
    ones = np.ones(len(points))
    x, y, z = points.T
    monomials = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z, -2 * x, -2 * y, -2 * z, ones])
    linear = np.einsum("nij,nj->ni", metrics, sites)
    constant = np.einsum("ni,ni->n", linear, sites)
    a = metrics
    quadratic = np.stack([a[:, 0, 0], a[:, 1, 1], a[:, 2, 2], a[:, 0, 1], a[:, 0, 2], a[:, 1, 2]], axis=1)
    costs = np.column_stack([quadratic, linear, constant])
    pieces = np.array_split(monomials, max(1, len(points) // 5000), axis=1)
    return np.concatenate([(costs @ piece).argmin(axis=0) for piece in pieces])


def measure(
    rng: np.random.Generator, grid: Grid, labels: np.ndarray, *, phase: np.ndarray, orientation: np.ndarray
) -> tuple[Microstructure, np.ndarray]:
    """The scan a microscope would take, and which points are not indexed."""
    turn = rng.normal(0, NOISE / math.sqrt(3), (*grid.shape, 3)) / 2
    noise = np.concatenate([np.ones((*grid.shape, 1)), turn], axis=-1)
    measured = multiply(noise / np.linalg.norm(noise, axis=-1, keepdims=True), orientation[labels])
    around = np.pad(labels, 1, mode="edge")
    beside = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    boundary = np.any([labels != other for other in beside], axis=0)
    lost = rng.random(grid.shape) < np.where(boundary, LOST_AT_BOUNDARIES, LOST_INSIDE)
    phase_id = np.where(lost, -1, phase[labels]).astype(np.int16)
    return Microstructure(grid, phase_id, phases=PHASES, orientation=measured), lost


def describe(labels: np.ndarray, phase: np.ndarray, lost: np.ndarray) -> dict[str, object]:
    """What is true of the section, before noise and loss."""
    area = np.bincount(labels.ravel(), minlength=len(phase)) * STEP**2
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    inside = np.setdiff1d(np.flatnonzero(area >= 10 * STEP**2), edge)
    diameter = 2 * np.sqrt(area[inside] / math.pi)
    return {
        "seed": SEED,
        "points": labels.size,
        "step_um": STEP,
        "not_indexed": int(lost.sum()),
        "orientation_noise_deg": math.degrees(NOISE),
        "grains": int(np.count_nonzero(area >= 10 * STEP**2)),
        "interior_grains": len(inside),
        "interior_diameter_um": {"mean": float(diameter.mean()), "sd": float(diameter.std(ddof=1))},
        "phase_fraction": {p.name: float(np.mean(phase[labels] == k)) for k, p in enumerate(PHASES)},
        "note": "grains of 10 points and more in the noise-free section; interior ones do not touch its border",
    }


def solid(sites: np.ndarray, metrics: np.ndarray, lengths: np.ndarray) -> dict[str, object]:
    """Volumes of the grains that lie inside the packed box, by counting voxels."""
    grid = Grid(tuple(round(length / VOXEL) for length in lengths), (VOXEL,) * 3)
    labels = nearest(grid.points(), sites, metrics).reshape(grid.shape)
    faces = [labels.take(end, axis).ravel() for axis in range(3) for end in (0, -1)]
    volume = np.bincount(labels.ravel(), minlength=len(sites)) * grid.cell_measure
    inside = np.setdiff1d(np.flatnonzero(volume > 0), np.unique(np.concatenate(faces)))
    diameter = np.cbrt(6 / math.pi * volume[inside])
    return {
        "grains": len(inside),
        "equivalent_diameter_um": {"mean": float(diameter.mean()), "cv": float(diameter.std(ddof=1) / diameter.mean())},
        "aspect_ratio_of_metrics": ASPECT,
        "long_axis": "x",
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
