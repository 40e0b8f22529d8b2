"""Laguerre diagrams without a grid: exact cells, and weights that give them exactly prescribed volumes.

Cell i = {y : |y - x_i|² - w_i minimal}, in a box that is periodic along some axes, over all images of the sites there.
Weights maximise the concave dual g(w) = sum_i v_i w_i + ∫ min_i (|y - x_i|² - w_i) dy, whose gradient is v_i - |cell_i|
and whose Hessian is minus the Laplacian of the graph of faces, with stiffness |face_ij| / (2 |x_i - x_j|). Newton's
step is halved until no cell comes near to being empty and the residual falls, which converges from any start without
empty cells (Kitagawa, Mérigot, Thibert, J. Eur. Math. Soc. 2019, algorithm 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix, csr_matrix, diags_array
from scipy.sparse.linalg import cg
from scipy.spatial import KDTree

from microgen.core.kernels import laguerre as kernel
from microgen.core.kernels.clipping import TANGLED
from microgen.errors import InvalidParameter, NotConverged
from microgen.threads import in_threads

FLAT = 1e-10  # faces below this share of a mean cell's face are points and edges in which lattices touch
FACES, MOST_FACES = 64, 2**13  # a cell; more only where it is found to have more
STEPS, HALVINGS = 60, 30
CAUTIOUS = 0.5  # share of the smallest cell (wanted, or at the start) that no cell falls below


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a Laguerre diagram in the box [0, lengths). Lengths in µm; row k belongs to site k."""

    sites: Float[np.ndarray, "n 3"]
    weights: Float[np.ndarray, " n"]
    """µm²"""
    lengths: tuple[float, ...]
    periodic: tuple[bool, ...]
    volumes: Float[np.ndarray, " n"]
    """µm³, summing to the box."""
    centroids: Float[np.ndarray, "n 3"]
    """Next to their site along periodic axes; the site itself for an empty cell."""
    first: Int[np.ndarray, " n_plus_1"]
    """Faces of cell k are the rows first[k] to first[k + 1] of the next three, each face seen from both its cells."""
    neighbour: Int[np.ndarray, " m"]
    """Row of the cell behind the face; -1 - 2 axis for the lower wall across an axis, -2 - 2 axis for the upper."""
    shift: Int[np.ndarray, "m 3"]
    """Boxes by which that cell is moved."""
    area: Float[np.ndarray, " m"]
    """µm²"""

    def __len__(self) -> int:
        return len(self.sites)

    @property
    def owner(self) -> Int[np.ndarray, " m"]:
        """Row of the cell that each face is seen from."""
        return np.repeat(np.arange(len(self)), np.diff(self.first))


@dataclass(frozen=True, eq=False)
class Weighed:
    """Outcome of `laguerre_weights`."""

    cells: Cells
    error_max: float
    """Largest relative error of a volume."""
    steps: int
    """Newton steps."""
    diagrams: int
    """Diagrams made on the way."""


def laguerre_cells(
    sites: Float[np.ndarray, "n 3"],
    weights: Float[np.ndarray, " n"],
    *,
    lengths: Sequence[float],
    periodic: Sequence[bool],
) -> Cells:
    """The cells of sites (µm) with weights (µm²), exact to rounding.

    Raises InvalidParameter for numbers that are not finite, sites beyond a wall, and sites that coincide.
    """
    sites, weights = checked(sites, weights, lengths, periodic)
    return _found(clipped(sites, weights, lengths, periodic, shapes=False), sites, weights, lengths, periodic)


