"""Parts of a streamed sample made by the workers of a Dask cluster: processes of this machine or of many.

Workers get the diagram once and keep it; each part is a task of its own. What a lost worker held is made again by the
others, the diagram too, as the scheduler knows how. Labels are those made here, to the last bit, on the same class of
processors.
"""

from __future__ import annotations

import pickle
import warnings
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

from microgen.errors import EnvironmentProblem
from microgen.grid import Grid
from microgen.microstructure import TiledMicrostructure

AHEAD = 2
"""Parts that are asked for before they are wanted, for each thread of a worker."""
WAIT = 10.0
"""Seconds that a scheduler may take to answer."""
PATIENCE = 3
"""So many times as long there may be no worker: lost ones are started again."""

_ONE = Lock()
"""A part uses all threads that Numba has in the process."""

Box = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class ClusterTiles:
    """Tiles whose parts are made by workers, some ahead of time, and come in order."""

    tiles: Any
    client: Any
    """A distributed.Client, which takes calls from this thread."""

    def labels(self, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
        """int32 [stop - start]: the labels of one part."""
        return next(self.many([(start, stop)]))

    def on(self, grid: Grid) -> np.ndarray:
        """The labels on another grid of the box: made here."""
        return self.tiles.on(grid)

    def many(self, boxes: Iterable[Box]) -> Iterator[np.ndarray]:
        """Labels of one box (start, stop) after the other. Raises EnvironmentProblem where all workers are lost."""
        blob = pickle.dumps(self.tiles, protocol=5)
        waiting: deque[Any] = deque()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")  # the diagram, once
            known = self.client.submit(pickle.loads, blob, key=f"microgen-{zlib.crc32(blob):08x}-{len(blob)}")
        workers: Any = self.client.nthreads()  # a coroutine of asynchronous clients alone
        threads = max(1, sum(workers.values()))
        for box in boxes:
            waiting.append(self.client.submit(_made, known, box, pure=False, retries=3))
            if len(waiting) > AHEAD * threads:
                yield self._result(waiting.popleft())
        while waiting:
            yield self._result(waiting.popleft())

    def _result(self, future: Any) -> np.ndarray:
        try:
            shape, packed = self._waited(future)
        except EnvironmentProblem:
            raise
        except (Exception, CancelledError) as error:  # whatever a worker met: its own error comes back as it was
            problem = f"the cluster lost a part for good ({type(error).__name__}: {error})"
            remedy = "See the workers' logs: most often they lack memory, or another version of microgen."
            raise EnvironmentProblem(f"{problem}. {remedy}") from error
        return np.frombuffer(packed, np.int32).reshape(shape)

    def _waited(self, future: Any) -> Any:
        """The result; a scheduler without workers would be waited for without end."""
        gone = 0
        while True:
            try:
                return future.result(timeout=WAIT)
            except TimeoutError:
                gone = 0 if self.client.nthreads() else gone + 1
                if gone == PATIENCE:
                    lost = f"the cluster has had no worker for {gone * WAIT:.0f} s"
                    raise EnvironmentProblem(f"{lost}. Start some, and run the command again.") from None


def _made(tiles: Any, box: Box) -> tuple[tuple[int, ...], bytes]:
    """In a worker: shape and labels of a part."""
    with _ONE:
        labels = np.ascontiguousarray(tiles.labels(*box))
    return labels.shape, labels.tobytes()


@contextmanager
def on_cluster(sample: TiledMicrostructure, address: str) -> Iterator[TiledMicrostructure]:
    """The sample with its parts made by the workers of the scheduler at `address`, such as tcp://host:8786.

    Raises EnvironmentProblem where there is no `distributed`, no scheduler, or no worker.
    """
    with _client(address) as client:
        yield replace(sample, tiles=ClusterTiles(sample.tiles, client))


def check_cluster(address: str) -> None:
    """Raise EnvironmentProblem where `on_cluster` would, before anything is computed."""
    with _client(address):
        pass


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        install = "pip install 'microgen-gpu[cluster]'"
        raise EnvironmentProblem(f"a cluster needs the package distributed. Install it: {install}") from error
    try:
        client: Any = Client(address, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        remedy = "Start one (dask scheduler) and workers with the same microgen (dask worker ADDRESS)."
        raise EnvironmentProblem(f"no Dask scheduler answers at {address} ({reason}). {remedy}") from error
    with client:
        if not client.nthreads():
            raise EnvironmentProblem(f"the scheduler at {address} has no worker. Start some: dask worker {address}")
        yield client
