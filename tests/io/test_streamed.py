"""Samples that are written part by part: the files of the whole, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io import planes, read, write, zarr_array, zarr_pyramid
from microgen.microstructure import Grains, Phase, TiledMicrostructure
from microgen.provenance import Provenance


@dataclass(frozen=True)
class Held:
    """Tiles of a volume in memory."""

    values: np.ndarray

    def labels(self, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
        return self.values[tuple(slice(a, b) for a, b in zip(start, stop))]

    def many(self, boxes: Iterable[tuple[tuple[int, ...], tuple[int, ...]]]) -> Iterator[np.ndarray]:
        return (self.labels(*box) for box in boxes)


def sample(shape: tuple[int, int, int], *, n: int = 900, phases: int = 2) -> TiledMicrostructure:
    rng = np.random.default_rng(0)
    coarse = rng.integers(1, n + 1, [-(-k // 3) for k in shape], dtype=np.int32)
    labels = coarse.repeat(3, 0).repeat(3, 1).repeat(3, 2)[tuple(slice(k) for k in shape)]
    grid = Grid(shape, (0.5, 1.0, 2.0), (1.0, 2.0, 3.0), (True, False, True))
    q = rng.standard_normal((n, 4))
    counts = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    grains = Grains(
        rng.integers(0, phases, n).astype(np.int16),
        q / np.linalg.norm(q, axis=1, keepdims=True),
        volume=counts * grid.cell_measure,
        volume_target=rng.random(n),
        sites=rng.random((n, 3)),
        metrics=np.broadcast_to(np.eye(3), (n, 3, 3)),
        weights=rng.random(n),
    )
    made = Provenance("test", {"grid": "x"}, 3, time="2026-01-01T00:00:00+00:00")
    return TiledMicrostructure(grid, Held(labels), tuple(Phase(f"p{k}") for k in range(phases)), grains, made)


def contents(path: Path) -> dict[str, bytes]:
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return {str(p.relative_to(path)): p.read_bytes() for p in files}


@pytest.mark.parametrize("shape", [(37, 50, 21), (9, 1, 70), (33, 34, 35), (8, 7, 6)])
@pytest.mark.parametrize("phases", [1, 2])
def test_zarr_of_parts_is_zarr_of_the_whole(
    shape: tuple[int, int, int], phases: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (zarr_array, zarr_pyramid):
        monkeypatch.setattr(module, "CHUNK", 8)
    monkeypatch.setattr(zarr_array, "SHARD", 2)
    tiled = sample(shape, phases=phases)
    write(tiled, tmp_path / "parts.zarr")
    write(tiled.whole(), tmp_path / "whole.zarr")
    assert contents(tmp_path / "parts.zarr") == contents(tmp_path / "whole.zarr")
    assert contents(tmp_path / "parts.zarr.json") == contents(tmp_path / "whole.zarr.json")
    assert np.array_equal(read(tmp_path / "parts.zarr").phase_id, tiled.whole().phase_id)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("n", [900, 70_000])
def test_tiff_of_parts_is_tiff_of_the_whole(
    large: bool, n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planes, "LARGE", 0 if large else 2**28)
    monkeypatch.setattr(planes, "TILED", 37 * 50 * 16)
    tiled, told = sample((37, 50, 40), n=n), []
    write(tiled, tmp_path / "parts.tif", progress=lambda done, text: told.append(done))
    write(tiled.whole(), tmp_path / "whole.tif")
    assert (tmp_path / "parts.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert told == sorted(told)
    assert len(told) == 3


def test_the_table_is_that_of_the_whole(tmp_path: Path) -> None:
    tiled = sample((8, 7, 6))
    write(tiled, tmp_path / "parts.csv")
    write(tiled.whole(), tmp_path / "whole.csv")
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_other_formats_are_refused_and_parts_go_everywhere(tmp_path: Path) -> None:
    tiled = sample((8, 7, 6))
    with pytest.raises(InvalidParameter, match=r"\.zarr .*\.tif .*streamed"):
        write(tiled, tmp_path / "sample.vti")
    assert not list(tmp_path.iterdir())
    write(tiled.crop((1, 1, 1), (5, 6, 4)), tmp_path / "part.vti")
    assert np.array_equal(read(tmp_path / "part.vti").grain_id, tiled.whole().grain_id[1:5, 1:6, 1:4])


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: float, text: str) -> None:
        raise KeyboardInterrupt

    for name in ("sample.zarr", "sample.tif"):
        with pytest.raises(KeyboardInterrupt):
            write(sample((8, 7, 6)), tmp_path / name, progress=stop)
    assert not list(tmp_path.iterdir())
