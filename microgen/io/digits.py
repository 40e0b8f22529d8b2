"""Whole numbers as text, by the million: a digit of all numbers at a time."""

from __future__ import annotations

import numpy as np


def number_rows(rows: np.ndarray, *, separator: str = ",") -> bytes:
    """Rows [n, k] of whole numbers from 0 as lines of columns parted by `separator`, filled up with blanks."""
    left = np.array(rows, dtype=np.uint32 if rows.size == 0 or rows.max() < 2**32 else np.uint64)
    width = len(str(int(left.max(initial=0))))
    text = np.full((*left.shape, width + 1), ord(" "), np.uint8)
    for place in range(width - 1, -1, -1):
        rest = left // 10
        shown = (left > 0) | (place == width - 1)
        text[..., place] = np.where(shown, (left - 10 * rest).astype(np.uint8) + ord("0"), ord(" "))
        left = rest
    text[..., width] = ord(separator)
    text[:, -1, width] = ord("\n")
    return text.tobytes()


def number_list(numbers: np.ndarray, columns: int, *, separator: str = ",") -> bytes:
    """Numbers [n] as lines of `columns` each, the last one shorter."""
    whole = len(numbers) // columns * columns
    text = number_rows(numbers[:whole].reshape(-1, columns), separator=separator) if whole else b""
    return text + (number_rows(numbers[None, whole:], separator=separator) if whole < len(numbers) else b"")
