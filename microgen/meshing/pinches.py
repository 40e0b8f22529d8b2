"""Voxels changed where a label touches itself along an edge or at a corner: its surface would not be manifold."""

from __future__ import annotations

from itertools import product

import numpy as np

OUTSIDE = -1
ROUNDS, PATIENCE = 200, 5
SHAKE = 0.1  # share of changes that are any
MANY = 500  # places that single voxels will not mend: noise
_NEXT = [[c ^ bit for bit in (1, 2, 4)] for c in range(8)]
_STEPS = np.array([[c & 1, c >> 1 & 1, c >> 2] for c in range(8)])
_FACES = np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)])


def without_pinches(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels [x, y, z] (0 or above) with few voxels changed, and how many were.

    Of the eight voxels round a corner, those of a label shall hang together by faces, and so shall the others (well-
    composed images: Latecki, Eckhardt & Rosenfeld, CVIU 61, 1995). Where they do not, the smallest loose piece takes
    another label. Two places may undo each other's change: after `PATIENCE` rounds the best of all changes is made.
    What is left after `ROUNDS` rounds, or is far too much (noise), stays.
    """
    around = np.pad(labels, 1, constant_values=OUTSIDE)
    corners, changed = np.argwhere(np.ones(tuple(n + 1 for n in labels.shape), bool)), set()
    rng = np.random.default_rng(0)
    for turn in range(ROUNDS):
        corners = corners[_pinched(around, corners)]
        if not len(corners) or (turn > PATIENCE and len(corners) > MANY):
            break
        touched = [_choose(around, at, rng) if turn > PATIENCE else _mend(around, at) for at in corners]
        changed.update(map(tuple, touched))
        corners = np.unique((np.array(touched)[:, None] - _STEPS).reshape(-1, 3), axis=0)
    return np.ascontiguousarray(around[1:-1, 1:-1, 1:-1]), len(changed)


def _pinched(around: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Corners [n, 3] at which a label touches itself; bool [n]."""
    block = around[tuple(np.moveaxis(corners[:, None] + _STEPS, -1, 0))]
    mixed = np.flatnonzero((block != block[:, :1]).any(axis=1))
    codes, block = np.zeros((len(mixed), 8), np.uint8), block[mixed]
    for p, q in product(range(8), repeat=2):
        codes[:, p] |= (block[:, q] == block[:, p]).astype(np.uint8) << q
    out = np.zeros(len(corners), bool)
    out[mixed] = (_PINCHED[codes] & (block != OUTSIDE)).any(axis=1)
    return out


def _mend(around: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Change the smallest loose piece round a corner, unless a change beside it helped; returns one of its voxels."""
    places = corner + _STEPS
    block = around[tuple(places.T)]
    choices = []
    for label in np.unique(block[block != OUTSIDE]):
        inside = block == label
        if not _PINCHED[int(inside @ (1 << np.arange(8)))]:
            continue
        for own in (True, False):
            pieces = _pieces(inside == own)
            for piece in sorted(pieces, key=len)[: len(pieces) - 1]:
                choices += [(len(piece), not own, int(label), c) for c in piece if block[c] != OUTSIDE]
    if not choices:
        return places[int((block != OUTSIDE).argmax())]
    _, gains, label, place = min(choices)
    at = places[place]
    around[tuple(at)] = label if gains else _neighbour(around, at, label)
    return at


def _choose(around: np.ndarray, corner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of all changes of one voxel round a corner make one that leaves the fewest places pinched; returns the voxel."""
    places = corner + _STEPS
    block = around[tuple(places.T)]
    best = []
    for at, old in zip(places, block):
        for label in np.unique(block) if old != OUTSIDE else ():
            if label not in (OUTSIDE, old):
                around[tuple(at)] = label
                left = int(_pinched(around, at - _STEPS).sum())
                around[tuple(at)] = old
                before = int(_pinched(around, at - _STEPS).sum())
                best.append((left - before, rng.random(), tuple(at), label))
    if not best:
        return places[int((block != OUTSIDE).argmax())]
    worse = rng.random() < SHAKE  # out of places that no single change makes better
    _, _, at, label = best[rng.integers(len(best))] if worse else min(best)
    around[at] = label
    return np.array(at)


def _neighbour(around: np.ndarray, at: np.ndarray, label: int) -> int:
    """The label that most of the six neighbours have, other than `label`."""
    beside = around[tuple((at + _FACES).T)]
    beside = beside[(beside != label) & (beside != OUTSIDE)]
    found, number = np.unique(beside, return_counts=True)
    return int(found[number.argmax()]) if len(found) else label


def _pieces(inside: np.ndarray) -> list[list[int]]:
    """The voxels of a cube of eight that hang together by faces."""
    left, found = {c for c in range(8) if inside[c]}, []
    while left:
        piece, ends = [], [left.pop()]
        while ends:
            piece.append(ends.pop())
            near = [c for c in _NEXT[piece[-1]] if c in left]
            left.difference_update(near)
            ends += near
        found.append(sorted(piece))
    return found


_CUBES = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(bool)
_PINCHED = np.array([max(len(_pieces(cube)), len(_pieces(~cube))) > 1 for cube in _CUBES])
"""bool [256]: the voxels of a cube, as bits, or the others are in pieces."""
