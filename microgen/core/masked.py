"""A part of the box in which the phase field keeps its mass too: what lies outside is thrown away later.

The texture goes on beyond the mask as if it were not there, like bone beyond a core that is drilled out of it, and the
energy is that of the whole box. Summed over the mask alone it leaves its mark: the border then is a natural one, to
which layers turn parallel. And where only the mask keeps its mass, solid flows to the outside, which takes any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgen.core.operators import Array, Modes

BLUR = 2.0
"""Of the mask in the field that corrects the mean, in cells of the modes: sharper ones show in the texture."""


@dataclass(frozen=True, eq=False)
class Mask:
    """Projects smooth fields v onto those with mean zero over the mask: v - (mean of v over the mask) shift."""

    inside: Array
    """bool [shape]"""
    shift: Array
    """float32 [shape]: the blurred mask, with mean 0 over the box and 1 over the mask."""

    def without_mean(self, v: Array) -> Array:
        """The projected field; its mean over the box stays as it is."""
        return v - v.dtype.type(v[self.inside].mean(dtype=float)) * self.shift

    def adjoint(self, gradient: Array) -> Array:
        """The gradient by v of what has this one by the projected field; written over it."""
        along = float((gradient * self.shift).sum(dtype=float))
        gradient[self.inside] -= gradient.dtype.type(along / np.count_nonzero(self.inside))
        return gradient


def masked(modes: Modes, inside: Array) -> Mask:
    """The projection for a mask that is neither empty nor the whole box, bool [shape]."""
    blurred = modes.from_voxels(inside.astype(modes.dtype)) * np.exp(-((BLUR * modes.cell * modes.k) ** 2) / 2)
    blurred.flat[0] = 0
    shift = modes.to_voxels(blurred.astype(modes.dtype))
    return Mask(inside, shift / modes.dtype(shift[inside].mean(dtype=float)))
