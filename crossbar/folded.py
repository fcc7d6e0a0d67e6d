"""A flat circuit with its crossbars folded into arrays, and a solution of that told in the flat circuit's nodes and elements.

    circuit --fold--> Folded.circuit (fewer nodes, arrays) --solve--> voltages, currents --Folded--> those of the flat circuit
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from crossbar.circuit import Circuit
from crossbar.elements.base import Array, Batch, IntArray, Mask
from crossbar.elements.linear import Resistors, Wires
from crossbar.elements.solution import ArraySolution
from crossbar.recognise import Network, Recognised, find_crossbars, with_values


@dataclass(frozen=True, eq=False)
class Folded:
    """A circuit in which arrays take the place of resistors."""

    flat: Circuit
    circuit: Circuit
    found: tuple[Recognised, ...]
    network: Network
    nodes: IntArray           # (nodes of `circuit`,) their numbers in the flat circuit
    kept: tuple[Mask, ...]    # (n,) of each flat batch: elements that are not in an array

    def voltages(self, named: Array, arrays: Sequence[ArraySolution]) -> Array:
        """(nodes of the flat circuit,) [V] from those of the folded circuit's named nodes and arrays."""
        out = np.empty(len(self.flat.nodes))
        for found, solved in zip(self.found, arrays, strict=True):
            out[found.word], out[found.bit] = solved.word_voltage, solved.bit_voltage
        out[self.nodes] = named
        return out

    def currents(self, currents: Sequence[Array], arrays: Sequence[ArraySolution]) -> list[Array]:
        """(n,) of each flat batch: currents into first terminals [A], from those of the folded circuit."""
        inside = np.zeros(len(self.network.ends))
        for found, solved in zip(self.found, arrays, strict=True):
            along_word, along_bit = solved.segment_current
            for which, before, i in ((found.cells, found.word, solved.cell_current),
                                     (found.word_segments[:, 1:], found.word, along_word[:, 1:]),
                                     (found.word_segments[:, 0], found.xbar.terminals["word_left"], along_word[:, 0]),
                                     (found.bit_segments[1:], found.bit, along_bit[1:]),
                                     (found.bit_segments[0], found.xbar.terminals["bit_top"], along_bit[0])):
                there = which >= 0
                inside[which[there]] = np.where(self.network.ends[which[there], 0] == before[there], i[there], -i[there])
        out, rest, at = [], iter(currents), 0
        for batch, kept in zip(self.flat.batches, self.kept, strict=True):
            i = np.empty(len(kept))
            if isinstance(batch, Resistors | Wires):
                i[:] = inside[at:at + len(kept)]
                at += len(kept)
            if kept.any() or not len(kept):
                i[kept] = next(rest)
            out.append(i)
        return out


def fold(circuit: Circuit, least: int, near: Folded | None = None) -> Folded | None:
    """The circuit with arrays for the crossbars of at least `least` cells among its resistors; None if there is none.

    near : of a circuit that may have the same elements on the same nodes, to skip the search.
    """
    if near is not None and _alike(near.flat, circuit):
        network = replace(near.network, r=Network.of(circuit).r)
        found = with_values(near.found, network.r)
    else:
        network = Network.of(circuit)
        found = find_crossbars(circuit, least)
    if not found:
        return None
    used = np.zeros(len(network.ends), bool)
    used[np.concatenate([f.resistors for f in found])] = True
    inner = np.zeros(len(circuit.nodes), bool)
    inner[np.concatenate([x.ravel() for f in found for x in (f.word, f.bit)])] = True
    nodes = np.flatnonzero(~inner | network.outer)
    number = np.full(inner.size + 1, -1)  # the last for terminals that are not there
    number[nodes] = np.arange(nodes.size)
    masks, at = [], 0
    for batch in circuit.batches:
        n = len(batch.nodes)
        if isinstance(batch, Resistors | Wires):
            masks.append(~used[at:at + n])
            at += n
        else:
            masks.append(np.ones(n, bool))
    batches = tuple(_part(b, m, number) for b, m in zip(circuit.batches, masks, strict=True) if m.any() or not m.size)
    arrays = (replace(f.xbar, name=f"crossbar {k}", terminals={s: number[t] for s, t in f.xbar.terminals.items()})
              for k, f in enumerate(found, 1))  # no element of a netlist has a blank in its name
    old = (replace(a, terminals={s: number[t] for s, t in a.terminals.items()}) for a in circuit.arrays)
    return Folded(circuit, Circuit(title=circuit.title, nodes=tuple(circuit.nodes[n] for n in nodes), batches=batches,
                                   arrays=(*arrays, *old)), found, network, nodes, tuple(masks))


def _part(batch: Batch, kept: Mask, number: IntArray) -> Batch:
    """Some elements of a batch, on the folded circuit's nodes."""
    if kept.all():
        return replace(batch, nodes=number[batch.nodes])
    which = np.flatnonzero(kept)
    values = {"r": batch.r[which]} if isinstance(batch, Wires) else {"g": batch.g[which]}  # type: ignore[attr-defined]
    return replace(batch, names=[batch.names[k] for k in which.tolist()], nodes=number[batch.nodes[which]], **values)


def _alike(a: Circuit, b: Circuit) -> bool:
    """Whether two circuits have the same elements on the same nodes."""
    return len(a.nodes) == len(b.nodes) and len(a.batches) == len(b.batches) and not (a.arrays or b.arrays) and all(
        type(x) is type(y) and np.array_equal(x.nodes, y.nodes) for x, y in zip(a.batches, b.batches, strict=True))
