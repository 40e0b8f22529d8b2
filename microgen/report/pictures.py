"""Maps, slices and the view of a box as pixels, in plain numpy.

The 3-D picture needs no OpenGL on purpose: the three visible faces of a box in parallel projection are linear
maps of its voxels. VTK would want a display or EGL, kills the process where it finds neither, and writes
warnings of its own; pictures made here come out the same in a container, on a cluster and on a laptop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure
from microgen.report.colours import NOT_INDEXED

SMOOTHING = 2
"""Every pixel is the mean of this many by this many samples."""
LINE = (16, 18, 24, 255)
"""Grain boundaries."""
FACE_LIGHT = (1.0, 0.86, 0.72)
"""Brightness of the faces across z, y and x."""
AZIMUTH, ELEVATION = math.radians(36), math.radians(30)


@dataclass(frozen=True)
class Window:
    """A rectangle of a map, µm from its corner."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def whole(cls, grid: Grid | HexGrid) -> Window:
        """All of the map; the half step by which shifted rows stick out included."""
        width, height = grid.lengths
        if isinstance(grid, HexGrid):
            return cls(0.0, -grid.pitch / 6, width + (0 if grid.short else grid.step / 2), height + grid.pitch / 3)
        return cls(0.0, 0.0, width, height)

    @classmethod
    def centred(cls, grid: Grid | HexGrid, width: float, height: float) -> Window:
        """The middle of the map, at most as large as asked for."""
        full = Window.whole(grid)
        width, height = min(width, full.width), min(height, full.height)
        return cls(full.left + (full.width - width) / 2, full.top + (full.height - height) / 2, width, height)

    @classmethod
    def fullest(cls, ms: Microstructure, width: float, height: float) -> Window:
        """The piece of that size with the fewest gaps, nearest to the middle of the map."""
        middle, full = cls.centred(ms.grid, width, height), cls.whole(ms.grid)
        if ms.grain_id is None or (ms.grain_id > 0).all():
            return middle
        room = (full.width - middle.width, full.height - middle.height)
        shifts = sorted(((i / 8 - 0.5, j / 8 - 0.5) for i in range(9) for j in range(9)), key=lambda s: math.hypot(*s))
        pieces = [replace(middle, left=middle.left + i * room[0], top=middle.top + j * room[1]) for i, j in shifts]
        filled = np.append(ms.grain_id.ravel() > 0, False)
        return max(pieces, key=lambda piece: filled[point_under(ms.grid, piece, 60, 60)].mean())


def draw_map(
    ms: Microstructure, colours: np.ndarray, *, window: Window | None = None, pixels: int = 640, boundaries: bool = True
) -> np.ndarray:
    """Picture of a plane: uint8 RGBA [height, width, 4], x to the right, y down (row 0 at the top, as in EBSD).

    `colours` uint8 [points, 3] in memory order; `pixels` bounds the longer side. Hexagonal points are drawn as
    hexagons. Points outside the map are transparent, and so are
    those missing in the file unless clean-up gave them to a grain.
    """
    window = window or Window.whole(ms.grid)
    scale = SMOOTHING * pixels / max(window.width, window.height)
    index = point_under(ms.grid, window, size_of(window.width * scale), size_of(window.height * scale))
    if ms.measured is not None:
        there = ms.measured if ms.grain_id is None else ms.measured | (ms.grain_id > 0)
        index = np.where((index >= 0) & there.ravel()[index], index, -1)
    canvas = _paint(index, colours)
    if boundaries and ms.grain_id is not None:
        grains = np.where(index >= 0, ms.grain_id.ravel()[index], 0)
        lines = _edges(grains, outline=False)
        canvas[lines] = _ink(canvas[lines], lines.mean())
    return smooth(canvas)


