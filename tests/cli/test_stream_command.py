"""`microgen polycrystal --stream`: the files of the run in memory, and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from microgen import Microstructure, read
from tests.small_sample import SMALL

OUT = ["--out", "a.zarr", "--out", "a.tif", "--out", "a.csv"]
TWO = ["--phases", '{"name": "a", "fraction": 0.7}', "--phases", '{"name": "b", "fraction": 0.3}']


def test_a_streamed_run_gives_the_files_of_the_run_in_memory(microgen, tmp_path: Path, monkeypatch) -> None:
    drawn: list[Microstructure] = []
    monkeypatch.setattr("microgen_cli._look.has_screen", lambda: False)
    monkeypatch.setattr("microgen_cli._look.draw_sheet", lambda ms, **_: (drawn.append(ms), b"picture")[1])
    whole = microgen("polycrystal", *SMALL, *TWO, "--out", "b.zarr", "--out", "b.tif", "--out", "b.csv")
    done = microgen("polycrystal", *SMALL, *TWO, *OUT, "--stream", "--json", "--preview")
    assert (whole.code, done.code) == (0, 0)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    for name in ("zarr", "tif"):
        one, other = read(tmp_path / f"a.{name}"), read(tmp_path / f"b.{name}")
        assert np.array_equal(one.grain_id, other.grain_id)
        assert np.array_equal(one.phase_id, other.phase_id)
        assert one.provenance.configuration == other.provenance.configuration
    assert done.json["streamed"] is True
    table = done.json["table"]
    assert table["grains"] == {"target": 20, "achieved": 20}
    share = np.mean(read(tmp_path / "a.tif").phase_id == 0)
    assert table["share of a"]["target"] == 0.7
    assert table["share of a"]["achieved"] == pytest.approx(share)
    assert (tmp_path / "a_preview.png").read_bytes() == b"picture"
    assert np.mean(drawn[0].grain_id == one.grain_id) > 0.99  # no coarser, as it is small; with its islands
    assert "mean equivalent diameter" in done.err
    assert "mean equivalent diameter" not in whole.err


def test_a_streamed_file_is_made_again(microgen) -> None:
    assert microgen("polycrystal", *SMALL, "--out", "a.tif", "--stream").code == 0
    again = microgen("rerun", "a.tif", "--json")
    assert (again.code, again.json["identical"]) == (0, True)


@pytest.mark.parametrize("flags", [("--mask", "sphere"), ("--void", 0.2), ("--exponent", 4)])
def test_what_is_solved_for_with_labels_is_not_streamed(microgen, tmp_path: Path, flags) -> None:
    done = microgen("polycrystal", *SMALL, *flags, "--out", "a.tif", "--stream")
    assert done.code == 2
    assert flags[0] in done.err
    assert not (tmp_path / "a.tif").exists()


def test_a_grain_table_is_not_streamed(microgen, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("not read")
    done = microgen("polycrystal", "--sites", "a.csv", "--out", "a.tif", "--stream")
    assert done.code == 2
    assert "--sites" in done.err


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--out", "a.vti"], "a.vti"),
        (["--out", "a.tif", "--report", "a.html"], "--report"),
        (["--out", "a.tif", "--samples", 2], "--samples"),
    ],
)
def test_what_takes_the_whole_sample_is_refused(microgen, more: list[object], named: str) -> None:
    done = microgen("polycrystal", *SMALL, "--stream", *more)
    assert done.code == 2
    assert "--stream" in done.err
    assert named in done.err


def test_a_run_beyond_memory_streams_by_itself_or_says_what_fits(microgen, monkeypatch) -> None:
    need = {"memory": 10**9, "stream": 10**8}
    monkeypatch.setattr("microgen_cli._stream.memory_need", lambda grid, grains: need["memory"] * grid.size / 7680)
    monkeypatch.setattr("microgen_cli._stream.stream_need", lambda grid, grains: need["stream"] * grid.size / 7680)
    monkeypatch.setattr("microgen_cli._stream.available_memory", lambda: 5 * 10**8)
    done = microgen("polycrystal", *SMALL, "--out", "a.tif", "--json")
    assert (done.code, done.json["streamed"]) == (0, True)
    done = microgen("polycrystal", *SMALL, "--out", "b.vti")
    assert done.code == 3
    assert "--stream" in done.err
    assert "--shape 19 16 12" in done.err  # half of the voxels, in their proportions
    need["stream"] = 10**10
    done = microgen("polycrystal", *SMALL, "--out", "b.tif", "--stream")
    assert done.code == 3
    assert "--shape 9 7 6" in done.err


def test_a_killed_run_leaves_no_half_file(tmp_path: Path) -> None:
    code = (
        "import sys, time; from microgen.core import tiles; labels = tiles.Tiles.labels\n"
        "def slow(self, *box):\n    print('part', flush=True); time.sleep(30); return labels(self, *box)\n"
        "tiles.Tiles.many = lambda self, boxes: (slow(self, *box) for box in boxes)\n"
        "from microgen_cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    argv = [sys.executable, "-c", code, "polycrystal", *SMALL, "--stream", *OUT]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "part\n"
        time.sleep(0.2)
        run.send_signal(signal.SIGTERM)
        assert run.wait() == 130
    assert not list(tmp_path.iterdir())
