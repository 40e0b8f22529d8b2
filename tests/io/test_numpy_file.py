""".npy: raw labels, and never a pickle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from level_sets import level_set
from polycrystals import polycrystal

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import numpy_file


class Bomb:
    """Unpickling this would raise."""

    def __reduce__(self):  # noqa: ANN204
        return pytest.fail, ("a pickle was opened",)


def test_labels_are_written_raw_and_come_back(tmp_path: Path) -> None:
    ms = polycrystal()
    numpy_file.write(ms, tmp_path / "a.npy.part")
    raw, back = np.load(tmp_path / "a.npy.part"), numpy_file.read(tmp_path / "a.npy.part")
    assert raw.dtype == np.int32
    assert np.array_equal(raw, ms.grain_id)
    assert np.array_equal(back.grain_id, ms.grain_id)
    assert back.grid == Grid(ms.grid.shape, (1, 1, 1))
    assert back.notes


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [">i4", "u1", "i8", "?"])
def test_labels_of_others_are_read(tmp_path: Path, order: str, dtype: str) -> None:
    array = np.array(np.arange(24).reshape(4, 3, 2) % 2, dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    back = numpy_file.read(tmp_path / "a.npy").grain_id
    assert np.array_equal(back, array)
    assert back.flags.c_contiguous


@pytest.mark.parametrize("array", [np.array([Bomb()]), np.array([[Bomb(), 1]], dtype=object)])
def test_pickles_are_refused_unopened(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(UnsupportedFormat, match="pickled"):
        numpy_file.read(tmp_path / "a.npy")


NO_LABELS = [np.zeros((2, 2), complex), np.full((2, 2), np.nan), np.zeros(4, int), np.full((2, 2), -1)]


@pytest.mark.parametrize("array", [*NO_LABELS, np.zeros((0, 3), int)])
def test_arrays_that_are_no_labels_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UnsupportedFormat):
        numpy_file.read(tmp_path / "a.npy")


def test_every_truncation_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    numpy_file.write(polycrystal(), path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 11):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableFile):
            numpy_file.read(path)


def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((9, 9), np.int32))
    path.write_bytes(path.read_bytes().replace(b"(9, 9)", b"(9999999, 9999999)"))
    with pytest.raises(UnreadableFile):
        numpy_file.read(path)


def test_samples_without_grains_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="grain_id"):
        numpy_file.write(replace(polycrystal(), grain_id=None), tmp_path / "a.npy")


def test_level_sets_come_back_as_float32(tmp_path: Path) -> None:
    ms = level_set((9, 8, 7))
    numpy_file.write(ms, tmp_path / "a.npy")
    assert np.array_equal(np.load(tmp_path / "a.npy"), ms.level_set)
    back = numpy_file.read(tmp_path / "a.npy")
    assert np.array_equal(back.level_set, ms.level_set)
    assert np.array_equal(back.phase_id, ms.phase_id)