def draw_box(
    volume: Microstructure, colours: np.ndarray, *, pixels: int = 720, boundaries: bool = True
) -> tuple[np.ndarray, dict]:
    """View of a box of voxels: the faces z = 0 (top), y = max and x = max, with black grain boundaries.

    z points down into the material, so that the top face is what a scan of that surface would show. `colours` uint8
    [grains, 3]. Returns uint8 RGBA and the middle of an edge along each axis as (right, down) in shares of the picture.
    """
    grid = volume.grid
    assert isinstance(grid, Grid)
    low, high = extent(grid)
    scale = SMOOTHING * pixels / (high - low).max()
    width, height = (size_of(side * scale) for side in high - low)
    right = low[0] + (np.arange(width) + 0.5) / width * (high - low)[0]
    down = low[1] + (np.arange(height)[:, None] + 0.5) / height * (high - low)[1]
    ids = np.full((height, width), -1, np.int64)
    stride = len(colours) + 1
    for face, normal in enumerate((2, 1, 0)):
        inside, grains = _face(volume, (right, down), normal)
        ids[inside] = grains + face * stride
    shades = [np.vstack([np.array([NOT_INDEXED]), colours]) * light for light in FACE_LIGHT]
    canvas = _paint(ids, np.concatenate(shades).astype(np.uint8))
    canvas[_edges(ids if boundaries else ids // stride, outline=True)] = LINE
    return smooth(canvas), {name: edge_middle(axis, grid, (low, high)) for axis, name in enumerate("xyz")}


def point_under(grid: Grid | HexGrid, window: Window, width: int, height: int) -> np.ndarray:
    """Flat index of the map point under each pixel, int64 [height, width]; -1 where there is none."""
    x = window.left + (np.arange(width) + 0.5) * (window.width / width)
    y = window.top + (np.arange(height)[:, None] + 0.5) * (window.height / height)
    if isinstance(grid, HexGrid):
        return _hexagon_under(grid, x, y)
    i = np.floor(x / grid.spacing[0]).astype(np.int64)
    j = np.floor(y / grid.spacing[1]).astype(np.int64)
    inside = (i >= 0) & (i < grid.shape[0]) & (j >= 0) & (j < grid.shape[1])
    return np.where(inside, i * grid.shape[1] + j, -1)


def _hexagon_under(grid: HexGrid, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The hexagon around a pixel belongs to the row under it or to one of the two rows beside it."""
    index = np.full(np.broadcast_shapes(x.shape, y.shape), -1, np.int64)
    there = grid.exists()
    row = np.floor(y / grid.pitch).astype(np.int64)
    for j in (row - 1, row, row + 1):
        shift = 0.5 * (j % 2 == grid.shifted)
        i = np.floor(x / grid.step - shift).astype(np.int64)
        across, along = np.abs(x - (i + 0.5 + shift) * grid.step), np.abs(y - (j + 0.5) * grid.pitch)
        inside = across + math.sqrt(3) * along <= grid.step * (1 + 1e-9)
        inside &= (i >= 0) & (i < grid.shape[0]) & (j >= 0) & (j < grid.shape[1])
        inside &= there[np.clip(i, 0, grid.shape[0] - 1), np.clip(j, 0, grid.shape[1] - 1)]
        index = np.where(inside, i * grid.shape[1] + j, index)
    return index


def projection() -> np.ndarray:
    """Screen (right, down) of the unit vectors x, y, z: float64 [3, 2], parallel projection."""
    cos_a, sin_a = math.cos(AZIMUTH), math.sin(AZIMUTH)
    lift = math.sin(ELEVATION)
    return np.array([[cos_a, sin_a * lift], [-sin_a, cos_a * lift], [0.0, math.cos(ELEVATION)]])


def extent(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Upper left and lower right corner of the picture of the box, with a small margin."""
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * grid.lengths @ projection()
    low, high = corners.min(0), corners.max(0)
    margin = 0.012 * (high - low).max()
    return low - margin, high + margin


def _face(volume: Microstructure, screen: tuple[np.ndarray, np.ndarray], normal: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels lie on the visible face across `normal` (bool), and the grain under each of them."""
    grid, axes = volume.grid, projection()
    u, v = (axis for axis in range(3) if axis != normal)
    layer = 0 if normal == 2 else grid.shape[normal] - 1
    origin = (0.0 if normal == 2 else grid.lengths[normal]) * axes[normal]
    back = np.linalg.inv(axes[[u, v]]) / np.array([grid.spacing[u], grid.spacing[v]])
    right, down = screen[0] - origin[0], screen[1] - origin[1]
    i, j = (np.floor(right * back[0, k] + down * back[1, k]).astype(np.int32) for k in range(2))
    inside = (i >= 0) & (i < grid.shape[u]) & (j >= 0) & (j < grid.shape[v])
    assert volume.grain_id is not None
    return inside, np.take(volume.grain_id, layer, axis=normal)[i[inside], j[inside]]


def edge_middle(axis: int, grid: Grid, extent: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """Where the middle of the outer edge that shows `axis` lies in the picture, in shares of its size."""
    corner = {0: (0.5, 1, 1), 1: (0, 0.5, 0), 2: (0, 1, 0.5)}[axis]
    low, high = extent
    place = (np.array(corner) * grid.lengths @ projection() - low) / (high - low)
    return float(place[0]), float(place[1])


def size_of(length: float) -> int:
    return max(SMOOTHING, SMOOTHING * round(length / SMOOTHING))


def _paint(index: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """RGBA of the rows `index` of `colours`; transparent (and black) where it is -1."""
    table = np.zeros((len(colours) + 1, 4), np.uint8)
    table[:-1, :3], table[:-1, 3] = colours, 255
    return table.view(np.uint32)[:, 0][index].view(np.uint8).reshape(*index.shape, 4)


def _edges(ids: np.ndarray, *, outline: bool) -> np.ndarray:
    """bool: samples on either side of a change of id; changes to 0 or less count only with `outline`."""
    edges = np.zeros(ids.shape, bool)
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        change = ids[here] != ids[there]
        if not outline:
            change &= (ids[here] > 0) & (ids[there] > 0)
        edges[here] |= change
        edges[there] |= change
    return edges


def _ink(below: np.ndarray, share: float) -> np.ndarray:
    """Boundary colour over the colours below; lighter where grains are so small that lines would cover the map."""
    strength = min(1.0, 0.25 / max(share, 1e-9))
    return (below * (1 - strength) + np.array(LINE) * strength).astype(np.uint8)


def smooth(canvas: np.ndarray) -> np.ndarray:
    """Mean over squares of samples; only opaque samples count for the colour, and their share is the opacity."""
    parts = [canvas[i::SMOOTHING, j::SMOOTHING] for i in range(SMOOTHING) for j in range(SMOOTHING)]
    total = np.stack(parts).sum(axis=0, dtype=np.uint16)
    covered = np.maximum(total[..., 3:] // 255, 1)
    total[..., :3] = (total[..., :3] + covered // 2) // covered
    total[..., 3] //= len(parts)
    return total.astype(np.uint8)
