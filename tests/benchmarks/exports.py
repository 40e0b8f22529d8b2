"""How fast a large label volume is written, against a plain sequential write of the same bytes, and in how much memory.

    python tests/benchmarks/exports.py [VOXELS ALONG AN AXIS] [FORMAT ...]    (ROUNDS=4: how often each)

Each format is written in a process of its own, in turns with the plain write, the best of each; both bring their
bytes to the disk (fsync). Memory is what the process needs above the sample itself, at its peak, also in slabs of 64
planes of int32.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from microgen.grid import Grid
from microgen.io import write
from microgen.microstructure import Microstructure, Phase

NAMES = ["tif", "vti", "nrrd", "nii", "raw", "npz", "zarr"]
MIB = 2**20
ROUNDS = int(os.environ.get("ROUNDS", 4))


def sample(n: int) -> Microstructure:
    """Cubes of 8 voxels with numbers above 65535, so that every format needs int32."""
    coarse = np.random.default_rng(0).integers(0, 100_000, (-(-n // 8),) * 3, dtype=np.int32)
    labels = np.ascontiguousarray(coarse.repeat(8, 0).repeat(8, 1).repeat(8, 2)[:n, :n, :n])
    phase_id = np.zeros(labels.shape, np.int16)
    return Microstructure(Grid(labels.shape, (0.5,) * 3), phase_id, (Phase("Ni"),), labels)


def plain(folder: Path, data: bytes | memoryview) -> float:
    """Seconds of a sequential write of these bytes."""
    view, block = memoryview(data), 4 * MIB
    start = time.perf_counter()
    with open(folder / "plain", "wb", buffering=0) as file:
        for at in range(0, len(view), block):
            file.write(view[at : at + block])
        os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    (folder / "plain").unlink()
    return seconds


def bytes_of(path: Path) -> bytes:
    """What was written, whether in one file or in a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return b"".join(p.read_bytes() for p in files)


def now() -> int:
    """Bytes the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(name: str, n: int) -> None:
    """One format: prints its row."""
    more = 0.0
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as place:
        folder, ms, ours, theirs = Path(place), sample(n), [], []
        write(sample(8), folder / f"warm.{name}")
        before = now()
        for k in range(ROUNDS):
            path, start, busy = folder / f"{k}.{name}", time.perf_counter(), time.process_time()
            write(ms, path)
            ours.append(time.perf_counter() - start)
            busy = time.process_time() - busy
            more = (peak() - before) / MIB if k == 0 else more  # before the plain write holds the file
            data = bytes_of(path)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            theirs.append(plain(folder, data))
            size = len(data)
            del data
        labels = ms.grain_id.nbytes + (ms.phase_id.nbytes if name in ("vti", "npz") else 0)
        slabs = more / (n * n / 4096)
        raw = plain(folder, np.random.default_rng(0).bytes(labels))
        print(
            f"{name:5} {labels / MIB:7.0f} {size / MIB:7.0f} {min(ours):7.2f} {min(theirs):7.2f} "
            f"{min(theirs) / min(ours):9.2f} {raw / min(ours):9.2f} {busy:7.2f} {more:8.0f} {slabs:8.2f}",
            flush=True,
        )


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; speeds against a plain write, 1 is as fast")
    print("       arrays    file    ours   plain  of the     of the     CPU   memory    memory")
    print("          MiB     MiB       s       s    file     arrays       s      MiB     slabs")
    for name in sys.argv[2:] or NAMES:
        worker = multiprocessing.get_context("spawn").Process(target=measure, args=(name, n))
        worker.start()
        worker.join()


if __name__ == "__main__":
    main()
