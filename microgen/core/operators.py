"""The space in which the phase field moves: smooth real modes on a box, periodic or mirrored per axis.

Along a periodic axis the modes are 1, cos and sin; along the others the cosines of a mirrored box, so that the
voxel beyond the border equals the last one. A field is the tensor product of its axes, and going between modes and
voxels is one matrix product per axis: at the sizes of volumes faster than an FFT, as only the lowest modes are kept,
and the same for 2-D, 3-D and mixed boundaries.

Fields are NumPy arrays on the CPU and tensors on a GPU; what is done to them here, both understand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray


def axis_modes(points: int, modes: int, *, periodic: bool, unit: int) -> Array:
    """Columns float64 [points, modes]: the lowest modes of an axis at the centres of voxels; square sum points/unit."""
    x = (np.arange(points) + 0.5) / points
    columns = [np.full(points, math.sqrt(1 / unit))]
    for j in range(1, modes):
        k = (j + 1) // 2 if periodic else j
        phase = 2 * math.pi * k * x if periodic else math.pi * k * x
        wave = np.sin(phase) if periodic and j % 2 == 0 else np.cos(phase)
        columns.append(wave * math.sqrt(2 / unit))
    return np.stack(columns, 1)


def wave_numbers(modes: int, length: float, *, periodic: bool) -> Array:
    """float64 [modes]: the wave number k of each mode, 1/length."""
    j = np.arange(modes)
    return 2 * math.pi * ((j + 1) // 2) / length if periodic else math.pi * j / length


def as_array(field: Any) -> Array:
    """The array itself, or what a tensor holds."""
    return field if isinstance(field, np.ndarray) else field.cpu().numpy()


@dataclass(frozen=True)
class Modes:
    """The lowest modes of a box of `shape` voxels: those with k below pi / `cell` along each axis."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    periodic: tuple[bool, ...]
    cell: float
    """Distance of the points of the coarse grid that carries as many numbers as there are modes."""
    dtype: type = np.float32
    device: str = "cpu"
    """Where fields are: arrays on "cpu", else tensors."""
    of: tuple[int, ...] = ()
    """Shape on which the modes are orthonormal, so that amplitudes mean the same on another; own if empty."""

    @property
    def size(self) -> int:
        """Voxels of that grid: sum of squared amplitudes over it is the mean square of the field."""
        return math.prod(self.of or self.shape)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Modes along each axis, odd where periodic so that cosines and sines come in pairs."""
        return tuple(self._count(*axis) for axis in zip(self.shape, self.spacing, self.periodic))

    def _count(self, points: int, step: float, periodic: bool) -> int:
        wanted = min(points, max(1, round(points * step / self.cell)))
        return wanted - (1 - wanted % 2) if periodic else wanted

    @cached_property
    def _fine(self) -> tuple[Array, ...]:
        axes = zip(self.shape, self.counts, self.periodic, self.of or self.shape)
        return tuple(self.placed(axis_modes(n, c, periodic=p, unit=u).astype(self.dtype)) for n, c, p, u in axes)

    @cached_property
    def _adjoint(self) -> tuple[Array, ...]:
        if self.device == "cpu":
            return tuple(np.ascontiguousarray(b.T) for b in self._fine)
        return tuple(b.T for b in self._fine)

    @cached_property
    def _coarse(self) -> tuple[Array, ...]:
        axes = zip(self.counts, self.periodic)
        return tuple(self.placed(axis_modes(c, c, periodic=p, unit=c).astype(self.dtype)) for c, p in axes)

    def placed(self, field: Array) -> Any:
        """An array where the fields are."""
        if self.device == "cpu":
            return field
        import torch

        return torch.as_tensor(np.ascontiguousarray(field), device=self.device)

    @cached_property
    def k(self) -> Array:
        """float64 [counts]: size of the wave vector of each mode, 1/length."""
        axes = [
            wave_numbers(c, n * h, periodic=p)
            for c, n, h, p in zip(self.counts, self.shape, self.spacing, self.periodic)
        ]
        return np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij")))

    def to_voxels(self, amplitudes: Array) -> Array:
        """Field [shape] with the given amplitudes [counts]."""
        if not isinstance(amplitudes, np.ndarray) or amplitudes.ndim != 3:
            return _product(amplitudes, self._fine)
        from microgen.core.kernels.modes_cpu import to_voxels

        (x, y, _), (_, _, zt) = self._fine, self._adjoint
        field = np.empty(self.shape, self.dtype)
        to_voxels(np.ascontiguousarray(amplitudes, self.dtype), x, y, zt, field)
        return field

    def from_voxels(self, field: Array) -> Array:
        """Amplitudes [counts] of a field [shape]: the adjoint of `to_voxels`."""
        if not isinstance(field, np.ndarray) or field.ndim != 3:
            return _product(field, self._adjoint)
        from microgen.core.kernels.modes_cpu import from_voxels

        (_, _, z), (xt, yt, _) = self._fine, self._adjoint
        amplitudes = np.empty(self.counts, self.dtype)
        from_voxels(np.ascontiguousarray(field, self.dtype), xt, yt, z, amplitudes)
        return amplitudes

    def from_points(self, values: Array) -> Array:
        """Amplitudes of the field with these values at the points of the coarse grid [counts]; a rotation."""
        return _product(values, tuple(b.T for b in self._coarse))


def _product(field: Array, matrices: tuple[Array, ...]) -> Array:
    """Apply a matrix along every axis, the last axis first where that makes the field smaller."""
    order = range(field.ndim) if matrices[0].shape[0] > matrices[0].shape[1] else range(field.ndim - 1, -1, -1)
    for axis in order:
        matrix = matrices[axis]
        front, back = math.prod(field.shape[:axis]), math.prod(field.shape[axis + 1 :])
        rows = (*field.shape[:axis], matrix.shape[0], *field.shape[axis + 1 :])
        flat = field.reshape(front, -1) if back == 1 else field.reshape(front, -1, back)
        field = (flat @ matrix.T if back == 1 else matrix @ flat).reshape(rows)
    return field
