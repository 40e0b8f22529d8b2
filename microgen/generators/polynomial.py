"""The polynomial of the principal curvatures that a texture minimises, and polynomials that change through a box."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from microgen.generators.laws import number, require


@dataclass(frozen=True)
class Coefficients:
    """A polynomial of the principal curvatures; a common factor changes nothing."""

    a20: float = 1.0
    """Of kappa_1²."""
    a11: float = 2.0
    """Of kappa_1 kappa_2."""
    a02: float = 6.0
    """Of kappa_2²."""
    b10: float = -40.0
    """Of kappa_1, 1/length."""
    b01: float = -40.0
    """Of kappa_2, 1/length."""
    c: float = 400.0
    """The constant, 1/length²."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            require(number(value) and math.isfinite(value), f"coefficients.{name}", "a finite number", value)
        require(any(self.values), "coefficients", "numbers that are not all zero", self.values)
        remedy = "Raise both to 0 or more: below it nothing but the grid stops the curvature from growing."
        require(self.a20 >= 0 <= self.a02, "coefficients", "a20 >= 0 and a02 >= 0", self.values, remedy=remedy)

    @property
    def values(self) -> tuple[float, ...]:
        return (self.a20, self.a11, self.a02, self.b10, self.b01, self.c)

    @classmethod
    def reduced(
        cls, h2: float, H0: float, kg: float, s: float = 0.0, p: float = 0.0, t: float = 0.0, q: float = 0.0
    ) -> Coefficients:
        """Of h2 (2M - H0)² + kg K + s (kappa_1 - p)² + t (kappa_2 - q)² (M mean and K Gauss curvature)."""
        b10, b01 = -2 * h2 * H0 - 2 * s * p, -2 * h2 * H0 - 2 * t * q
        return cls(h2 + s, 2 * h2 + kg, h2 + t, b10, b01, h2 * H0**2 + s * p**2 + t * q**2)

    def scaled(self, length: float) -> Coefficients:
        """(a, b/l, c/l²): the same texture with every length multiplied by l."""
        require(number(length) and length > 0, "length", "a positive factor", length)
        return Coefficients(self.a20, self.a11, self.a02, self.b10 / length, self.b01 / length, self.c / length**2)

    def turned(self) -> Coefficients:
        """Of the texture whose solid is the other one's void: p(-kappa_2, -kappa_1), to be made with minus the mass."""
        return Coefficients(self.a02, self.a11, self.a20, -self.b01, -self.b10, self.c)

    def times(self, factor: float) -> Coefficients:
        """A multiple of the polynomial: it has the same minimisers, at another energy."""
        return Coefficients(*(factor * value for value in self.values))

    @property
    def stiffness(self) -> float:
        """a20 + a02: how dear it is to bend away from the curvatures that are preferred."""
        return self.a20 + self.a02

    @property
    def least(self) -> float:
        """Lowest value for kappa_1 >= kappa_2, -inf when there is none."""
        matrix, slope = np.array([[2 * self.a20, self.a11], [self.a11, 2 * self.a02]]), np.array([self.b10, self.b01])
        values, ways = np.linalg.eigh(matrix)
        flat = np.abs(values) <= 1e-12 * np.abs(matrix).max()
        pull = ways.T @ slope
        if (values[~flat] < 0).any() or (np.abs(pull[flat]) > 1e-12 * np.abs(slope).max(initial=0)).any():
            return -math.inf
        place = -ways[:, ~flat] @ (pull[~flat] / values[~flat])
        if place[0] < place[1] and not flat.any():  # beyond the line of equal curvatures: the least lies on it
            place = np.full(2, -slope.sum() / matrix.sum())
        return float(place @ matrix @ place / 2 + slope @ place + self.c)

    @property
    def bounded_below(self) -> bool:
        """True when no surface has an energy below zero, but for rounding.

        Else more surface, of the curvatures where the polynomial is below zero, lowers the energy, and what keeps it
        from falling without end is the blur of the flow.
        """
        # Squares of coefficients beyond these would leave the range of numbers.
        largest = max(abs(value) for value in self.values)
        one = self if 1e-100 < largest < 1e100 else self.times(1 / largest)
        scale = max(abs(one.c), np.hypot(one.b10, one.b01) ** 2 / max(abs(one.a20), abs(one.a02), 1e-300))
        return one.least >= -1e-9 * scale


@dataclass(frozen=True)
class Graded:
    """Coefficients and masses that change through the box: at its two ends along an axis, or at four corners.

    Between the sets weighted means are taken, of the sets brought to the bending stiffness of the first one
    (`alike`): a texture then does not reach further because its coefficients happen to be larger.
    """

    coefficients: tuple[Coefficients, ...]
    """Two sets, or four: at (0, 0), (1, 0), (0, 1) and (1, 1) of the two axes."""
    mass: tuple[float, ...]
    """One for each set."""
    axes: tuple[int, ...] = (0,)
    """One axis for two sets, two axes for four."""
    eps: tuple[float, ...] = ()
    """Width of the interface, one for each set; that of the generator everywhere when empty."""

    def __post_init__(self) -> None:
        fine = len(self.coefficients) == 2 ** len(self.axes) and len(self.axes) in (1, 2)
        require(fine, "graded.coefficients", "two sets and one axis, or four and two axes", len(self.coefficients))
        require(len(self.mass) == len(self.coefficients), "graded.mass", "one for each set", self.mass)
        fine = len(self.eps) in (0, len(self.coefficients)) and all(number(e) and e > 0 for e in self.eps)
        require(fine, "graded.eps", "a positive length for each set, or none", self.eps)

    @property
    def alike(self) -> tuple[Coefficients, ...]:
        """The sets, each times what gives it the stiffness of the first; as they are where one has none at all."""
        # Safe, as a common factor of all six coefficients changes no minimiser of a set. And right: the mean of
        # a (k - p)² and b (k - q)² prefers (a p + b q) / (a + b), which is half way between p and q for a = b only.
        stiffness = [c.stiffness for c in self.coefficients]
        if min(stiffness) == max(stiffness) or not all(s > 0 for s in stiffness):
            return self.coefficients
        return tuple(c.times(stiffness[0] / s) for c, s in zip(self.coefficients, stiffness))

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        """float64 [sets, *shape]: share of each set in each voxel, linear from the first voxel to the last."""
        ways = []
        for axis in self.axes:
            x = np.linspace(0, 1, shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))])
            ways.append((1 - x, x))
        first = ways[0]
        pairs = first if len(ways) == 1 else [a * b for b in ways[1] for a in first]
        return np.stack([np.broadcast_to(w, shape) for w in pairs])

    def fields(
        self, shape: tuple[int, ...], *, eps: float
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray | float]:
        """The six coefficients, the mass, and eps (as given where it does not vary), as fields."""
        weights = self.weights(shape)
        columns = zip(*(c.values for c in self.alike))
        coefficients = tuple(np.tensordot(col, weights, 1) for col in columns)
        width = np.tensordot(self.eps, weights, 1) if self.eps else eps
        return coefficients, np.tensordot(self.mass, weights, 1), width
