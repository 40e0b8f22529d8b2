"""`Atlas`: textures that were made from random polynomials and measured, and look-up of those nearest to a wish.

Scaling a texture by l multiplies its thickness by l, its curvatures by 1/l, and leaves its shape alone: look-up
compares what does not depend on l, and tells the l that meets the wish.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from microgen.errors import InvalidParameter

COEFFICIENTS = ("a20", "a11", "a02", "b10", "b01", "c")
_CORRELATION = tuple(f"correlation_{lag:g}" for lag in (0.5, 1, 1.5, 2, 3, 4, 6))
STATISTICS: dict[str, int] = {
    "volume_fraction": 0,
    "specific_surface": -1,
    "euler_density": -3,
    "connectivity_density": -3,
    "structure_model_index": 0,
    "thickness": 1,
    "thickness_sd": 1,
    "separation": 1,
    "separation_sd": 1,
    "kappa_1": -1,
    "kappa_1_sd": -1,
    "kappa_2": -1,
    "kappa_2_sd": -1,
    "mean_curvature": -1,
    "gauss_curvature": -2,
    "correlation_length": 1,
    **dict.fromkeys(_CORRELATION, 0),
}
"""Measured columns (see `fingerprint`), each with its power of length."""
TEXTS = ("status",)
FORMED = ("converged", "capped")
"""States of textures; a capped one still moved at the last step."""
COLUMNS = (
    *("sample", "seed", "status", *COEFFICIENTS, "mass", "h2", "H0", "kg", "s", "p", "t", "q", "iterations"),
    *(*STATISTICS, "seconds"),
)
"""Of the table, in order."""
PACKAGED = "atlas_64.npz"
FEW_ACROSS = 1.0
"""Walls and gaps across the box; below, figures say as much of the box as of the texture."""
GRID = np.linspace(0.0, 1.0, 65)


@dataclass(frozen=True)
class Match:
    """An entry near a wish, at the scale that fits best."""

    number: int
    """Of the sample in the atlas, from 1."""
    distance: float
    """Root mean square of the misses, each over the spread of that figure in the atlas."""
    coefficients: tuple[float, ...]
    """a20 a11 a02 b10 b01 c"""
    mass: float
    dx: float
    """Size of a voxel in the coefficients' unit of length."""
    eps: float
    seed: int
    shape: tuple[int, ...]
    scale: float | None
    """µm of one unit of length of the coefficients; None where the wish has no length."""
    across: float
    """How often a wall and a gap go into the box."""
    found: dict[str, float]
    """What was wished, as the entry has it at that scale, in powers of µm."""

    @property
    def spacing(self) -> float | None:
        """Size of the entry's voxels at that scale, µm."""
        return None if self.scale is None else self.dx * self.scale

    @property
    def largest_spacing(self) -> float:
        """Size of the largest voxels that meet the wish, as eps spans 1.5 of them, µm; inf without a length."""
        return float("inf") if self.scale is None else self.eps / 1.5 * self.scale

    @property
    def coarse(self) -> bool:
        """Does the box hold so little that the figures depend on it?"""
        return self.across < FEW_ACROSS

    def dx_for(self, spacing: float) -> float:
        """The dx that meets the wish with voxels of `spacing` µm. Raises InvalidParameter where they are too large."""
        if not 0 < spacing <= self.largest_spacing * (1 + 1e-9):
            raise InvalidParameter("spacing", expected=f"at most {self.largest_spacing:.4g} µm", got=spacing)
        return self.dx if self.scale is None else spacing / self.scale


