"""The discrete curvature energy F(u) and its gradient on a box, by the fused kernel.

Same F as Song 2022 (JMIV 64) with u > 0 solid; the formulas are written out in `kernels/phase_field_reference.py`.
Lengths in the unit of the coefficients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from microgen.core.kernels.phase_field_cpu import energy_gradient
from microgen.threads import in_threads

Array = np.ndarray
Field = float | Array


@dataclass(frozen=True, eq=False)
class Energy:
    """F of a field u on a box of voxels. Coefficients, eps, mu and theta are numbers or fields of the box's shape."""

    coefficients: tuple[Field, ...]
    """a20, a11, a02, b10, b01, c."""
    eps: Field
    spacing: tuple[float, ...]
    periodic: tuple[bool, ...]
    mu: Field = 0.0
    """Weight of the orientation term mu eps (g.theta)^2."""
    theta: tuple[Field, ...] = (0.0, 0.0, 0.0)
    """Preferred direction, one component per axis."""
    xi: float = 1e-6
    """Smoothing of |g|."""
    xi_soft: float = 1e-6
    """Smoothing of the softplus under S."""

    def __call__(self, u: Array, *, slabs: int | None = None) -> tuple[float, Array]:
        """F and dF/du [shape of u], in u's float32 or float64; sums in float64. `slabs` changes speed only.

        A tensor goes to the kernel for GPUs, and so does its gradient.
        """
        if not isinstance(u, np.ndarray):
            return self._of_tensor(u)
        import numba

        block = np.ascontiguousarray(_three(u))
        gradient, sums = np.empty_like(block), np.empty(block.shape[0])
        number = u.dtype.type
        in_threads(
            energy_gradient,
            block,
            gradient,
            sums,
            min(slabs or numba.get_num_threads(), block.shape[0]),
            (self._constants.astype(u.dtype), self._rows, self._fields.astype(u.dtype, copy=False)),
            tuple(self._stencil.astype(u.dtype)),
            tuple(number(x) for x in (*(1 / (j + 1) for j in range(19)), 1 / 64, 40)),
            (number(self.xi), number(self.xi_soft)),
            _three_axes(self.periodic, False),
        )
        return float(sums.sum()), gradient.reshape(u.shape)

    def _of_tensor(self, u: Any) -> tuple[float, Any]:
        from microgen.core.kernels.phase_field_cuda import energy_gradient

        block = _three(u).contiguous()
        xi = u.new_tensor([self.xi, self.xi_soft])
        stencil = u.new_tensor(self._stencil)
        total, gradient = energy_gradient(block, self._tensors(u), stencil, xi, _three_axes(self.periodic, False))
        return float(total), gradient.reshape(u.shape)

    @cached_property
    def _placed(self) -> dict[str, tuple[Any, Any]]:
        return {}

    def _tensors(self, u: Any) -> tuple[Any, Any]:
        """The coefficients one behind the other, and where each begins and whether it varies; made once a device."""
        import torch

        key = f"{u.device} {u.dtype}"
        if key not in self._placed:
            parts = [u.new_tensor(self._constants), *(u.new_tensor(field).reshape(-1) for field in self._fields)]
            rows = np.stack([np.arange(len(self._constants)), np.zeros(len(self._constants), int)], 1)
            for n, row in enumerate(self._rows):
                rows[row] = len(self._constants) + n * math.prod(u.shape), 1
            self._placed[key] = (torch.cat(parts), torch.as_tensor(rows, device=u.device))
        return self._placed[key]

    @cached_property
    def _weights(self) -> tuple[Field, ...]:
        """The eleven coefficients of the integrand as the kernel wants them, times the volume of a voxel."""
        a20, a11, a02, b10, b01, c = self.coefficients
        dv, eps = math.prod(self.spacing), self.eps
        of_curvature = ((a20 + a02 - a11) / (2 * eps), (a20 - a02) / (2 * eps), a11 / (2 * eps))
        of_slope = ((b10 + b01) / 2, (b10 - b01) / 2, c * eps)
        scaled = tuple(x * dv for x in (*of_curvature, *of_slope))
        return (*scaled, eps, self.mu * eps * dv, *_three_axes(tuple(self.theta)[: len(self.spacing)], 0.0))

    @cached_property
    def _constants(self) -> Array:
        return np.array([0.0 if np.ndim(w) else w for w in self._weights])

    @cached_property
    def _rows(self) -> Array:
        """Numbers of the coefficients that vary, int64."""
        return np.array([k for k, w in enumerate(self._weights) if np.ndim(w)], np.int64)

    @cached_property
    def _fields(self) -> Array:
        """These coefficients, [rows, nx, ny, nz]; of the type they were given in, best that of u."""
        varying = [_three(np.asarray(self._weights[k])) for k in self._rows]
        return np.stack(varying) if varying else np.empty((0, 0, 0, 0), np.float32)

    @cached_property
    def _stencil(self) -> Array:
        """1/2h and 1/h² of the three axes, then 1/4hh' of xy, xz, yz."""
        h = np.array(_three_axes(self.spacing, 1.0))
        return np.concatenate([0.5 / h, 1 / h**2, 0.25 / np.array([h[0] * h[1], h[0] * h[2], h[1] * h[2]])])


def _three(field: Any) -> Any:
    """A plane as a volume one voxel thick along y, so that its rows stay long."""
    return field[:, None, :] if field.ndim == 2 else field


def _three_axes(values: tuple, filler: object) -> tuple:
    return (values[0], filler, values[1]) if len(values) == 2 else tuple(values)
