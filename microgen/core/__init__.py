"""Numerics: tensors in, frozen results out. Knows neither files nor materials."""

from microgen.core.cost_diagram import CostDiagram
from microgen.core.costs import PowerCost
from microgen.core.formulas import FormulaCost, MixedCost
from microgen.core.general_transport import solve_cells
from microgen.core.power_diagram import PowerDiagram
from microgen.core.solution import Solution
from microgen.core.transport import lloyd, solve_weights

__all__ = [
    "CostDiagram",
    "FormulaCost",
    "MixedCost",
    "PowerCost",
    "PowerDiagram",
    "Solution",
    "lloyd",
    "solve_cells",
    "solve_weights",
]
