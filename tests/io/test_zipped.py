"""Zipped TIFF and headerless raw values."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings, strategies as st

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.io import read, zipped
from microgen.io.raw_json import read_raw

VALUES = np.random.default_rng(0).integers(0, 255, (5, 6, 7)).astype(np.uint8)  # x, y, z


def archive(path: Path, *names: str, data: bytes | None = None, method: int = zipfile.ZIP_DEFLATED) -> Path:
    picture = io.BytesIO()
    tifffile.imwrite(picture, VALUES.T)
    with zipfile.ZipFile(path, "w", method) as file:
        for name in names:
            file.writestr(name, picture.getvalue() if data is None else data)
    return path


@pytest.mark.parametrize("name", ["volume.tif", "../../evil.tif", "/abs/VOLUME.TIFF"])
def test_the_only_picture_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    ms = read(archive(tmp_path / "a.zip", name, "__MACOSX/._volume.tif"))
    np.testing.assert_array_equal(ms.grey, VALUES)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_no_or_several_pictures_are_refused(tmp_path: Path) -> None:
    for names in ((), ("a.tif", "b.tif"), ("notes.txt",)):
        with pytest.raises(UnsupportedFormat, match="one TIFF"):
            read(archive(tmp_path / "a.zip", *names))


def test_damage_and_bombs_are_refused(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.zip", "volume.tif").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"PK" + whole[5:]):
        (tmp_path / "b.zip").write_bytes(damaged)
        with pytest.raises(UnreadableFile):
            read(tmp_path / "b.zip")
    with pytest.raises((UnreadableFile, UnsupportedFormat)):
        read(archive(tmp_path / "c.zip", "volume.tif", data=b"no picture"))


def test_raw_values_have_x_fastest(tmp_path: Path) -> None:
    path = tmp_path / "volume.raw"
    VALUES.astype(">u2").T.tofile(path)  # z, y, x in C order
    ms = read_raw(path, shape=VALUES.shape, dtype=">u2", spacing=(2.0,) * 3)
    np.testing.assert_array_equal(ms.grey, VALUES)
    assert ms.grid.spacing == (2.0,) * 3


def test_raw_files_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "volume.raw"
    VALUES.tofile(path)
    with pytest.raises(UnreadableFile, match="210 bytes"):
        read_raw(path, shape=(5, 6, 8), dtype="uint8", spacing=None)
    with pytest.raises(InvalidParameter, match="raw"):
        read_raw(path, shape=(5, 6, 7), dtype="voxels", spacing=None)


def test_a_shared_volume(real_data: Path) -> None:
    ms = read(real_data / "uct" / "mosser_ketton.zip")
    assert ms.grid.shape == (256, 256, 256)
    assert len(np.unique(ms.grey)) == 2


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "LARGEST", 100)
    with pytest.raises(UnreadableFile, match="claims"):
        read(archive(tmp_path / "a.zip", "volume.tif"))
    monkeypatch.setattr(zipped, "LARGEST", 2**32)
    bomb = archive(tmp_path / "b.zip", "volume.tif", data=bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(UnsupportedFormat, match="no TIFF"):
        read(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.zip", "../../evil.tif")
    monkeypatch.setattr("tempfile.mkstemp", None)
    monkeypatch.setattr("tempfile.mkdtemp", None)
    assert read(path).grey is not None
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_errors_name_the_archive_and_the_picture(tmp_path: Path) -> None:
    picture = io.BytesIO()
    tifffile.imwrite(picture, VALUES.T)
    path = archive(tmp_path / "a.zip", "volume.tif", data=picture.getvalue()[:-100])
    with pytest.raises(UnreadableFile, match=r"a\.zip: volume\.tif in it"):
        read(path)


@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    cut=st.floats(0, 1),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_archives(tmp_path: Path, flips: list[tuple[float, int]], cut: float, method: int) -> None:
    data = bytearray(archive(tmp_path / "a.zip", "volume.tif", method=method).read_bytes())
    for place, byte in flips:
        data[int(place * len(data))] = byte
    (tmp_path / "b.zip").write_bytes(data[: int(cut * len(data))] if cut < 0.5 else data)
    with suppress(UnreadableFile, UnsupportedFormat):
        ms = read(tmp_path / "b.zip")
        assert ms.grid.size <= 1100 * len(data)


@given(data=st.binary(max_size=200))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_an_archive(tmp_path: Path, data: bytes) -> None:
    with pytest.raises((UnreadableFile, UnsupportedFormat)):
        read(archive(tmp_path / "a.zip", "volume.tif", data=b"II*\0" + data))
