"""Islands handed on from piece to piece, in cases small enough to see."""

from __future__ import annotations

import numpy as np

from microgen.core.heirs import Pieces, heirs


def pieces(*faces: tuple[int, int, int], label: tuple[int, ...], size: tuple[int, ...]) -> Pieces:
    return Pieces(np.arange(len(label)), np.array(size), np.array(label, np.int32), np.array(faces).reshape(-1, 3))


def test_an_island_of_an_island_goes_with_it() -> None:
    # Piece 2 (of grain 1) lies in piece 3 (of grain 2), which lies in grain 3: both end up there.
    found = pieces((2, 3, 6), (3, 2, 6), (3, 4, 20), label=(1, 2, 1, 2, 3), size=(90, 80, 1, 9, 70))
    labels, more = heirs(found, found.islands(), 8)
    assert labels.tolist() == [1, 2, 3, 3, 3]
    assert not more.any()


def test_a_largest_piece_that_is_outgrown_is_asked_for_and_goes_too() -> None:
    # Islands 1 and 2 of grain 1 come together as grain 2, larger than what was its largest piece: that is in grain 1.
    islands = ((1, 3, 5), (2, 3, 5))
    known = pieces(*islands, label=(1, 1, 1, 2, 2), size=(50, 30, 30, 9, 10))
    _, more = heirs(known, known.islands(), 8)
    assert more.tolist() == [False, False, False, False, True]
    known = pieces(*islands, (4, 0, 7), label=(1, 1, 1, 2, 2), size=(50, 30, 30, 9, 10))
    labels, more = heirs(known, known.islands() | more, 8)
    assert labels.tolist() == [1, 2, 2, 2, 1]
    assert not more.any()
