"""The elements of a PLY after its header: rows of numbers and of lists of numbers, as text or binary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

OBJECT = "object"
"""Property of faces that says to which object they belong."""

Rows = dict[str, Any]
"""Property -> its column; of lists the values of all rows one after another, and how many each row has."""


@dataclass(frozen=True)
class Element:
    """Rows that have the same properties."""

    name: str
    count: int
    properties: list[tuple[str, str, str]]
    """Name, type, and of lists the type of their length, else ''."""

    def dtype(self, order: str, lengths: dict[str, int]) -> np.dtype:
        """Of a row whose lists have these lengths."""
        fields: list[Any] = []
        for name, kind, count in self.properties:
            fields += [(f"# {name}", order + count)] if count else []
            fields += [(name, order + kind, (lengths[name],))] if count else [(name, order + kind)]
        return np.dtype(fields)


def binary_elements(body: bytes, elements: list[Element], order: str) -> dict[str, Rows]:
    """All elements of a binary file; `order` is < or >. Raises ValueError where the file ends too soon."""
    found, at = {}, 0
    for element in elements:
        found[element.name], at = _even(body, element, order, at)
        if found[element.name] is None:
            found[element.name], at = _uneven(body, element, order, at)
    return found


def _even(body: bytes, element: Element, order: str, at: int) -> tuple[Rows | None, int]:
    """Rows that are all as long as the first one; None where they are not."""
    lengths, place = {}, at
    for name, kind, count in element.properties if element.count else []:
        if count:
            lengths[name] = int(np.frombuffer(body, order + count, 1, place)[0])
            place += np.dtype(count).itemsize
        place += np.dtype(kind).itemsize * lengths.get(name, 1)
        if place > len(body) or lengths.get(name, 1) < 0:
            raise ValueError(f"its {element.name} end after {len(body)} bytes")
    lists = {name for name, _, count in element.properties if count}
    if element.count == 0:
        return {
            name: (np.zeros(0, int), np.zeros(0, int)) if name in lists else [] for name, *_ in element.properties
        }, at
    dtype = element.dtype(order, lengths)
    if at + dtype.itemsize * element.count > len(body):
        if lists:
            return None, at
        raise ValueError(f"its {element.name} end after {len(body)} bytes")
    rows = np.frombuffer(body, dtype, element.count, at)
    if any((rows[f"# {name}"] != lengths[name]).any() for name in lists):
        return None, at
    columns: Rows = {name: rows[name] for name, *_ in element.properties}
    for name in lists:
        columns[name] = rows[name].ravel().astype(np.int64), np.full(element.count, lengths[name])
    return columns, at + dtype.itemsize * element.count


def _uneven(body: bytes, element: Element, order: str, at: int) -> tuple[Rows, int]:
    """Rows with lists of different lengths, one after another."""
    columns: dict[str, list[Any]] = {name: [] for name, *_ in element.properties}
    kinds = [(name, np.dtype(order + kind), np.dtype(order + (count or "u1")), bool(count))
             for name, kind, count in element.properties]  # fmt: skip
    for _ in range(element.count):
        for name, kind, count, is_list in kinds:
            number = 1
            if is_list:
                number, at = int(np.frombuffer(body, count, 1, at)[0]), at + count.itemsize
            if number < 0 or at + number * kind.itemsize > len(body):
                raise ValueError(f"its {element.name} end after {len(body)} bytes")
            columns[name].append(np.frombuffer(body, kind, number, at) if number else np.zeros(0, kind))
            at += number * kind.itemsize
    return _gathered(columns, {name for name, *_, is_list in kinds if is_list}), at


def _gathered(columns: dict[str, list[Any]], lists: set[str]) -> Rows:
    found: Rows = {}
    for name, parts in columns.items():
        values = np.concatenate(parts) if parts else np.zeros(0)
        found[name] = (values.astype(np.int64), np.array([len(p) for p in parts], int)) if name in lists else values
    return found


def ascii_elements(body: bytes, elements: list[Element]) -> dict[str, Rows]:
    """All elements of a text file. Raises ValueError where it ends too soon or holds no numbers."""
    words, at, found = body.split(), 0, {}
    for element in elements:
        lists = {name for name, _, count in element.properties if count}
        width = len(element.properties)
        if not lists:
            stop = at + width * element.count
            if stop > len(words):
                raise ValueError(f"its {element.name} end after {len(words)} numbers")
            table = np.array(words[at:stop], dtype="S").astype(float).reshape(element.count, width)
            found[element.name], at = {name: table[:, k] for k, (name, *_) in enumerate(element.properties)}, stop
            continue
        columns: dict[str, list[Any]] = {name: [] for name, *_ in element.properties}
        for _ in range(element.count):
            for name in columns:
                number = 1
                if name in lists:
                    number, at = int(words[at]), at + 1
                if number < 0 or at + number > len(words):
                    raise ValueError(f"its {element.name} end after {len(words)} numbers")
                columns[name].append(np.array([float(word) for word in words[at : at + number]]))
                at += number
        found[element.name] = _gathered(columns, lists)
    return found
