"""Volumes made to do harm: little memory is taken, no code is run, no other file is opened, and the error is typed."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polycrystals import polycrystal

from microgen.errors import MicrogenError, UnreadableFile, UnsupportedFormat
from microgen.io import read, write
from microgen.io.sidecar import read_provenance

BOMB = 60_000_000
"""Bytes that a few kilobytes of each bomb stand for."""
LITTLE = 40_000_000


class Bomb:
    """Unpickling this would raise."""

    def __reduce__(self):  # noqa: ANN204
        return pytest.fail, ("a pickle was opened",)


def refused(path: Path, *, format: str | None = None, match: str | None = None) -> None:
    """Reading is refused by a typed error, in little memory."""
    with in_little_memory(), pytest.raises((UnreadableFile, UnsupportedFormat), match=match):
        read(path, format=format)


@contextmanager
def in_little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()


NRRD = "NRRD0005\n{more}\ntype: uint8\ndimension: 3\nsizes: {sizes}\nencoding: {encoding}\n\n"


def nrrd(path: Path, data: bytes, *, sizes: str = "4 4 4", encoding: str = "raw", more: str = "#") -> Path:
    path.write_bytes(NRRD.format(sizes=sizes, encoding=encoding, more=more).encode() + data)
    return path


def nifti(path: Path, shape: tuple[int, ...], data: bytes, *, packed: bool = False) -> Path:
    from nibabel.nifti1 import Nifti1Header

    header = Nifti1Header(endianness="<")
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    content = header.binaryblock + bytes(4) + data
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def page(data: bytes, side: int, packing: int) -> bytes:
    """A TIFF of one page of one strip."""
    tags = [(256, 3, side), (257, 3, side), (258, 3, 8), (259, 3, packing), (262, 3, 1), (273, 4, 122), (277, 3, 1)]
    tags += [(278, 3, side), (279, 4, len(data))]
    entries = b"".join(struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + data


def archive(path: Path, method: int, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", method) as package:
        for name, data in members.items():
            package.writestr(name, data)
    return path


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress)])
def test_nrrd_that_unpacks_to_more_than_it_says(tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    refused(nrrd(tmp_path / "a.nrrd", pack(bytes(BOMB)), encoding=encoding), match="more data")
    refused(nrrd(tmp_path / "a.nrrd", pack(bytes(9)), sizes="40000 40000 40000", encoding=encoding), match="announces")
    refused(nrrd(tmp_path / "a.nrrd", pack(bytes(9)), more="byte skip: 9999999999", encoding=encoding))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sizes": "4000 4000 4000"}, "bytes of data"),
        ({"sizes": "99999999999999999999 4 4"}, None),
        ({"sizes": "0 4 4"}, "sizes"),
        ({"sizes": "4 4"}, "sizes"),
        ({"sizes": "4000 4000 4000", "encoding": "ascii"}, "values in"),
        ({"encoding": "hex"}, "hex"),
        ({"more": "line skip: 999999999"}, "line skip"),
        ({"more": "byte skip: -7"}, "byte skip"),
        ({"more": "x" * 2**25}, "no end"),
        ({"more": "#\n" * 20_000}, "no end"),
        ({"more": "data file: /etc/passwd"}, "outside its folder"),
        ({"more": "data file: ../a.bin"}, "outside its folder"),
        ({"more": "data file: sub/a.bin"}, "outside its folder"),
        ({"more": "data file: link.bin"}, "outside its folder"),
        ({"more": "data file: none.bin"}, "is not there"),
        ({"more": "data file: a%03d.bin 1 9 1"}, "several files"),
        ({"more": "data file: LIST"}, "several files"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_nrrd_headers(tmp_path: Path, options: dict, match: str | None) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.bin", "in/sub/a.bin"):
        (tmp_path / name).write_bytes(bytes(64))
    (tmp_path / "in" / "link.bin").symlink_to(tmp_path / "a.bin")
    refused(nrrd(tmp_path / "in" / "a.nhdr", bytes(64), **options), match=match)


def test_nrrd_data_beside_its_header_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(range(64)))
    ms = read(nrrd(tmp_path / "a.nhdr", b"", more="data file: a.raw"))
    assert ms.grey.ravel(order="F").tolist() == list(range(64))


@pytest.mark.parametrize("packed", [False, True])
def test_nifti_that_promises_too_much(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "a.nii.gz"
    refused(nifti(path, (30000, 30000, 30000), bytes(64), packed=packed), match="announces")
    refused(nifti(path, (20, 20, 20), bytes(64), packed=packed), match="ends after")
    content = bytearray(nifti(path, (4, 4, 4), bytes(64)).read_bytes())
    for offset in (1e9, -1e9, float("nan"), float("inf")):
        struct.pack_into("<f", content, 108, offset)  # where the data begin
        path.write_bytes(gzip.compress(content) if packed else content)
        refused(path)


def test_nifti_whose_data_go_on_and_on_is_not_unpacked_further(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii.gz", (4, 4, 4), bytes(BOMB), packed=True)
    with in_little_memory():
        assert read(path).grid.shape == (4, 4, 4)


def test_npz(tmp_path: Path) -> None:
    path, deflated = tmp_path / "a.npz", zipfile.ZIP_DEFLATED
    refused(archive(path, deflated, {"grain_id.npy": npy(np.array([Bomb()]))}), match="pickled")
    refused(archive(path, deflated, {"grain_id.npy": pickle.dumps(Bomb())}))
    head = npy(np.zeros((2, 2), np.uint8)).replace(b"(2, 2)", b"(99999, 99999)")
    refused(archive(path, deflated, {"grain_id.npy": head}), match="announces")
    refused(archive(path, zipfile.ZIP_BZIP2, {"grain_id.npy": npy(np.zeros((2, 2)))}), match="packed")
    refused(archive(path, deflated, {"other.npy": bytes(BOMB)}), match="grain_id")
    refused(archive(path, deflated, {f"{k}.npy": b"" for k in range(2000)}), match="2000 arrays")
    data = bytearray(archive(path, deflated, {"grain_id.npy": npy(np.zeros((2, 2), np.uint8))}).read_bytes())
    data[data.rfind(b"PK\1\2") + 24 : data.rfind(b"PK\1\2") + 28] = b"\xff\xff\xff\x7f"  # the size it says it has
    path.write_bytes(data)
    refused(path, match="announces")


@pytest.mark.parametrize("format", [None, "imagej"])
def test_tiff(tmp_path: Path, format: str | None) -> None:
    path = tmp_path / "a.tif"
    for content, match in [
        (page(zlib.compress(bytes(BOMB * 2), 9), 600, 8), "unpacks to more"),
        (page(lzma.compress(bytes(BOMB)), 200, 34925), "packed in a way"),
        (page(bytes(100), 60000, 1), "announces|truncated"),
        (b"II*\0\x08\0\0\0" + struct.pack("<H", 65000) + bytes(12 * 65000), "number of tags"),
        (b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 10**6) + bytes(20 * 10**6), "number of tags"),
    ]:
        path.write_bytes(content)
        refused(path, format=format, match=match)


def test_tiff_whose_pages_run_in_a_circle_or_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tifffile

    from microgen.io import ome_tiff

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((3, 16, 16), np.uint8), metadata=None, photometric="minisblack")
    monkeypatch.setattr(ome_tiff, "_MOST_PAGES", 2)
    refused(path, match="3 pages")
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[0].offset, tif.pages[2].offset
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, last + 2 + 12 * struct.unpack_from("<H", data, last)[0], first)
    path.write_bytes(data)
    with suppress(MicrogenError):
        assert read(path).grid.size <= 3 * 16 * 16


def test_zip(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        path = archive(tmp_path / "a.zip", method, {"a.tif": b"II*\0" + bytes(BOMB)})
        data = bytearray(path.read_bytes())
        for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):  # says that it unpacks to 100 bytes
            struct.pack_into("<I", data, data.rfind(mark) + at, 100)
        path.write_bytes(data)
        refused(path)


def test_pictures(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for k in range(2):
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0))
        picture = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
        (tmp_path / f"{k}.png").write_bytes(picture)
    refused(tmp_path)


def test_raw(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(64))
    for facts in (
        {"shape": [10**9, 10**9], "dtype": "u1"},
        {"shape": [8, 8], "dtype": "O"},
        {"shape": [8, 8], "dtype": "u1", "offset": -64},
        {"shape": [4, 4], "dtype": "u1", "offset": 10**30},
        {"raw": 3},
        {"raw": {"shape": [8, 8], "dtype": "u1"}, "sample": {"shape": [10**9] * 3}, "command": "x"},
        [1],
    ):
        (tmp_path / "a.raw.json").write_text(json.dumps(facts))
        refused(tmp_path / "a.raw")


def test_hdf5_that_leads_elsewhere(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    from microgen.io import hdf5

    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.arange(9.0)
    layout = h5py.VirtualLayout(shape=(9,), dtype=float)
    layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", shape=(9,))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink("secret.h5", "x")
        file["soft"] = h5py.SoftLink("/link")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("outside", (9,), "u1", external=[(str(tmp_path / "secret.h5"), 0, 9)])
        file.create_dataset("absurd", (10**12,), "f8", chunks=(1000,), compression="gzip")
    with hdf5.opened(tmp_path / "a.h5", remedy="") as file:
        assert hdf5.vector(tmp_path, file, "link") is None
        assert hdf5.vector(tmp_path, file, "soft") is None
        for name in ("virtual", "outside", "absurd"):
            with pytest.raises(UnreadableFile, match="no data of its own"):
                hdf5.vector(tmp_path, file, name)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of a small sample in each format."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("a.nrrd", "a.nii", "a.nii.gz", "a.npz", "a.raw", "b.tif"):
        write(polycrystal((3, 4, 5)), folder / name, format="imagej" if name == "b.tif" else None)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["a.nrrd", "a.nii", "a.nii.gz", "a.npz", "a.raw.json", "b.tif"])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6), cut=st.floats(0, 1)
)
def test_damage_gives_a_typed_error_or_a_sample(
    tmp_path: Path, files: dict[str, bytes], name: str, flips: list[tuple[float, int]], cut: float
) -> None:
    data = bytearray(files[name])
    for place, byte in flips:
        data[int(place * len(data))] = byte
    if name == "a.raw.json":
        (tmp_path / "a.raw").write_bytes(files["a.raw"])
    (tmp_path / name).write_bytes(data[: int(cut * len(data))] if cut < 0.4 else data)
    for look in (read, read_provenance):
        with suppress(MicrogenError):
            look(tmp_path / name.removesuffix(".json"))
