"""Large volumes are turned and written slab by slab: the same values as of small ones, in little memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from level_sets import level_set
from polycrystals import polycrystal

from microgen.grid import Grid
from microgen.io import planes, read, write
from microgen.microstructure import Microstructure


@pytest.fixture(autouse=True)
def small_ones_count_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "LARGE", 0)
    monkeypatch.setattr(planes, "SLAB", 8)


@pytest.mark.parametrize("shape", [(5, 7, 6), (5, 7), (1, 9, 70), (33, 5, 17)])
@pytest.mark.parametrize("dtype", ["<i4", ">u2", "f8", "u1"])
def test_slabs_are_the_volume_in_the_order_of_files(shape: tuple[int, ...], dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 200, shape)
    found = b"".join(slab.tobytes() for slab in planes.slabs(values, np.dtype(dtype)))
    assert found == values.astype(dtype).tobytes(order="F")
    table = np.random.default_rng(1).random((200, 4)).astype(np.float32)
    rows = np.concatenate([block.copy() for block in planes.looked_up(values, table)])
    assert np.array_equal(rows, table[values.ravel(order="F")])


def test_a_number_beyond_the_table_is_an_error() -> None:
    with pytest.raises(IndexError):
        list(planes.looked_up(np.full((2, 2, 2), 9), np.zeros((9, 4))))


@pytest.mark.parametrize("name", ["a.tif", "a.vti"])
@pytest.mark.parametrize("shape", [(5, 7, 36), (5, 7), (5, 7, 1)])
def test_what_is_written_unpacked_comes_back(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    for ms in (polycrystal(shape), level_set(shape)):
        write(ms, tmp_path / name, overwrite=True)
        back = read(tmp_path / name)
        assert (back.grid, back.phases) == (ms.grid, ms.phases)
        assert np.array_equal(back.phase_id, ms.phase_id)
        assert ms.grain_id is None or np.array_equal(back.grain_id, ms.grain_id)
        assert back.provenance.to_json() == ms.provenance.to_json()


def test_other_readers_see_the_same(tmp_path: Path) -> None:
    import tifffile

    pyvista = pytest.importorskip("pyvista")
    ms = polycrystal((13, 7, 36))
    for name in ("a.tif", "a.vti"):
        write(ms, tmp_path / name)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert (tif.is_ome, tif.series[0].axes, len(tif.pages)) == (True, "ZYX", 36)
        assert tif.pages[0].compression == tifffile.COMPRESSION.NONE
        assert np.array_equal(tif.series[0].asarray().T, ms.grain_id)
    image = pyvista.read(tmp_path / "a.vti")
    assert image.spacing == ms.grid.spacing
    assert np.array_equal(image.cell_data["grain_id"], ms.grain_id.ravel(order="F"))
    assert np.array_equal(image.cell_data["orientation"], ms.point_orientation.reshape(-1, 4, order="F").astype("f4"))


@pytest.mark.parametrize("name", ["a.tif", "a.vti", "a.nrrd", "a.nii", "a.raw"])
def test_no_more_than_two_slabs_are_held(tmp_path: Path, name: str) -> None:
    labels = np.arange(2**21, dtype=np.int32).reshape(64, 128, 256)
    ms = Microstructure(Grid(labels.shape, (1.0,) * 3), np.zeros(labels.shape, np.int16), grain_id=labels)
    write(replace(polycrystal(), phases=()), tmp_path / f"warm.{name}")
    tracemalloc.start()
    write(ms, tmp_path / name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * 8 * 64 * 128 * 4 + 700_000  # slabs of 8 planes here; what tifffile keeps of 256 pages
    assert np.array_equal(read(tmp_path / name).grain_id, labels)


def test_an_error_while_writing_is_raised(tmp_path: Path) -> None:
    class Full:
        def write(self, data: object) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        planes.pour(Full(), planes.slabs(np.zeros((4, 4, 40), np.int32), np.dtype("<i4")))