def laguerre_weights(
    sites: Float[np.ndarray, "n 3"],
    volumes: Float[np.ndarray, " n"],
    *,
    lengths: Sequence[float],
    periodic: Sequence[bool],
    tolerance: float = 1e-6,
    start: Float[np.ndarray, " n"] | None = None,
    on_step: Callable[[float], None] | None = None,
) -> Weighed:
    """Weights (µm², of mean 0) for which each cell has its volume (µm³) within the relative tolerance.

    `start` are weights of a similar problem; those that empty a cell are drawn towards 0 until none is.
    Raises InvalidParameter as `laguerre_cells`, and for volumes that are not positive or do not fill the box;
    NotConverged, with the best outcome, where rounding ends the descent first.
    """
    volumes = np.asarray(volumes, np.float64)
    box = float(np.prod(lengths))
    if volumes.shape != (len(sites),) or not (np.isfinite(volumes) & (volumes > 0)).all():
        raise InvalidParameter("volumes", expected="a positive volume for each site", got=volumes.shape)
    if abs(volumes.sum() / box - 1) > 1e-6:
        expected = f"volumes that sum to the box, {box:.6g} µm³"
        raise InvalidParameter("volumes", expected=expected, got=f"{volumes.sum():.6g}")
    volumes = volumes * (box / volumes.sum())

    def make(weights: np.ndarray) -> Cells:
        return laguerre_cells(sites, weights, lengths=lengths, periodic=periodic)

    guess = (3 * volumes / (4 * np.pi)) ** (2 / 3) if start is None else np.asarray(start, np.float64)
    best = _newton(make, guess, volumes, tolerance, on_step)
    if best.error_max > tolerance:
        raise NotConverged(
            f"volumes are off by up to {best.error_max:.2g}, the tolerance is {tolerance:.2g}. "
            "Sites may lie too close to each other for rounding.",
            best=best,
        )
    return best


def _newton(
    make: Callable[[np.ndarray], Cells],
    guess: np.ndarray,
    volumes: np.ndarray,
    tolerance: float,
    on_step: Callable[[float], None] | None,
) -> Weighed:
    cells, made = _without_empty(make, guess - guess.mean())
    floor = CAUTIOUS * min(cells.volumes.min(), volumes.min())
    error, step = np.inf, 0
    for step in range(STEPS + 1):
        residual = volumes - cells.volumes
        error = float(np.abs(residual / volumes).max())
        if on_step is not None:
            on_step(error)
        if error <= tolerance or step == STEPS:
            break
        direction, norm, share = _direction(cells, residual), np.linalg.norm(residual), 1.0
        for _ in range(HALVINGS):
            trial = make(cells.weights + share * direction)
            made += 1
            falls = np.linalg.norm(volumes - trial.volumes) <= (1 - share / 2) * norm
            if trial.volumes.min() >= floor and falls:
                break
            share /= 2
        else:  # as near as rounding lets it come
            break
        cells = trial
    return Weighed(cells, error, step, made)


def _without_empty(make: Callable[[np.ndarray], Cells], weights: np.ndarray) -> tuple[Cells, int]:
    """Cells of the weights, or of so large a part of them that no cell is empty; at 0 each holds its own site."""
    for k in range(1, 9):
        cells = make(weights)
        if cells.volumes.min() > 1e-3 * np.prod(cells.lengths) / len(cells):
            return cells, k
        weights = weights * 0.7 if k < 8 else weights * 0.0
    return make(weights), 9


def _direction(cells: Cells, residual: np.ndarray) -> np.ndarray:
    """Newton's direction: L d = residual, of mean 0."""
    laplacian = stiffness(cells)
    diagonal = laplacian.diagonal()
    found, _ = cg(laplacian, residual - residual.mean(), rtol=1e-9, maxiter=5000, M=diags_array(1 / diagonal))
    return found - found.mean()


