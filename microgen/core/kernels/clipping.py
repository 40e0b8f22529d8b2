"""A convex polyhedron that is cut by planes, kept by its dual.

Each vertex is a triple of planes, in the order that makes their normals right-handed; a cut takes away the vertices
beyond the plane and joins the rim of the hole to it (Ray, Sokolov, Lefebvre and Lévy, Meshless Voronoi on the GPU, ACM
Trans. Graph. 2018). More than three planes through a point are as many vertices in one place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgen.compiled import compiled, inner

SLACK = 1e-12  # depth of a cut, in parts of the cell's reach, that is rounding: sites on a lattice touch in points
SLACKEST = 1e-7  # no rounding goes as deep: the sites cannot be told apart
FULL, TANGLED = 1, 2  # what ended a cell: more planes than there is room for; a cut whose rim is no ring


class Cell(NamedTuple):
    """A cell while it is cut; in `size` are the numbers of planes and vertices, and room for counting."""

    size: np.ndarray  # int64 [2]: planes, vertices
    normal: np.ndarray  # float64 [planes, 3]: to the other site
    height: np.ndarray  # float64 [planes]: the plane is where normal·z = height
    owner: np.ndarray  # int64 [planes]
    shift: np.ndarray  # int64 [planes, 3]
    triple: np.ndarray  # int64 [vertices, 3]
    position: np.ndarray  # float64 [vertices, 3]
    beyond: np.ndarray  # float64 [vertices]: how far each vertex lies beyond the plane in hand
    at: np.ndarray  # int64 [planes, planes]: the vertex whose triple has plane b after plane a
    after: np.ndarray  # int64 [planes]: the rim of the hole, -1 where a plane is not on it
    kept: np.ndarray  # float64 [planes, 3]: new vertices, by the plane that their rim's edge starts from


@inner
def new_cell(planes):
    return Cell(
        np.zeros(2, np.int64),
        np.zeros((planes, 3)),
        np.zeros(planes),
        np.zeros(planes, np.int64),
        np.zeros((planes, 3), np.int64),
        np.zeros((2 * planes, 3), np.int64),
        np.zeros((2 * planes, 3)),
        np.zeros(2 * planes),
        np.zeros((planes, planes), np.int64),
        np.full(planes, -1, np.int64),
        np.zeros((planes, 3)),
    )


@inner
def start(cell, site, row, lengths, periodic):
    """The box: half a period to either side of the site, or up to the walls; exact, as images of a site weigh alike."""
    cell.size[0], cell.size[1] = 6, 8
    far = np.zeros((3, 2))
    for axis in range(3):
        for upper in range(2):
            k, sign = 2 * axis + upper, 2 * upper - 1
            length = lengths[axis]
            cell.normal[k] = 0.0
            cell.shift[k] = 0
            if periodic[axis]:
                cell.normal[k, axis] = sign * length
                cell.height[k] = 0.5 * length * length
                cell.owner[k], cell.shift[k, axis] = row, sign
                far[axis, upper] = sign * 0.5 * length
            else:
                cell.normal[k, axis] = sign
                x = site[axis]
                cell.height[k] = length - x if upper else x
                cell.owner[k] = -1 - k
                far[axis, upper] = length - x if upper else -x
    for corner in range(8):
        side = (corner >> 2) & 1, (corner >> 1) & 1, corner & 1
        a, b, c = side[0], 2 + side[1], 4 + side[2]
        if (side[0] + side[1] + side[2]) % 2 == 0:  # an even number of mirrors away from (upper, upper, upper) ...
            b, c = c, b
        _set(cell, corner, a, b, c)
        for axis in range(3):
            cell.position[corner, axis] = far[axis, side[axis]]


@inner
def _set(cell, vertex, a, b, c):
    cell.triple[vertex, 0], cell.triple[vertex, 1], cell.triple[vertex, 2] = a, b, c
    cell.at[a, b] = cell.at[b, c] = cell.at[c, a] = vertex


@inner
def _rim(cell, slack):
    """Mark in `after` the ring of planes around the vertices beyond the slack; its length, 0 for none, -1 for no ring.

    A vertex is made where each edge of the ring crosses the plane, between the vertices at the edge's ends, so that no
    rounding can throw it out of the cell.
    """
    after, count, start = cell.after, 0, -1
    good = True
    for v in range(cell.size[1]):
        if cell.beyond[v] <= slack:
            continue
        for k in range(3):
            a, b = cell.triple[v, k], cell.triple[v, (k + 1) % 3]
            inner = cell.at[b, a]
            if cell.beyond[inner] > slack:
                continue
            if after[a] >= 0:
                good = False
            after[a], start = b, a
            count += 1
            near, far = min(cell.beyond[inner], 0.0), cell.beyond[v]
            t = near / (near - far)
            for axis in range(3):
                p = cell.position[inner, axis]
                cell.kept[a, axis] = p + t * (cell.position[v, axis] - p)
    length, at = 0, start
    while good and count > 0:
        at = after[at]
        length += 1
        if at < 0 or length > count:
            good = False
        elif at == start:
            break
    return count if good and length == count else -1


@inner
def cut(cell, normal, height, scale):
    """Cut by normal·z <= height; 0 untouched, 1 cut, -FULL, -TANGLED. `scale` is |normal| times the cell's reach."""
    deepest = -np.inf
    for v in range(cell.size[1]):
        x, y, z = cell.position[v, 0], cell.position[v, 1], cell.position[v, 2]
        depth = normal[0] * x + normal[1] * y + normal[2] * z - height
        cell.beyond[v] = depth
        deepest = max(deepest, depth)
    slack = SLACK * scale
    if deepest <= slack:
        return 0
    count = _rim(cell, slack)
    while count < 0:
        cell.after[: cell.size[0]] = -1
        slack *= 4
        if slack > SLACKEST * scale:
            return -TANGLED
        if deepest <= slack:
            return 0
        count = _rim(cell, slack)
    return _close(cell, normal, height, slack, count)


