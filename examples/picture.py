"""A picture of a sample: its box in IPF colours, one corner cut away, grain boundaries drawn in.

python examples/picture.py rve.vti rve.png
"""

from __future__ import annotations

import sys

import numpy as np
import pyvista

BOUNDARY = 0.3  # brightness where a face of a voxel touches another grain along the surface


def main(source: str, target: str) -> None:
    box = pyvista.read(source)
    shape = tuple(n - 1 for n in box.dimensions)
    if min(shape) < 2 or "ipf_color" not in box.cell_data:
        raise SystemExit(f"{source} is not a volume of grains with IPF colours: write it with --out rve.vti")
    box.cell_data["voxel"] = np.arange(box.n_cells)
    kept = box.extract_cells(np.flatnonzero(visible(shape).ravel(order="F")))
    skin = kept.extract_surface(algorithm="dataset_surface")
    grains = np.asarray(box.cell_data["grain_id"]).reshape(shape, order="F")
    colours = np.asarray(skin.cell_data["ipf_color"], float)
    dark = np.where(on_boundary(grains, skin), BOUNDARY, 1.0)
    skin.cell_data["colour"] = (colours * dark[:, None]).astype(np.uint8)

    plotter = pyvista.Plotter(off_screen=True, window_size=(800, 740))
    plotter.add_mesh(skin, scalars="colour", rgb=True, preference="cell", ambient=0.5, diffuse=0.55)
    plotter.set_background("white")
    plotter.camera_position = "iso"
    plotter.camera.zoom(0.97)
    with pyvista.vtk_verbosity("off"):  # VTK warns of a missing display, and needs none
        plotter.screenshot(target)
    print(target)


def on_boundary(grains: np.ndarray, skin: pyvista.PolyData) -> np.ndarray:
    """Faces of the skin whose voxel has another grain ahead of it in the plane of the face."""
    ahead = np.zeros((3, *grains.shape), bool)
    for axis in range(3):
        ahead[axis][tuple(slice(0, -1) if k == axis else slice(None) for k in range(3))] = (
            np.diff(grains, axis=axis) != 0
        )
    flat = np.stack([part.ravel(order="F") for part in ahead], axis=1)[np.asarray(skin.cell_data["voxel"])]
    flat[np.arange(len(flat)), np.abs(skin.face_normals).argmax(axis=1)] = False
    return flat.any(axis=1)


def visible(shape: tuple[int, ...]) -> np.ndarray:
    """All voxels but those of the corner nearest to the camera."""
    x, y, z = (np.arange(n) >= n // 2 for n in shape)
    return ~(x[:, None, None] & y[None, :, None] & z[None, None, :])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
