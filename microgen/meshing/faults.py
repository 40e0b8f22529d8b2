"""Where a surface made by anyone is not closed: open, crowded and flipped edges, counted and named by place."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from microgen.meshing.mesh import TriangleMesh

FIRST = 5
"""Places named of each fault."""
NEEDLE = 1e-6
"""Height over longest side below which a triangle has no area: about what float32 can tell."""


@dataclass(frozen=True, eq=False)
class Faults:
    """What keeps a surface from being that of a solid. Corners are those with different coordinates."""

    open_edges: int
    """Edges of one triangle: the rim of a hole."""
    crowded_edges: int
    """Edges of three or more triangles."""
    flipped_edges: int
    """Edges of two triangles that turn opposite ways."""
    pinched_corners: int
    """Corners in which several sheets of the surface touch."""
    degenerate_triangles: int
    """Without area."""
    duplicate_triangles: int
    """Those that are there again."""
    where: dict[str, list[list[float]]] = field(default_factory=dict)
    """Fault -> the middles of its first few edges, corners or triangles, mm."""

    @property
    def watertight(self) -> bool:
        """Every edge has two triangles."""
        return self.open_edges == self.crowded_edges == 0

    @property
    def oriented(self) -> bool:
        """Closed, and the triangles agree on what is outside."""
        return self.watertight and self.flipped_edges == 0


def collapsed(mesh: TriangleMesh) -> np.ndarray:
    """bool [m]: triangles two of whose corners are one, which no edge needs."""
    a, b, c = mesh.triangles.T
    return (a == b) | (b == c) | (c == a)


def faults(mesh: TriangleMesh) -> Faults:
    """Count the faults of a surface whose corners are welded (`body.welded`)."""
    gone = collapsed(mesh)
    flat = gone | _needles(mesh)
    t = mesh.triangles[~gone]
    edges, which, ahead = _edges(t, len(mesh.points))
    count = np.bincount(which, minlength=len(edges))
    forward = np.bincount(which, ahead, minlength=len(edges))
    kinds = {"open": count == 1, "crowded": count > 2, "flipped": (count == 2) & (forward != 1)}
    again = _again(t)
    pinched = _pinched(t, which, count, len(mesh.points))
    where = {name: mesh.points[edges[np.flatnonzero(bad)[:FIRST]]].mean(axis=1) for name, bad in kinds.items()}
    where["pinched"] = mesh.points[pinched[:FIRST]]
    where["degenerate"] = mesh.points[mesh.triangles[np.flatnonzero(flat)[:FIRST]]].mean(axis=1)
    where["duplicate"] = mesh.points[t[again[:FIRST]]].mean(axis=1)
    return Faults(
        *(int(np.count_nonzero(bad)) for bad in kinds.values()),
        pinched_corners=len(pinched),
        degenerate_triangles=int(np.count_nonzero(flat)),
        duplicate_triangles=len(again),
        where={name: places.tolist() for name, places in where.items() if len(places)},
    )


def told(found: Faults) -> list[str]:
    """The faults that leave a surface open, in words, with the first place of each; none of a closed one."""
    kinds = {
        "open": (found.open_edges, "open edge", "with one triangle"),
        "crowded": (found.crowded_edges, "edge", "with three or more triangles"),
        "flipped": (found.flipped_edges, "edge", "between triangles that turn opposite ways"),
    }
    return [
        f"{number} {noun}{'s' * (number != 1)} {what}, the first at ({', '.join(f'{x:.5g}' for x in place)}) mm"
        for name, (number, noun, what) in kinds.items()
        for place in found.where.get(name, [])[:1]
    ]


def _edges(t: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges [k, 2]; which one each side of each triangle is (int [3m]: sides 01, 12, 20), and if it runs along it."""
    i, j = t.ravel().astype(np.int64), np.roll(t, -1, axis=1).ravel().astype(np.int64)
    keys, which = np.unique(np.minimum(i, j) * n + np.maximum(i, j), return_inverse=True)
    return np.stack(np.divmod(keys, max(n, 1)), axis=1), which, i < j


def _needles(mesh: TriangleMesh) -> np.ndarray:
    corners = mesh.points[mesh.triangles]
    sides = corners - np.roll(corners, 1, axis=1)
    longest = (sides**2).sum(axis=2).max(axis=1)
    return np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) <= NEEDLE * longest


def _again(t: np.ndarray) -> np.ndarray:
    """Rows of triangles whose three corners an earlier one has too."""
    ordered = np.ascontiguousarray(np.sort(t, axis=1))
    order = np.lexsort(ordered.T)
    same = (ordered[order][1:] == ordered[order][:-1]).all(axis=1)
    return np.sort(order[1:][same])


def _pinched(t: np.ndarray, which: np.ndarray, count: np.ndarray, n: int) -> np.ndarray:
    """Corners with more than one fan: triangles round a corner belong together where they share an edge at it."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(t):
        return np.zeros(0, int)
    side = np.argsort(which, kind="stable")
    pairs = side[np.repeat(count == 2, count)].reshape(-1, 2)
    # Side k of a triangle goes from its corner k to k + 1; number the corners of all triangles 3 row + k.
    ends = np.stack([pairs, pairs - pairs % 3 + (pairs + 1) % 3])
    corner = t.ravel()
    a, b = ends[..., 0], ends[..., 1]
    swap = corner[a[0]] != corner[b[0]]
    b = np.where(swap, b[::-1], b)
    graph = coo_array((np.ones(a.size, bool), (a.ravel(), b.ravel())), shape=(t.size, t.size))
    _, fan = connected_components(graph, directed=False)
    _, first = np.unique(fan, return_index=True)
    return np.flatnonzero(np.bincount(corner[first], minlength=n) > 1)