def stiffness(cells: Cells) -> csr_matrix:
    """Laplacian [n, n] of the faces, d|cell_i|/dw_j = -|face_ij| / (2 |x_i - x_j|) off its diagonal; in µm."""
    inner = (cells.neighbour >= 0) & (cells.neighbour != cells.owner)
    i, j = cells.owner[inner], cells.neighbour[inner]
    apart = cells.sites[j] + cells.shift[inner] * np.array(cells.lengths) - cells.sites[i]
    value = 0.5 * cells.area[inner] / np.linalg.norm(apart, axis=1)
    n = len(cells)
    off = coo_matrix((value, (i, j)), shape=(n, n)).tocsr()
    off = (off + off.T) * 0.5
    return csr_matrix(diags_array(np.asarray(off.sum(axis=1)).ravel()) - off)


def checked(
    sites: np.ndarray, weights: np.ndarray, lengths: Sequence[float], periodic: Sequence[bool]
) -> tuple[np.ndarray, np.ndarray]:
    """Sites in the box, and weights, as float64; see `laguerre_cells`."""
    sites, weights, box = (np.array(a, np.float64) for a in (sites, weights, lengths))
    n = len(sites)
    if box.shape != (3,) or not (np.isfinite(box) & (box > 0)).all() or len(periodic) != 3:
        raise InvalidParameter("lengths", expected="three positive lengths, and periodic for each", got=lengths)
    if n < 1 or sites.shape != (n, 3) or not np.isfinite(sites).all():
        raise InvalidParameter("sites", expected="finite numbers of shape (n, 3)", got=sites.shape)
    if weights.shape != (n,) or not np.isfinite(weights).all():
        raise InvalidParameter("weights", expected=f"finite numbers of shape ({n},)", got=weights.shape)
    wraps = np.array(periodic, bool)
    beyond = ~wraps & ((sites < 0) | (sites > box))
    if beyond.any():
        k = int(beyond.any(axis=1).argmax())
        raise InvalidParameter("sites", expected="sites between the walls", got=f"site {k + 1} at {sites[k].tolist()}")
    sites = np.where(wraps, sites % box, sites)
    sites = np.where(wraps & (sites >= box), 0.0, sites)
    wrapped = KDTree(sites / box.max(), boxsize=np.where(wraps, box / box.max(), 0.0))
    close = wrapped.query_pairs(1e-12, output_type="ndarray")
    if len(close):
        i, j = close[0] + 1
        raise InvalidParameter("sites", expected="distinct points", got=f"sites {i} and {j} in one place")
    return sites, weights


def clipped(
    sites: np.ndarray, weights: np.ndarray, lengths: Sequence[float], periodic: Sequence[bool], *, shapes: bool
) -> kernel.Room:
    """What the kernel finds for sites in the box, with room for the largest cell."""
    bins = kernel.bins(sites, weights, np.array(lengths, float), np.array(periodic, bool))
    faces, n = FACES, len(sites)
    while True:
        room, status = kernel.room(n, faces, shapes=shapes), np.zeros(n, np.int64)
        in_threads(kernel.clip, bins, room, status)
        if (status == TANGLED).any():
            k = int((status == TANGLED).argmax())
            got = f"site {k + 1} at {sites[k].tolist()}"
            raise InvalidParameter("sites", expected="sites that can be told apart", got=got)
        if not status.any():
            return room
        faces *= 2
        if faces > MOST_FACES:
            raise InvalidParameter("sites", expected=f"cells of at most {MOST_FACES} faces", got="more")


def _found(
    room: kernel.Room, sites: np.ndarray, weights: np.ndarray, lengths: Sequence[float], periodic: Sequence[bool]
) -> Cells:
    box = np.array(lengths, float)
    there = np.arange(room.owner.shape[1]) < room.faces[:, None]
    there &= room.area > FLAT * (np.prod(box) / len(sites)) ** (2 / 3)
    first = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    moved = room.moment / np.where(room.volume > 0, room.volume, 1.0)[:, None]
    return Cells(
        sites,
        weights,
        tuple(map(float, lengths)),
        tuple(map(bool, periodic)),
        room.volume,
        sites + moved,
        first,
        room.owner[there],
        room.shift[there].astype(np.int64),
        room.area[there],
    )
