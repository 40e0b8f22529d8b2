"""Where the points are: `Grid` (square pixels, voxels) and `HexGrid` (EBSD maps). No data, no device."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from microgen.errors import InvalidParameter


@dataclass(frozen=True)
class Grid:
    """A regular grid of pixels or voxels; arrays on it have shape `shape` and order [x, y(, z)].

    The centre of voxel k along an axis is `origin + (k + 1/2) * spacing`: `origin` is the corner of the
    first voxel. Lengths in µm.
    """

    shape: tuple[int, ...]
    """Points along x, y (and z)."""
    spacing: tuple[float, ...]
    """Size of a voxel along each axis, µm."""
    origin: tuple[float, ...] = ()
    """Corner of the first voxel, µm; zero when not given."""
    periodic: tuple[bool, ...] = ()
    """Per axis; not periodic when not given."""

    def __post_init__(self) -> None:
        d = len(self.shape)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "spacing", tuple(float(h) for h in self.spacing))
        object.__setattr__(self, "origin", tuple(float(o) for o in self.origin) or (0.0,) * d)
        object.__setattr__(self, "periodic", tuple(bool(p) for p in self.periodic) or (False,) * d)
        if d not in (2, 3) or min(self.shape) < 1:
            raise InvalidParameter("shape", expected="2 or 3 positive integers", got=self.shape)
        for name in ("spacing", "origin", "periodic"):
            if len(getattr(self, name)) != d:
                raise InvalidParameter(name, expected=f"{d} values, one per axis", got=getattr(self, name))
        if not all(math.isfinite(h) and h > 0 for h in self.spacing):
            raise InvalidParameter("spacing", expected="positive lengths in µm", got=self.spacing)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    @property
    def lengths(self) -> tuple[float, ...]:
        """Box lengths, µm."""
        return tuple(n * h for n, h in zip(self.shape, self.spacing))

    @property
    def cell_measure(self) -> float:
        """Volume of a voxel in µm³, or area of a pixel in µm²."""
        return math.prod(self.spacing)

    def points(self) -> np.ndarray:
        """Centres of all points, µm: float64 [size, ndim], last axis of the array fastest."""
        axes = [o + (np.arange(n) + 0.5) * h for n, h, o in zip(self.shape, self.spacing, self.origin)]
        return np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=-1)

    def neighbour_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Flat indices (i, j) of all points that share a face, each pair once (periodic ones included)."""
        index = np.arange(self.size).reshape(self.shape)
        first, second = [], []
        for axis in range(self.ndim):
            if self.periodic[axis] and self.shape[axis] > 2:
                a, b = index, np.roll(index, -1, axis)
            else:
                a = np.delete(index, -1, axis)
                b = np.delete(index, 0, axis)
            first.append(a.ravel())
            second.append(b.ravel())
        return np.concatenate(first), np.concatenate(second)

    def border(self) -> np.ndarray:
        """bool [shape]: points on the edge of the map along the axes that are not periodic."""
        edge = np.zeros(self.shape, bool)
        for axis in range(self.ndim):
            if not self.periodic[axis]:
                np.moveaxis(edge, axis, 0)[[0, -1]] = True
        return edge


@dataclass(frozen=True)
class HexGrid:
    """A hexagonal EBSD map: rows along x, every second row shifted by half a step and maybe one point shorter.

    Arrays on it have shape (columns, rows); where shorter rows have no last point, `exists()` is False.
    Row pitch is step·√3/2 and a point stands for an area of (√3/2)·step². Lengths in µm.
    """

    shape: tuple[int, int]
    """Points of the longer rows, and number of rows."""
    step: float
    """Distance between neighbouring points, µm."""
    shifted: int = 1
    """Rows j with j % 2 == shifted lie half a step to the right."""
    short: bool = True
    """True when the shifted rows are one point shorter."""
    origin: tuple[float, float] = (0.0, 0.0)
    """Lower corner of the map's bounding box, half a step and half a pitch before the first point, µm."""
    periodic: tuple[bool, bool] = field(default=(False, False), init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise InvalidParameter("shape", expected="2 positive integers", got=self.shape)
        if not (math.isfinite(self.step) and self.step > 0):
            raise InvalidParameter("step", expected="a positive length in µm", got=self.step)

    @property
    def ndim(self) -> int:
        return 2

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def pitch(self) -> float:
        """Distance between rows, µm."""
        return self.step * math.sqrt(3) / 2

    @property
    def spacing(self) -> tuple[float, float]:
        return (self.step, self.pitch)

    @property
    def lengths(self) -> tuple[float, float]:
        """Bounding box, µm."""
        return (self.shape[0] * self.step, self.shape[1] * self.pitch)

    @property
    def cell_measure(self) -> float:
        """Area of a point, µm²."""
        return self.step * self.pitch

    def exists(self) -> np.ndarray:
        """bool [shape]: False only for the missing last point of shorter rows."""
        there = np.ones(self.shape, bool)
        if self.short:
            there[-1, self.shifted :: 2] = False
        return there

    def points(self) -> np.ndarray:
        """Centres of all points (missing ones too), µm: float64 [size, 2], y fastest."""
        i, j = np.meshgrid(np.arange(self.shape[0]), np.arange(self.shape[1]), indexing="ij")
        x = self.origin[0] + (i + 0.5 + 0.5 * (j % 2 == self.shifted)) * self.step
        y = self.origin[1] + (j + 0.5) * self.pitch
        return np.stack([x.ravel(), y.ravel()], axis=-1)

    def neighbour_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Flat indices (i, j) of all neighbouring points (six each inside), each pair once."""
        nx, ny = self.shape
        index = np.arange(self.size).reshape(self.shape)
        pairs = [(index[:-1], index[1:])]
        for parity in (0, 1):
            rows = np.arange(parity, ny - 1, 2)
            pairs.append((index[:, rows], index[:, rows + 1]))
            # The second neighbour in the next row lies to the right of shifted rows, to the left of others.
            right = parity == self.shifted
            here = index[:-1, rows] if right else index[1:, rows]
            there = index[1:, rows + 1] if right else index[:-1, rows + 1]
            pairs.append((here, there))
        first = np.concatenate([a.ravel() for a, _ in pairs])
        second = np.concatenate([b.ravel() for _, b in pairs])
        there = self.exists().ravel()
        keep = there[first] & there[second]
        return first[keep], second[keep]

    def border(self) -> np.ndarray:
        """bool [shape]: points on the edge of the map."""
        edge = np.zeros(self.shape, bool)
        edge[[0, -1]] = True
        edge[:, [0, -1]] = True
        if self.short and self.shape[0] > 1:
            edge[-2, self.shifted :: 2] = True
        return edge