@dataclass(frozen=True, eq=False)
class Atlas:
    """A table of textures: one row a draw. Lengths are in the unit of the coefficients."""

    settings: dict[str, Any]
    """shape, dx, eps, seed and prior, the same for all rows."""
    columns: dict[str, np.ndarray]
    """The COLUMNS, [rows]: float64, `sample` and `seed` int64, `status` text; nan where nothing was measured."""

    @classmethod
    def packaged(cls) -> Atlas:
        """The one that comes with microgen, as `microgen atlas --samples 1000` makes it."""
        import json
        from importlib.resources import files

        with files("microgen").joinpath(PACKAGED).open("rb") as file, np.load(file, allow_pickle=False) as data:
            columns = {name: data[name] for name in COLUMNS}
            settings = json.loads(str(data["settings"]))
        wide = {name: c.astype(float) if c.dtype.kind == "f" else c for name, c in columns.items()}
        return cls(settings, wide)

    def pack(self, path: str) -> None:
        """Write the file that `packaged` reads (.npz); a test compares the two."""
        import json

        kept = ("sample", "seed", *TEXTS, *COEFFICIENTS, "mass")  # what makes a texture again
        columns = {
            name: c if name in kept else c.astype(np.float32) for name, c in self.columns.items() if name in COLUMNS
        }
        np.savez_compressed(path, settings=np.array(json.dumps(self.settings)), **columns)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.columns["sample"])

    @staticmethod
    def dimension(name: str) -> int:
        """Power of length of a statistic. Raises InvalidParameter for one that atlases do not have."""
        if name != "porosity" and name not in STATISTICS:
            raise InvalidParameter("statistic", expected="one of porosity, " + ", ".join(STATISTICS), got=name)
        return STATISTICS.get(name, 0)

    @property
    def formed(self) -> np.ndarray:
        """Indices of the rows that are textures."""
        return np.flatnonzero(np.isin(self.columns["status"], FORMED))

    def row(self, index: int) -> dict[str, Any]:
        """One row as plain values."""
        return {name: self.columns[name][index].item() for name in COLUMNS}

    def across(self, index: int) -> float:
        """How often a wall and a gap, thickness plus separation, go into the shortest side of the box of a row."""
        box = min(self.settings["shape"]) * self.settings["dx"]
        return float(box / (self.columns["thickness"][index] + self.columns["separation"][index]))

    def value(self, name: str) -> np.ndarray:
        """float64 [rows]: a statistic, or porosity = 1 - volume_fraction. Raises InvalidParameter."""
        self.dimension(name)  # refuses what is no statistic
        return 1 - self.columns["volume_fraction"] if name == "porosity" else self.columns[name]

    def relative(self, name: str) -> np.ndarray:
        """float64 [rows]: a statistic in powers of the correlation length, so that it does not depend on scale."""
        return self.value(name) / self.columns["correlation_length"] ** self.dimension(name)

    def features(self) -> np.ndarray:
        """float64 [formed, n]: all that is independent of scale, each over its spread; nan counts as the median.

        Figures that most textures lack (correlations beyond half the box) are left out.
        """
        names = [name for name in STATISTICS if name != "correlation_length"]
        table = np.stack([self.relative(name)[self.formed] for name in names], axis=1)
        table = table[:, np.isfinite(table).mean(axis=0) > 0.5]
        middle, spread = np.nanmedian(table, axis=0), np.array([_spread(column) for column in table.T])
        # Few textures have huge values in one figure; they must not stretch the map for all others.
        return np.clip(np.nan_to_num((np.where(np.isnan(table), middle, table) - middle) / spread), -4, 4)

    def nearest(self, wish: Mapping[str, float], k: int = 5) -> tuple[Match, ...]:
        """The k textures nearest to wished statistics (in powers of µm), nearest first.

        For each entry the scale is found at which the root mean square of (entry - wish) is least, taken in units of
        the entry's correlation length and over the spread of that figure in the atlas. One wished length fixes the
        scale and costs nothing; of two, their ratio is searched. Raises InvalidParameter for unknown names, no wish, or
        an atlas without textures.
        """
        if not wish or k < 1 or not len(self.formed):
            expected = "at least one statistic, k of 1 or more and an atlas with textures"
            raise InvalidParameter("wish", expected=expected, got=(dict(wish), k, len(self.formed)))
        for name, value in wish.items():
            if not np.isfinite(value):
                raise InvalidParameter(name, expected="a finite number", got=value)
        rows = self.formed
        power = np.array([self.dimension(name) for name in wish])
        there = np.stack([self.value(name)[rows] for name in wish], axis=1)
        unit = self.columns["correlation_length"][rows, None] ** power
        spread = np.array([_spread(self.relative(name)[rows]) for name in wish]) * unit
        scale, distance = _fit(there, np.array(list(wish.values()), float), power, spread)
        best = [i for i in np.argsort(distance, kind="stable")[:k] if np.isfinite(distance[i])]
        if not best:
            raise InvalidParameter("wish", expected="statistics that some texture of the atlas has", got=dict(wish))
        fixed = any(power[j] and value for j, value in enumerate(wish.values()))
        return tuple(
            self._match(int(rows[i]), float(distance[i]), float(scale[i]) if fixed else None, list(wish)) for i in best
        )

    def _match(self, row: int, distance: float, scale: float | None, names: list[str]) -> Match:
        at = scale or 1.0
        found = {name: float(self.value(name)[row]) * at ** self.dimension(name) for name in names}
        numbers = tuple(float(self.columns[name][row]) for name in COEFFICIENTS)
        place = int(self.columns["sample"][row]), int(self.columns["seed"][row]), float(self.columns["mass"][row])
        dx, eps = float(self.settings["dx"]), float(self.settings["eps"])
        shape = tuple(self.settings["shape"])
        return Match(place[0], distance, numbers, place[2], dx, eps, place[1], shape, scale, self.across(row), found)


def _spread(values: np.ndarray) -> float:
    """Half the distance between the 16th and 84th percentile: the deviation, were it normal; 1 where all are alike."""
    values = values[np.isfinite(values)]
    spread = float(np.diff(np.quantile(values, (0.16, 0.84)))[0]) / 2 if len(values) else 0.0
    return spread if spread > 1e-12 else 1.0


def _fit(there: np.ndarray, wish: np.ndarray, power: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per row of `there` [rows, wishes] the scale of least distance, and that distance; inf where one is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.where(power != 0, np.log(np.abs(wish / there)) / np.where(power, power, 1), np.nan)
    exact[~np.isfinite(exact)] = np.nan
    low = np.min(exact, axis=1, initial=np.inf, where=~np.isnan(exact))
    high = np.max(exact, axis=1, initial=-np.inf, where=~np.isnan(exact))
    low, high = np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)
    each = np.arange(len(there))
    scale, least = np.exp(low), np.full(len(there), np.inf)
    for _ in range(3):  # between the scales that meet single wishes; each round narrows by 32
        logs = low[:, None] + GRID * (high - low)[:, None]
        misses = (there[:, None] - wish * np.exp(-power * logs[:, :, None])) / spread[:, None]
        distance = np.sqrt((misses**2).mean(axis=2))
        best = np.argmin(np.nan_to_num(distance, nan=np.inf), axis=1)
        scale, least = np.exp(logs[each, best]), np.nan_to_num(distance[each, best], nan=np.inf)
        low, high = logs[each, np.maximum(best - 1, 0)], logs[each, np.minimum(best + 1, len(GRID) - 1)]
    return scale, least
