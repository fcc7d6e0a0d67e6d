"""Can a circuit have exactly one solution? Checked on its graph before anything is solved, naming what is wrong.

    no direct-current path to ground: the node's voltage is arbitrary (this includes cut sets of current sources)
    loop of voltage sources and exact shorts: its current is arbitrary, or its voltages contradict
"""

from collections.abc import Sequence

import networkx as nx
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossbar.circuit import Circuit
from crossbar.elements.base import Batch, IntArray, Mask
from crossbar.errors import TopologyError

_SHOWN = 8  # names in a message


def check(circuit: Circuit) -> None:
    """Raise TopologyError listing every floating part and one loop; linear in the number of elements."""
    complaints = _floating(circuit) + _loop(circuit)
    if complaints:
        raise TopologyError("\n".join(complaints))


def _edges(circuit: Circuit, which: Sequence[Mask]) -> IntArray:
    """First two nodes (edges, 2) of the chosen devices."""
    return np.concatenate([np.empty((0, 2), np.intp), *(b.nodes[m][:, :2] for b, m in zip(circuit.flat, which, strict=True))])


def _parts(edges: IntArray, count: int) -> IntArray:
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _floating(circuit: Circuit) -> list[str]:
    edges = _edges(circuit, [b.conducts for b in circuit.flat])
    part = _parts(edges, circuit.node_count)
    mentioned = np.zeros(circuit.node_count, bool)  # an isolated inner node of an array is nobody's business
    mentioned[:len(circuit.nodes)] = True
    mentioned[edges] = True
    lost = np.flatnonzero((part != part[0]) & mentioned)
    out = []
    for k in np.unique(part[lost])[:_SHOWN]:
        members = lost[part[lost] == k]
        nodes = _some([circuit.node_name(int(n)) for n in members[:_SHOWN]], members.size)
        touching = _some(*_touching(circuit, members))
        out.append(f"no DC path to ground from node{'s' if members.size > 1 else ''} {nodes} (at {touching}); connect "
                   "one of them to ground, by a large resistor if need be")
    return out


def _touching(circuit: Circuit, nodes: IntArray) -> tuple[list[str], int]:
    names: list[str] = []
    count = 0
    for batch in circuit.flat:
        at = np.flatnonzero(np.isin(batch.nodes, nodes).any(axis=1))
        names += [batch.names[int(k)] for k in at[:max(0, _SHOWN - len(names))]]
        count += at.size
    return names, count


def _some(names: list[str], count: int) -> str:
    return ", ".join(names) + (f" and {count - len(names)} more" if count > len(names) else "")


def _loop(circuit: Circuit) -> list[str]:
    rigid = [b.rigid for b in circuit.flat]
    edges = _edges(circuit, rigid)
    parts = _parts(edges, circuit.node_count)
    if len(edges) <= circuit.node_count - (parts.max() + 1):
        return []  # a forest
    graph = nx.MultiGraph()
    for batch, mask in zip(circuit.flat, rigid, strict=True):
        _add_edges(graph, batch, mask)
    around = nx.find_cycle(graph)
    names = [graph.edges[edge]["name"] for edge in around]
    return [f"loop of voltage sources or 0 ohm shorts: {_some(names[:_SHOWN], len(names))} (nodes "
            f"{_some([circuit.node_name(e[0]) for e in around[:_SHOWN]], len(around))}); put a resistance in it"]


def _add_edges(graph: "nx.MultiGraph", batch: Batch, mask: Mask) -> None:
    for k in np.flatnonzero(mask):
        graph.add_edge(int(batch.nodes[k, 0]), int(batch.nodes[k, 1]), name=batch.names[int(k)])
