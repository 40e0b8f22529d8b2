"""The choice of the format by suffix or name, and files that are not what their name says."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.io import MODULES, find_reader, find_writer, read

SCANS = (".ang", ".ctf", ".cpr", ".crc", ".h5", ".hdf5", ".h5oina")
KINDS = {
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "zeros": bytes(5000),
    "text": b"hello\n",
    "empty": b"",
    "blank": b" \n\n",
}
KINDS |= {
    "UTF-16": "# Phase 1\n1 2 3\n".encode("utf-16"),
    "ctf": b"Channel Text File\n",
    "ang": b"# Phase 1\n# NROWS: 2\n",
}


@pytest.mark.parametrize("suffix", SCANS)
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_another_kind_are_refused(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(KINDS[kind])
    with pytest.raises(UnreadableFile) as caught:
        read(path)
    assert caught.value.remedy
    assert "scan" in str(caught.value)


@pytest.mark.parametrize("suffix", SCANS)
def test_missing_files_and_folders_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    with pytest.raises(UnreadableFile, match="does not exist"):
        read(path)
    path.mkdir()
    with pytest.raises(UnreadableFile, match="is a folder"):
        read(path)


@pytest.mark.parametrize(("name", "hint"), [("a.amg", ".ang"), ("a.CTFF", ".ctf"), ("a.tiif", ".tif")])
def test_unknown_suffixes_name_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UnsupportedFormat, match=rf"Did you mean \{hint}") as caught:
        read(name)
    assert ".ang .cpr .crc .ctf" in str(caught.value)


def test_a_name_without_suffix_lists_what_is_known() -> None:
    with pytest.raises(UnsupportedFormat, match="a name without a suffix is none that can be written") as caught:
        find_writer("scan")
    assert ".osc" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.osc", "a.OSC"])
def test_formats_refused_by_name_tell_the_way_out(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnsupportedFormat, match=r"Export the scan as \.ang"):
        read(tmp_path / name)


def test_suffix_in_capitals_and_format_by_name() -> None:
    assert find_reader("SCAN.ANG").NAME == "ang"
    assert find_reader("scan.txt", "ctf").NAME == "ctf"
    with pytest.raises(InvalidParameter, match="one of .*ang"):
        find_reader("scan.ang", "nag")


def test_every_module_says_what_it_reads_or_writes() -> None:
    modules = [import_module(f"microgen.io.{name}") for name in MODULES]
    assert all(m.NAME and m.SUFFIXES and (hasattr(m, "read") or hasattr(m, "write")) for m in modules)
    assert len({m.NAME for m in modules}) == len(modules)
    assert all(s.startswith(".") and s == s.lower() for m in modules for s in m.SUFFIXES)


def test_reading_a_text_scan_loads_no_torch_and_no_drawing() -> None:
    code = "import sys, microgen.io as io; io.find_reader('a.ang'); print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"torch", "pyvista", "vtk", "matplotlib", "h5py", "tifffile"}
