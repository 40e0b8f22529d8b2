"""The few hot loops: `reference` in plain torch, the rest in Numba."""
