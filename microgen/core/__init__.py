"""Numerics: tensors in, frozen results out. Knows neither files nor materials."""

from microgen.core.power_diagram import PowerDiagram
from microgen.core.solution import Solution
from microgen.core.transport import lloyd, solve_weights

__all__ = ["PowerDiagram", "Solution", "lloyd", "solve_weights"]
