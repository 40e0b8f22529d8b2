"""Neper tessellations (.tess 2.0): exact cells as vertices, edges, faces and polyhedra, for samples of flat cells.

Layout after Neper's reference manual, "Tessellation File". Periodic cells are whole and may reach out of the box, as
Neper's are; **periodicity says which vertices, edges and faces are images of which. The points of a walled box name the
domain's corners, edges and faces that they lie on. Lengths in µm; orientations as in .tesr.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from microgen.io.grain_volume import grain_volume
from microgen.meshing.polyhedra import Polyhedra, check_flat, polyhedra
from microgen.microstructure import Microstructure

NAME = "neper-tess"
SUFFIXES = (".tess",)
NEEDS = ("volume", "grains", "flat cells")

_CRYSYM = {"-1": "triclinic", "m-3m": "cubic", "6/mmm": "hexagonal"}


def check(ms: Microstructure) -> None:
    """Raises InvalidParameter for samples of curved cells."""
    check_flat(ms)


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: the cells themselves, with seeds, weights and orientations; no voxels."""
    return frozenset({"grain_orientations", "diagram", "volumes", "periodic"})


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the cells of a sample made with cells laguerre. Raises InvalidParameter for other samples."""
    mesh, volume = polyhedra(ms), grain_volume(ms, "Neper")
    edges = Edges(mesh)
    with open(path, "w", encoding="ascii") as file:
        kind = "periodic" if any(mesh.periodic) else "standard"
        file.write(f"***tess\n **format\n   2.0\n **general\n   3 {kind}\n")
        groups = {phase.laue_group for phase in volume.phases}
        file.writelines(_cells(mesh, volume.orientation, groups.pop() if len(groups) == 1 else ""))
        file.writelines(_complex(mesh, edges))
        file.writelines(_domain(mesh, edges))
        if any(mesh.periodic):
            file.writelines(_periodicity(mesh, edges))
        file.write("***end\n")


class Edges:
    """Edges 1.. of a complex, each from its lower point to its higher one."""

    def __init__(self, mesh: Polyhedra):
        self.number: dict[tuple[int, int], int] = {}
        self.of_face = [[self._signed(a, b) for a, b in zip(f, f[1:] + f[:1])] for f in mesh.faces]
        self.ends = list(self.number)

    def _signed(self, a: int, b: int) -> int:
        key = (a, b) if a < b else (b, a)
        number = self.number.setdefault(key, len(self.number) + 1)
        return number if a < b else -number


def _words(values: object) -> str:
    return " ".join(map(str, values))  # type: ignore[call-overload]


def _reals(values: np.ndarray) -> str:
    return " ".join(f"{v:.15g}" for v in values.tolist())


def _cells(mesh: Polyhedra, orientation: np.ndarray, laue: str) -> Iterator[str]:
    n = len(mesh.sites)
    yield f" **cell\n   {n}\n  *id\n"
    yield from (f"   {_words(range(k + 1, min(k + 12, n) + 1))}\n" for k in range(0, n, 12))
    if laue:
        yield f"  *crysym\n   {_CRYSYM.get(laue, laue)}\n"
    yield "  *seed\n"
    # Neper's Laguerre weights are lengths that enter squared; ours may be below zero, and only differences count.
    radii = np.sqrt(mesh.weights - mesh.weights.min())
    yield from (f"   {k + 1} {_reals(x)} {w:.15g}\n" for k, (x, w) in enumerate(zip(mesh.sites, radii.tolist())))
    yield "  *ori\n   quaternion:active\n"
    yield from (f"   {_reals(q)}\n" for q in orientation)


def _complex(mesh: Polyhedra, edges: Edges) -> Iterator[str]:
    yield f" **vertex\n   {len(mesh.points)}\n"
    yield from (f"   {k + 1} {_reals(x)} 0\n" for k, x in enumerate(mesh.points))
    yield f" **edge\n   {len(edges.ends)}\n"
    yield from (f"   {k + 1} {a + 1} {b + 1} 0\n" for k, (a, b) in enumerate(edges.ends))
    yield f" **face\n   {len(mesh.faces)}\n"
    for k, (face, around) in enumerate(zip(mesh.faces, edges.of_face)):
        normal, height = _plane(mesh.points[list(face)])
        yield f"   {k + 1} {len(face)} {_words(p + 1 for p in face)}\n     {len(around)} {_words(around)}\n"
        yield f"     {height:.15g} {_reals(normal)}\n     0 0 0 0 0\n"
    yield f" **polyhedron\n   {len(mesh.sites)}\n"
    for k, bounds in enumerate(mesh.bounds):
        yield f"   {k + 1} {len(bounds)} {_words(sign * (f + 1) for f, sign in bounds)}\n"


def _plane(corners: np.ndarray) -> tuple[np.ndarray, float]:
    """Unit normal and height of a face, by its area vector."""
    middle = corners.mean(axis=0)
    normal = np.cross(corners - middle, np.roll(corners, -1, axis=0) - middle).sum(axis=0)
    normal /= np.linalg.norm(normal)
    return normal, float(normal @ middle)


def _domain(mesh: Polyhedra, edges: Edges) -> Iterator[str]:
    """The box: corners, edges and faces, each with what of the cells lies on it (nothing where it is periodic)."""
    box = np.array(mesh.lengths)
    near = 1e-6 * float(box.min()) / len(mesh.sites)
    walls = [(a, u) for a in range(3) for u in (0, 1)]
    there = {(a, u): np.abs(mesh.points[:, a] - u * box[a]) < near for a, u in walls if not mesh.periodic[a]}
    none = np.zeros(len(mesh.points), bool)

    def on(*walls: tuple[int, int]) -> np.ndarray:
        return np.logical_and.reduce([there.get(wall, none) for wall in walls])

    corners: list[tuple[int, ...]] = list(product((0, 1), repeat=3))
    yield "\n".join([" **domain", "  *general", "   cube", "  *vertex", "   8", ""])
    for k, side in enumerate(corners):
        found = np.flatnonzero(on(*enumerate(side)))
        yield f"   {k + 1} {_reals(np.array(side) * box)} {_label(enumerate(side))}\n"
        yield f"     1 {found[0] + 1 if len(found) else 0}\n"
    lines = [(v, w) for i, v in enumerate(walls) for w in walls[i + 1 :] if v[0] != w[0]]
    yield f"  *edge\n   {len(lines)}\n"
    ends = np.array(edges.ends)
    for k, pair in enumerate(lines):
        tips = [c + 1 for c, side in enumerate(corners) if all(side[a] == u for a, u in pair)]
        mine = np.flatnonzero(on(*pair)[ends].all(axis=1)) + 1
        yield f"   {k + 1} 2 {_words(tips)}\n     {_label(pair)}\n     {_words([len(mine), *mine])}\n"
    yield "  *face\n   6\n"
    for k, (axis, upper) in enumerate(walls):
        yield from _wall(mesh, k, axis, upper, corners, lines)


def _wall(
    mesh: Polyhedra, k: int, axis: int, upper: int, corners: list[tuple[int, ...]], lines: list[tuple]
) -> Iterator[str]:
    mine = [c for c, side in enumerate(corners) if side[axis] == upper]
    ring = [mine[0], mine[1], mine[3], mine[2]]
    sides = []
    for a, b in zip(ring, ring[1:] + ring[:1]):
        shared = {(ax, corners[a][ax]) for ax in range(3) if corners[a][ax] == corners[b][ax]}
        sides.append(next(e + 1 for e, pair in enumerate(lines) if set(pair) == shared))
    faces = np.flatnonzero(mesh.cells[:, 1] == -1 - 2 * axis - upper) + 1
    normal = np.eye(3)[axis] * (2 * upper - 1)
    yield f"   {k + 1} 4 {_words(c + 1 for c in ring)}\n     4 {_words(sides)}\n     plane\n"
    yield f"     4 {upper * mesh.lengths[axis]:.15g} {_reals(normal)}\n     {_label([(axis, upper)])}\n"
    yield f"     {_words([len(faces), *faces])}\n"


def _label(walls: object) -> str:
    return "".join(f"{'xyz'[a]}{u}" for a, u in walls)  # type: ignore[attr-defined]


def _periodicity(mesh: Polyhedra, edges: Edges) -> Iterator[str]:
    """Secondary vertices, edges and faces: images of the first of their kind, moved by whole boxes."""
    wraps = np.array(mesh.periodic)
    yield " **periodicity\n  *general\n"
    yield f"   {_words(wraps.astype(int))}\n   {_reals(np.where(wraps, mesh.lengths, 0.0))}\n"
    n, moves = len(mesh.sites), product(*((-1, 0, 1) if p else (0,) for p in mesh.periodic))
    images = [(k, m) for m in moves if any(m) for k in range(n)]
    yield f"  *seed\n   {len(images)}\n"
    yield from (f"   {n + 1 + row} {k + 1} {_words(m)}\n" for row, (k, m) in enumerate(images))
    kinds = {
        "vertex": [(p,) for p in range(len(mesh.points))],
        "edge": edges.ends,
        "face": mesh.faces,
    }
    for name, pieces in kinds.items():
        rows = list(_images(mesh.image, pieces, name))
        yield f"  *{name}\n   {len(rows)}\n"
        yield from (f"   {_words(row)}\n" for row in rows)


def _images(image: np.ndarray, pieces: list | tuple, name: str) -> Iterator[list[int]]:
    """Number of a piece, of the first piece that it is an image of, boxes between them; for edges and faces 1 or -1."""
    first: dict[tuple, tuple[int, np.ndarray, list[int]]] = {}
    for k, piece in enumerate(pieces):
        told = image[list(piece)]
        order = np.lexsort(told.T[::-1])
        base = told[order[0], 1:]
        key = tuple(np.sort(told[:, 0]).tolist()), tuple((told[order, 1:] - base).ravel().tolist())
        ring = [*told[:, 0].tolist()]
        if key not in first:
            first[key] = k, base, ring
            continue
        primary, at, lead = first[key]
        row = [k + 1, primary + 1, *(base - at).tolist()]
        yield row if name == "vertex" else [*row, 1 if _same_way(ring, lead) else -1]


def _same_way(ring: list[int], other: list[int]) -> bool:
    """Do both name the same points in the same sense? Edges have a first point, faces have none."""
    if len(ring) == 2:
        return ring == other
    k = other.index(ring[0])
    return other[(k + 1) % len(other)] == ring[1]
