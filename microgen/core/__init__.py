"""Numerics: tensors in, frozen results out. Knows neither files nor materials."""

from microgen.core.power_diagram import PowerDiagram
from microgen.core.transport import Solution, solve_weights

__all__ = ["PowerDiagram", "Solution", "solve_weights"]
