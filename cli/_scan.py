"""What was understood of a scan: for the reader on stderr, and as the `scan` object of the JSON output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import microgen
from microgen import HexGrid, Microstructure

FEW_GRAINS = 50
"""Below this many interior grains the statistics are too noisy to tell samples apart."""

NO_ORIENTATIONS = "the file says nothing of orientations: those of the sample are drawn at random"


@dataclass(frozen=True)
class ScanFacts:
    """Counts and sizes of a scan and of its grains."""

    file: str
    grid: str
    step_um: float | list[float]
    points: int
    indexed: int
    missing: int
    map_um: tuple[float, ...]
    phases: dict[str, float]
    grains: int
    interior_grains: int
    noise_floor: float | None
    threshold: float
    min_pixels: int
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, path: Path, scan: Microstructure, segmented: Microstructure | None, *, threshold: float, min_pixels: int
    ) -> ScanFacts:
        """Facts of `scan` read from `path`; `segmented` is None when it holds no grain. Threshold in degrees."""
        present, expected = _present(scan), _expected(scan)
        return cls(
            file=str(path),
            grid="hexagonal" if isinstance(scan.grid, HexGrid) else "square",
            step_um=_step(scan),
            points=present,
            indexed=int(np.count_nonzero(scan.phase_id >= 0)),
            missing=expected - present,
            map_um=scan.grid.lengths,
            phases=_phase_shares(scan),
            grains=0 if segmented is None else _count(segmented),
            interior_grains=0 if segmented is None else int(np.count_nonzero(microgen.interior_grains(segmented))),
            noise_floor=_noise_floor(segmented),
            threshold=threshold,
            min_pixels=min_pixels,
            notes=scan.notes,
        )

    @classmethod
    def of_volume(
        cls, path: Path, volume: Microstructure, target: Any, *, threshold: float, min_pixels: int
    ) -> ScanFacts:
        """Facts of a labelled volume, and of the grains that planes of it show (`target`)."""
        assert volume.grain_id is not None
        labels = np.unique(volume.grain_id)
        return cls(
            file=str(path),
            grid="volume",
            step_um=_step(volume),
            points=volume.grid.size,
            indexed=int(np.count_nonzero(volume.grain_id)),
            missing=0,
            map_um=volume.grid.lengths,
            phases=_phase_shares(volume),
            grains=int(np.count_nonzero(labels)),
            interior_grains=target.interior,
            noise_floor=None,
            threshold=threshold,
            min_pixels=min_pixels,
            notes=(*volume.notes, *(() if target.oriented else (NO_ORIENTATIONS,))),
        )

    def to_dict(self) -> dict[str, Any]:
        """The `scan` object of the JSON output."""
        return {
            "file": self.file,
            "grid": self.grid,
            "step_um": self.step_um,
            "points": self.points,
            "missing_points": self.missing,
            "indexed_fraction": self.indexed / max(self.points, 1),
            "map_um": list(self.map_um),
            "phases": list(self.phases),
            "phase_fractions": self.phases,
            "grains": self.grains,
            "interior_grains": self.interior_grains,
            "noise_floor_diameter": self.noise_floor,
            "threshold_deg": self.threshold,
            "min_pixels": self.min_pixels,
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """The same for a reader."""
        step = " x ".join(f"{s:g}" for s in np.atleast_1d(self.step_um))
        missing = f", {self.missing} missing" if self.missing else ""
        phases = ", ".join(f"{name} {share:.1%}" for name, share in self.phases.items()) or "none"
        shown = f"{self.interior_grains} of them inside the map"
        if self.grid == "volume":
            shown = f"{self.interior_grains} sections inside planes across its axes, which are taken as scans"
        cleaned = f"grains above {self.threshold:g}° misorientation, at least {self.min_pixels} points"
        return [
            f"scan      {self.file}",
            f"grid      {self.grid}, step {step} µm, map {' x '.join(f'{x:.4g}' for x in self.map_um)} µm",
            f"points    {self.points}, {self.indexed / max(self.points, 1):.1%} indexed{missing}",
            f"phases    {phases}",
            f"grains    {self.grains}, {shown}",
            f"clean-up  {cleaned}; smaller and not-indexed regions go to the nearest grain",
            *(f"note      {note}" for note in self.notes),
        ]

    def warning(self) -> str:
        """What to beware of, or nothing."""
        if self.interior_grains == 0:
            return "no grain lies inside the map without touching its border: there is nothing to measure."
        if self.interior_grains < FEW_GRAINS:
            return (
                f"only {self.interior_grains} grains lie inside the map: two scans like it would differ by about "
                f"{self.noise_floor or 1:.0%} of the mean in their grain sizes. A larger map is better."
            )
        return ""


def _noise_floor(segmented: Microstructure | None) -> float | None:
    """Distance between the grain sizes of two such scans over their mean, about: 1.15 cv sqrt(1/n + 1/n)."""
    if segmented is None or segmented.grains is None:
        return None
    diameter = np.sqrt(4 / np.pi * segmented.grains.volume[microgen.interior_grains(segmented)])
    if len(diameter) < 2:
        return None
    return 1.15 * float(diameter.std(ddof=1) / diameter.mean()) * math.sqrt(2 / len(diameter))


def _present(scan: Microstructure) -> int:
    return int(np.count_nonzero(scan.measured)) if scan.measured is not None else _expected(scan)


def _expected(scan: Microstructure) -> int:
    return int(np.count_nonzero(scan.grid.exists())) if isinstance(scan.grid, HexGrid) else scan.grid.size


def _step(scan: Microstructure) -> float | list[float]:
    if isinstance(scan.grid, HexGrid):
        return scan.grid.step
    spacing = scan.grid.spacing
    return spacing[0] if math.isclose(min(spacing), max(spacing), rel_tol=1e-6) else list(spacing)


def _phase_shares(scan: Microstructure) -> dict[str, float]:
    """Share of the indexed points; phases of the header that never occur are left out."""
    counts = np.bincount(scan.phase_id[scan.phase_id >= 0], minlength=len(scan.phases))
    names = [phase.name for phase in scan.phases]
    total = max(int(counts.sum()), 1)
    return {
        name if names.count(name) == 1 else f"{name} ({k + 1})": int(n) / total
        for k, (name, n) in enumerate(zip(names, counts))
        if n
    }


def _count(segmented: Microstructure) -> int:
    return len(segmented.grains) if segmented.grains is not None else int(segmented.grain_id.max(initial=0))  # pyright: ignore[reportOptionalMemberAccess]
