"""Crossing lines found in a bare graph: `kinds_of` its edges, `Paths` of its wires, places `across`."""

from crossbar.lattice.graph import Graph, Paths, parts, planes
from crossbar.lattice.kinds import kinds_of
from crossbar.lattice.places import CELL, WIRE, across

__all__ = ["CELL", "Graph", "Paths", "WIRE", "across", "kinds_of", "parts", "planes"]
