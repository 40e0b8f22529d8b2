"""Parts made by the workers of a cluster on this machine: the same labels, and lost workers are made up for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from microgen_cli.main import main

from microgen import Grid, Polycrystal, read
from microgen.errors import EnvironmentProblem
from microgen.io.cluster import on_cluster

distributed = pytest.importorskip("distributed", reason="no distributed: pip install 'microgen-gpu[cluster]'")

GRID = Grid((40, 36, 34), (1.0,) * 3, periodic=(True, True, False))
BOXES = [((x, y, 0), (min(x + 16, 40), min(y + 16, 36), 34)) for x in range(0, 40, 16) for y in range(0, 36, 16)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process with one thread; a nanny starts lost ones again."""
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with distributed.LocalCluster(**options) as made:
        yield made


def test_workers_make_the_same_parts_and_a_lost_one_is_made_up_for(cluster: Any) -> None:
    sample = Polycrystal(30).stream(GRID, seed=0)
    with on_cluster(sample, cluster.scheduler_address) as there:
        parts = there.tiles.many(BOXES)
        first = next(parts)
        with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
            pids = client.run(os.getpid)
        os.kill(next(iter(pids.values())), signal.SIGKILL)
        found = [first, *parts]
        again = there.crop(*BOXES[0])
    assert len(found) == len(BOXES)
    for labels, box in zip(found, BOXES):
        assert np.array_equal(labels, sample.tiles.labels(*box))
    assert np.array_equal(again.grain_id, found[0])


def test_the_command_writes_the_same_file_with_a_cluster(cluster: Any, tmp_path: Path) -> None:
    flags = ["polycrystal", "--grains", "20", "--shape", "20", "18", "16", "--quiet"]
    assert main([*flags, "--out", str(tmp_path / "a.zarr")]) == 0
    assert main([*flags, "--out", str(tmp_path / "b.zarr"), "--cluster", cluster.scheduler_address]) == 0
    one, other = (read(tmp_path / name) for name in ("a.zarr", "b.zarr"))
    assert np.array_equal(one.grain_id, other.grain_id)
    assert one.provenance is not None
    assert other.provenance is not None
    assert one.provenance.configuration == other.provenance.configuration


def test_a_cluster_without_workers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Polycrystal(10).stream(Grid((16, 16, 16), (1.0,) * 3), seed=0)
    monkeypatch.setattr("microgen.io.cluster.WAIT", 1.0)
    options: dict[str, Any] = {"n_workers": 1, "dashboard_address": ":0", "silence_logs": 50, "processes": False}
    with distributed.LocalCluster(**options) as made, on_cluster(sample, made.scheduler_address) as there:
        made.scale(0)
        time.sleep(0.5)
        with pytest.raises(EnvironmentProblem, match="no worker"):
            there.crop((0, 0, 0), (8, 8, 8))


class Broken:
    """Tiles that are only to be pickled: a worker does not know this module."""


def test_what_a_worker_meets_is_told(cluster: Any) -> None:
    sample = replace(Polycrystal(10).stream(Grid((16, 16, 16), (1.0,) * 3), seed=0), tiles=Broken())
    with on_cluster(sample, cluster.scheduler_address) as there, pytest.raises(EnvironmentProblem, match="lost a part"):
        there.crop((0, 0, 0), (8, 8, 8))


def test_no_scheduler_and_no_worker_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Polycrystal(10).stream(Grid((16, 16, 16), (1.0,) * 3), seed=0)
    monkeypatch.setattr("microgen.io.cluster.WAIT", 0.3)
    with pytest.raises(EnvironmentProblem, match="no Dask scheduler answers"), on_cluster(sample, "tcp://127.0.0.1:9"):
        pass
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50, processes=False) as empty:
        address = empty.scheduler_address
        with pytest.raises(EnvironmentProblem, match="has no worker"), on_cluster(sample, address):
            pass
