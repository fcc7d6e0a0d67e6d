"""Can a circuit have exactly one solution? Checked on its graph before anything is solved, naming what is wrong.

    no direct-current path to ground: the node's voltage is arbitrary (this includes cut sets of current sources)
    loop of voltage sources and exact shorts: its current is arbitrary, or its voltages contradict

A line of an array that is a short between two ends which sources hold is no such loop: its current is shared by the lever rule
(elements/linear.py, IdealLines), and only once the circuit is solved is it known whether both ends are at one voltage.

Arrays are blocks (elements/skeleton.py): a million cells are not listed one by one.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossbar.circuit import Circuit
from crossbar.elements.base import Array, IntArray
from crossbar.elements.linear import IdealLines
from crossbar.elements.skeleton import piece_name, rigid_lines, skeleton
from crossbar.elements.xbar import SIDES
from crossbar.errors import TopologyError

_SHOWN = 8  # names in a message
_ONE_VOLTAGE = 1e-9  # of the largest voltage in the circuit: nodes that differ by less are at one


def check(circuit: Circuit) -> None:
    """Raise TopologyError listing every floating part and one loop; linear in the number of elements."""
    complaints = _floating(circuit) + _loop(circuit)
    if complaints:
        raise TopologyError("\n".join(complaints))


def check_ideal_lines(circuit: Circuit, voltages: Array) -> None:
    """Raise TopologyError where lines of exactly 0 ohm join two voltages; voltages (nodes,) of a solution [V]."""
    ends = [np.empty((0, 2), np.intp)]
    ends += [b.nodes[:, ::2] for b in circuit.batches if isinstance(b, IdealLines)]
    for array, ideal in zip(circuit.arrays, circuit.ideal_lines, strict=True):
        if ideal is not None:
            ends += [np.column_stack([array.ends(side)[lines] for side in sides])
                     for sides, lines in zip((SIDES[:2], SIDES[2:]), ideal, strict=True)]
    near, far = np.concatenate(ends).T
    apart = np.abs(voltages[near] - voltages[far])
    largest = np.nan_to_num(np.abs(voltages[:len(circuit.nodes)])).max()
    clash = apart > _ONE_VOLTAGE * largest
    if clash.any():
        a, b = int(near[clash][0]), int(far[clash][0])
        raise TopologyError(f"node {circuit.nodes[a]} at {voltages[a]:g} V and node {circuit.nodes[b]} at {voltages[b]:g} V are "
                            "joined through exactly 0 ohm by a line of an array")


def _parts(edges: IntArray, count: int) -> IntArray:
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _joined(edges: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.empty((0, 2), np.intp), *edges])


def _floating(circuit: Circuit) -> list[str]:
    blocks = [skeleton(a) for a in circuit.arrays]
    named = len(circuit.nodes)
    first = named + np.cumsum([0, *(b.pieces for b in blocks)])  # number of the first piece of each array, and of all nodes
    edges = [b.nodes[b.conducts][:, :2] for b in circuit.batches]
    for block, start in zip(blocks, first, strict=False):
        edges += [np.column_stack((block.terminal, block.end + start)), block.cells + start]
    part = _parts(_joined(edges), int(first[-1]))
    reached = np.unique(part[:named])  # a piece of line that no terminal reaches is nobody's business
    lost = np.flatnonzero((part != part[0]) & np.isin(part, reached))

    def name(node: int) -> str:
        k = int(np.searchsorted(first, node, side="right")) - 1
        return circuit.nodes[node] if node < named else piece_name(circuit.arrays[k], node - int(first[k]))
    out = []
    for k in np.unique(part[lost])[:_SHOWN]:
        members = lost[part[lost] == k]
        nodes = _some([name(n) for n in members[:_SHOWN].tolist()], members.size)
        touching = [a.name for a, b in zip(circuit.arrays, blocks, strict=True) if np.isin(b.terminal, members).any()]
        out.append(f"no DC path to ground from node{'s' if members.size > 1 else ''} {nodes} (at "
                   f"{_some(*_touching(circuit, members, touching))}); connect one of them to ground, by a large "
                   "resistor if need be")
    return out


def _touching(circuit: Circuit, nodes: IntArray, names: list[str]) -> tuple[list[str], int]:
    """Names of what touches some nodes, after those given, and how many there are."""
    count = len(names)
    for batch in circuit.batches:
        at = np.flatnonzero(np.isin(batch.nodes, nodes).any(axis=1))
        names = names + [batch.names[int(k)] for k in at[:max(0, _SHOWN - len(names))]]
        count += at.size
    return names[:_SHOWN], count


def _some(names: list[str], count: int) -> str:
    return ", ".join(names) + (f" and {count - len(names)} more" if count > len(names) else "")


def _loop(circuit: Circuit) -> list[str]:
    arrays = zip(circuit.arrays, circuit.ideal_lines, strict=True)
    shorts = [line for array, ideal in arrays for line in rigid_lines(array, ideal)]
    nodes = [*circuit.nodes, *(line.nodes for line in shorts)]
    inner = range(len(circuit.nodes), len(nodes))
    through = [((line.near, k), (line.far, k)) for line, k in zip(shorts, inner, strict=True)]
    edges = _joined([*(b.nodes[b.rigid][:, :2] for b in circuit.batches), np.array(through, np.intp).reshape(-1, 2)])
    parts = _parts(edges, len(nodes))
    if len(edges) <= len(nodes) - (parts.max() + 1):
        return []  # a forest
    names = [batch.names[int(k)] for batch in circuit.batches for k in np.flatnonzero(batch.rigid)]
    names += [part for line in shorts for part in (line.lead, line.rest)]
    import networkx as nx  # not needed where nothing is wrong
    graph = nx.MultiGraph()
    for (a, b), name in zip(edges.tolist(), names, strict=True):
        graph.add_edge(a, b, name=name)
    around = nx.find_cycle(graph)
    found = [graph.edges[edge]["name"] for edge in around]
    return [f"loop of voltage sources or 0 ohm shorts: {_some(found[:_SHOWN], len(found))} (nodes "
            f"{_some([nodes[e[0]] for e in around[:_SHOWN]], len(around))}); put a resistance in it"]