@inner
def _close(cell, normal, height, slack, count):
    """Replace the vertices beyond the plane by those on it."""
    left, planes = 0, cell.size[0]
    for v in range(cell.size[1]):
        if cell.beyond[v] <= slack:
            if left != v:
                cell.position[left] = cell.position[v]
                _set(cell, left, cell.triple[v, 0], cell.triple[v, 1], cell.triple[v, 2])
            left += 1
    if planes == len(cell.height) or left + count > len(cell.beyond):
        return -FULL
    for a in range(planes):
        if cell.after[a] >= 0:
            cell.position[left] = cell.kept[a]
            _set(cell, left, a, cell.after[a], planes)
            cell.after[a] = -1
            left += 1
    cell.normal[planes], cell.height[planes] = normal, height
    cell.size[0], cell.size[1] = planes + 1, left
    return 1


@inner
def compact(cell, used, fresh):
    """Forget the planes that no vertex lies on."""
    planes, vertices = cell.size[0], cell.size[1]
    used[:planes] = False
    for v in range(vertices):
        for k in range(3):
            used[cell.triple[v, k]] = True
    left = 0
    for p in range(planes):
        if used[p]:
            fresh[p] = left
            cell.normal[left], cell.height[left] = cell.normal[p], cell.height[p]
            cell.owner[left], cell.shift[left] = cell.owner[p], cell.shift[p]
            left += 1
    cell.size[0] = left
    for v in range(vertices):
        _set(cell, v, fresh[cell.triple[v, 0]], fresh[cell.triple[v, 1]], fresh[cell.triple[v, 2]])


@inner
def reach(cell):
    """Largest distance of a vertex from the site."""
    most = 0.0
    for v in range(cell.size[1]):
        x, y, z = cell.position[v, 0], cell.position[v, 1], cell.position[v, 2]
        most = max(most, x * x + y * y + z * z)
    return np.sqrt(most)


@compiled
def measure(cell, face):
    """Twice the area vector of a face and its fans' volumes: (area, six volumes, moment x, y, z times 24)."""
    first = -1
    for v in range(cell.size[1]):
        for k in range(3):
            if cell.triple[v, k] == face:
                first = v
    total, six, mx, my, mz = np.zeros(3), 0.0, 0.0, 0.0, 0.0
    p = cell.position[first]
    a = _next(cell, first, face)
    b = _next(cell, a, face)
    while b != first:
        q, r = cell.position[a], cell.position[b]
        u, w = q - p, r - p
        x, y, z = u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2], u[0] * w[1] - u[1] * w[0]
        total[0] += x
        total[1] += y
        total[2] += z
        volume = p[0] * x + p[1] * y + p[2] * z
        six += volume
        mx += volume * (p[0] + q[0] + r[0])
        my += volume * (p[1] + q[1] + r[1])
        mz += volume * (p[2] + q[2] + r[2])
        a, b = b, _next(cell, b, face)
    return 0.5 * np.sqrt(total[0] ** 2 + total[1] ** 2 + total[2] ** 2), six, mx, my, mz


@inner
def _next(cell, vertex, face):
    """The next vertex around the face, anticlockwise seen from outside."""
    for k in range(3):
        if cell.triple[vertex, k] == face:
            return cell.at[face, cell.triple[vertex, (k + 2) % 3]]
    return -1
