"""Soft grains among hard ones in an hourglass, a quarter of it void: two exponents of the ground cost in one problem.

python examples/soft_and_hard.py docs/soft_and_hard.png
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from PIL import Image

from microgen import Grid
from microgen.core import PowerCost, solve_cells
from microgen.generators.placement import place_sites

N, SIDE, VOID = 70, 400, 0.25
SOFT, HARD, OUTSIDE, EMPTY = (214, 96, 77), (67, 118, 180), (225, 225, 225), (255, 255, 255)

grid, rng = Grid((SIDE, SIDE), (1.0, 1.0)), np.random.default_rng(4)
x, y = (grid.points() / SIDE - 0.5).T.reshape(2, SIDE, SIDE)
glass = (np.abs(x) < 0.09 + 0.36 * np.sin(np.pi * y) ** 2) & (np.abs(y) < 0.48)

volumes = np.exp(0.4 * rng.standard_normal(N))
volumes *= (1 - VOID) * glass.sum() / volumes.sum()
round_ones = np.tile(np.eye(2), (N, 1, 1))
placed = place_sites(round_ones, volumes, grid.lengths, periodic=grid.periodic, hard_core=0.75, rng=rng, inside=glass)
soft = rng.random(N) < 0.5
exponents = torch.from_numpy(np.where(soft, 0.7, 8.0))
metrics = torch.from_numpy(round_ones / volumes[:, None, None])
cost = PowerCost(torch.from_numpy(placed.sites), metrics, exponents)
solution = solve_cells(cost, torch.from_numpy(volumes), grid, void=True, domain=torch.from_numpy(glass))
print(f"{solution.status}: worst cell off by {solution.worst:.2%}, {len(solution.history)} sweeps")

labels = solution.labels.numpy()
colours = np.array([EMPTY, *(SOFT if s else HARD for s in soft)], float)
colours[1:] = np.clip(colours[1:] * rng.uniform(0.75, 1.2, (N, 1)), 0, 255)
picture = colours[labels].astype(np.uint8)
picture[~glass] = OUTSIDE
edge = np.zeros_like(glass)
edge[1:] |= labels[1:] != labels[:-1]
edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
picture[edge & glass] = 40
Image.fromarray(picture.swapaxes(0, 1)[::-1]).save(sys.argv[1] if len(sys.argv) > 1 else "soft_and_hard.png")
