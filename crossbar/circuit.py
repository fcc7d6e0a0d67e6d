"""A circuit is named nodes and batches of elements. Data only: no equation is written or solved here.

Node 0 is ground. The inner nodes of arrays have numbers behind the named ones and names that are made when asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from crossbar import checks
from crossbar.elements.base import Array, Batch, IntArray
from crossbar.elements.linear import CurrentSources, IdealLines, Resistors, VoltageSources, Wires, resistors
from crossbar.elements.nonlinear import MTJs, join_mtjs
from crossbar.elements.xbar import SIDES, GridNames, Xbar
from crossbar.errors import DataError
from crossbar.summaries import block

_OUTPUT = re.compile(r"(v|i|state)\((.*)\)")
_INSIDE = re.compile(r"(.+)\.(wl|bl)\[\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*\]")


@dataclass(frozen=True, kw_only=True, eq=False)
class Circuit:
    """Immutable; built by a netlist, an array or a CircuitBuilder."""

    title: str
    nodes: tuple[str, ...]      # lower case; nodes[0] is "0"
    batches: tuple[Batch, ...]
    arrays: tuple[Xbar, ...] = ()

    def __repr__(self) -> str:
        """Title, how many nodes and elements of each kind, arrays."""
        counts: Counter[str] = Counter()
        for batch in self.batches:
            counts[type(batch).__name__] += len(batch.names)
        elements = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        arrays = ", ".join(f"{a.name} of {a.shape[0]} x {a.shape[1]} cells" for a in self.arrays)
        return block(f"Circuit {self.title!r}: {len(self.nodes) - 1} nodes besides ground",
                     f"elements: {elements or 'none'}", f"arrays: {arrays or 'none'}")

    @property
    def array_names(self) -> frozenset[str]:
        """Names of the arrays."""
        return frozenset(a.name for a in self.arrays)

    def with_states(self, states: Mapping[str, Array]) -> "Circuit":
        """The circuit with junctions of some arrays, by name, in other states (M, N). Raises DataError for other cells."""
        if not states:
            return self
        return replace(self, arrays=tuple(a.with_states(states[a.name]) if a.name in states else a for a in self.arrays))

    @cached_property
    def first_inner(self) -> tuple[int, ...]:
        """First inner node number of each array; one more entry at the end: the number of all nodes."""
        sizes = [len(self.nodes), *(a.node_count for a in self.arrays)]
        return tuple(int(x) for x in np.cumsum(sizes))

    @property
    def node_count(self) -> int:
        """Named and inner nodes, with ground."""
        return self.first_inner[-1]

    @cached_property
    def flat(self) -> tuple[Batch, ...]:
        """All batches, those of the expanded arrays last: word wires, bit wires, cells of each; then `ideal_batches`."""
        arrays = zip(self.arrays, self.first_inner, self.ideal_lines, strict=False)
        inner = (b for a, first, ideal in arrays for b in a.expand(first, ideal))
        return (*self.batches, *inner, *self.ideal_batches.values())

    @cached_property
    def ideal_lines(self) -> tuple[tuple[IntArray, IntArray] | None, ...]:
        """Word and bit lines of each array that join two ends through exactly 0 ohm which rigid elements hold at one voltage, as
        far as independent sources tell; None where there are none."""
        if not any(lines.size for array in self.arrays for lines in array.shorts):
            return (None,) * len(self.arrays)
        part, (source, volts) = self.rigid_parts, self._source_voltages
        out: list[tuple[IntArray, IntArray] | None] = []
        for array in self.arrays:
            held = []
            for lines, near_side, far_side in zip(array.shorts, SIDES[::2], SIDES[1::2], strict=True):
                near, far = array.ends(near_side)[lines], array.ends(far_side)[lines]
                clash = (source[near] == source[far]) & (volts[near] != volts[far])
                held.append(lines[(part[near] == part[far]) & ~clash])
            out.append((held[0], held[1]) if any(lines.size for lines in held) else None)
        return tuple(out)

    @property
    def _source_voltages(self) -> tuple[IntArray, Array]:
        """(named nodes,) A node from which independent sources and shorts lead to each node, and the voltage between them [V]."""
        neighbours: dict[int, list[tuple[int, float]]] = {}
        for batch in self.batches:
            if not isinstance(batch, VoltageSources | Wires):
                continue
            rises = batch.value if isinstance(batch, VoltageSources) else np.zeros(len(batch.nodes))
            rigid = batch.rigid
            for (plus, minus), rise in zip(batch.nodes[rigid].tolist(), rises[rigid].tolist(), strict=True):
                neighbours.setdefault(minus, []).append((plus, rise))
                neighbours.setdefault(plus, []).append((minus, -rise))
        root, volts = np.full(len(self.nodes), -1), np.zeros(len(self.nodes))
        for first in range(len(self.nodes)):
            waiting = [] if root[first] >= 0 else [first]
            root[first] = first if waiting else root[first]
            while waiting:
                node = waiting.pop()
                for other, rise in neighbours.get(node, ()):
                    if root[other] < 0:
                        root[other], volts[other] = first, volts[node] + rise
                        waiting.append(other)
        return root, volts

    @cached_property
    def rigid_parts(self) -> IntArray:
        """(named nodes,) Label of the part that voltage sources and shorts outside the arrays make of each node."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
        edges = np.concatenate([np.empty((0, 2), np.intp), *(b.nodes[b.rigid][:, :2] for b in self.batches)])
        graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(len(self.nodes),) * 2)
        return connected_components(graph, directed=False)[1].astype(np.intp)

    @cached_property
    def ideal_batches(self) -> dict[tuple[int, int], IdealLines]:
        """The elements of `ideal_lines` by array and plane (0: word, 1: bit lines)."""
        return {(k, plane): self.arrays[k].ideal_batch(self.first_inner[k], plane, lines)
                for k, ideal in enumerate(self.ideal_lines) if ideal is not None
                for plane, lines in enumerate(ideal) if lines.size}

    @cached_property
    def _node_numbers(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.nodes)} | {"gnd": 0}

    @cached_property
    def voltage_outputs(self) -> dict[str, int]:
        """v(node) of every named node but ground -> its number."""
        return {f"v({name})": k for k, name in enumerate(self.nodes) if k}

    def node(self, name: str) -> int:
        """Number of a node; names inside arrays are x1.wl[i,j] and x1.bl[i,j]. Raises DataError if there is none."""
        name = checks.name(name, "the name of a node")
        if name in self._node_numbers:
            return self._node_numbers[name]
        inside = _INSIDE.fullmatch(name)
        for array, first in zip(self.arrays, self.first_inner, strict=False):
            if inside and array.name == inside[1]:
                i, j = int(inside[3]), int(inside[4])
                if i < array.shape[0] and j < array.shape[1]:
                    return first + (inside[2] == "bl") * array.node_count // 2 + i * array.shape[1] + j
        raise DataError(self.no_node(name))

    def node_name(self, number: int) -> str:
        """Name of a node, inner ones included."""
        if number < len(self.nodes):
            return self.nodes[number]
        k = int(np.searchsorted(self.first_inner, number, side="right")) - 1
        array = self.arrays[k]
        plane, cell = divmod(number - self.first_inner[k], array.node_count // 2)
        return f"{array.name}.{('wl', 'bl')[plane]}[{cell // array.shape[1]},{cell % array.shape[1]}]"

    @cached_property
    def _element_places(self) -> dict[str, tuple[int, int]]:
        return {name: (k, at) for k, batch in enumerate(self.batches) for at, name in enumerate(batch.names)}

    def place(self, name: str) -> tuple[int, int] | None:
        """(batch, position) of an element outside the arrays, None if there is none."""
        return self._element_places.get(checks.name(name, "the name of an element"))

    def inner(self, name: str) -> tuple[int, str, int, int] | None:
        """Array, part ("" for cells, "rwl", "rbl") and place of an element inside an array, x1[i,j], x1.rwl[i,s] or x1.rbl[s,j];
        None if there is none."""
        name = checks.name(name, "the name of an element")
        for k, array in enumerate(self.arrays):
            found = array.find(name)
            if found and name not in self._element_places:
                return k, *found
        return None

    def element(self, name: str) -> tuple[int, int]:
        """(batch in `flat`, position) of an element; DataError if there is none."""
        name = checks.name(name, "the name of an element")
        if name in self._element_places:
            return self._element_places[name]
        inner = self.inner(name)
        if inner is None:
            raise DataError(self.no_element(name))
        k = len(self.batches) + 3 * inner[0] + ("rwl", "rbl", "").index(inner[1])
        names = self.flat[k].names
        assert isinstance(names, GridNames)
        at = names.find(name)
        if at is None:  # `inner` knows which elements there are
            raise DataError(f"{name!r} is a segment of a line of 0 ohm between two ends, which share its current by the lever "
                            "rule: its current cannot control anything")
        return k, at

    def _must_have(self, name: str) -> None:
        """Raise DataError where there is no such element; arrays are not expanded."""
        if self.place(name) is None and self.inner(name) is None:
            raise DataError(self.no_element(name.lower()))

    def no_node(self, name: str) -> str:
        """Why there is no such node."""
        inside = _INSIDE.fullmatch(name)
        for array in self.arrays:
            rows, cols = array.shape
            if inside and inside[1] == array.name:
                return f"there is no node {name!r}: {array.name} has {rows} x {cols} nodes a plane, {_ranges(rows, cols)}"
            if name == array.name or name.startswith(f"{array.name}."):
                return (f"there is no node {name!r}: inside an array there are {array.name}.wl[i,j] and {array.name}.bl[i,j], "
                        f"{_ranges(rows, cols)}")
        return f"there is no node {name!r}"

    def no_element(self, name: str) -> str:
        """Why there is no such element."""
        for array in self.arrays:
            if name == array.name or name.startswith((f"{array.name}[", f"{array.name}.")):
                return f"there is no element {name!r}: {array.missing(name)}"
        return f"there is no element {name!r}"

    def state(self, name: str) -> float:
        """cos(theta) of a junction: +1 parallel, -1 antiparallel."""
        self._must_have(name)
        name, inner, batch = name.lower(), self.inner(name), None
        if inner is None:
            k, at = self._element_places[name]
            batch = self.batches[k]
        elif not inner[1]:  # a cell, made an element by itself
            array, at = self.arrays[inner[0]], 0
            batch = array.cells.batch([name], np.zeros((1, 2), np.intp), np.array([inner[2] * array.shape[1] + inner[3]]))
        if not isinstance(batch, MTJs):
            raise DataError(f"{name!r} is no MTJ and has no state")
        return float(batch.state[at])

    def check_output(self, output: str) -> None:
        """Raise DataError where an output names something that is not there."""
        kind, names = parse_output(output)
        for name in names:
            {"v": self.node, "i": self._must_have, "state": self.state}[kind](name)

    def with_value(self, name: str, value: float) -> "Circuit":
        """The circuit with another value [V, A, ohm] of one source or resistor. Raises DataError for one that is not there, and
        for what is no number or out of range."""
        self._must_have(name)
        value = checks.number(value, f"the value of {name}")
        if self.inner(name) is not None:
            raise DataError(f"{name!r} is inside an array; give the array other cells or wires")
        k, at = self._element_places[name.lower()]
        old = self.batches[k]
        changed: list[Batch]
        if isinstance(old, VoltageSources | CurrentSources):
            checks.voltages(value, f"the source {name}")
            changed = [replace(old, value=_with_entry(old.value, at, value))]
        elif isinstance(old, Resistors | Wires):
            one = resistors([old.names[at]], old.nodes[at:at + 1], np.array([float(value)]))
            same = next((b for b in one if type(b) is type(old)), None)
            if isinstance(same, Resistors) and isinstance(old, Resistors):
                changed = [replace(old, g=_with_entry(old.g, at, same.g[0]))]
            elif isinstance(same, Wires) and isinstance(old, Wires):
                changed = [replace(old, r=_with_entry(old.r, at, same.r[0]))]
            else:
                rest = _without(old, at)
                changed = [*([rest] if len(rest.nodes) else []), *one]
        else:
            raise DataError(f"{name!r} is no source or resistor; only those can be swept by name")
        return replace(self, batches=(*self.batches[:k], *changed, *self.batches[k + 1:]))

    def vary(self, values: Mapping[str, float]) -> "Circuit":
        """The circuit with several values set, see `with_value`."""
        circuit = self
        for name, value in values.items():
            circuit = circuit.with_value(name, value)
        return circuit


def parse_output(output: str) -> tuple[str, tuple[str, ...]]:
    """Kind and names of an output: "v(a,b)" -> ("v", ("a", "b")); commas inside brackets belong to a name.

    Raises DataError for anything but v(node), v(node,node), i(element) and state(junction).
    """
    found = _OUTPUT.fullmatch(checks.name(output, "the name of an output").strip())
    names = tuple(n.strip() for n in re.split(r",(?![^\[]*\])", found[2])) if found else ()
    if not found or not all(names) or len(names) > (2 if found[1] == "v" else 1):
        raise DataError(f"{output!r} is no output; use v(node), v(node,node), i(element) or state(junction)")
    return found[1], names


def _ranges(rows: int, cols: int) -> str:
    return f"i = 0 ... {rows - 1}, j = 0 ... {cols - 1}"


def _with_entry(x: Array, at: int, value: float) -> Array:
    out = np.array(x)
    out[at] = value
    return out


def _without(batch: Resistors | Wires, at: int) -> Batch:
    keep = np.arange(len(batch.nodes)) != at
    values = {"g": batch.g[keep]} if isinstance(batch, Resistors) else {"r": batch.r[keep]}
    return replace(batch, names=[n for n, k in zip(batch.names, keep, strict=True) if k], nodes=batch.nodes[keep],
                   **values)


@dataclass(eq=False)
class CircuitBuilder:
    """Collects nodes and elements; `build` turns them into batches."""

    title: str = ""
    _numbers: dict[str, int] = field(default_factory=lambda: {"0": 0})
    _batches: list[Batch] = field(default_factory=list)
    _single: dict[type[Batch], list[dict[str, Any]]] = field(default_factory=dict)
    _resistors: list[tuple[str, tuple[int, int], float]] = field(default_factory=list)
    _arrays: list[Xbar] = field(default_factory=list)

    def node(self, name: str) -> int:
        """Number of a node, new or known; names are case-insensitive and gnd is 0."""
        name = checks.name(name, "the name of a node")
        return self._numbers.setdefault("0" if name == "gnd" else name, len(self._numbers))

    def node_list(self, names: Sequence[str]) -> list[int]:
        """Numbers of several nodes."""
        return [self.node(n) for n in names]

    def add(self, batch: Batch) -> None:
        """A whole batch, on node numbers from `node`."""
        self._batches.append(batch)

    def add_one(self, kind: type[Batch], name: str, nodes: Sequence[str], **values: Any) -> None:
        """One element of a batch class; elements of one class end up in one batch. Raises DataError for a value or gain that is
        no finite number."""
        for key in ("value", "gain"):
            if key in values:
                values[key] = checks.number(values[key], f"{key} of {name}")
                if not np.isfinite(values[key]):
                    raise DataError(f"{key} of {name} must be finite, got {values[key]:g}")
        self._single.setdefault(kind, []).append(
            {"names": checks.name(name, "the name of an element"), "nodes": self.node_list(nodes)} | values)

    def resistor(self, name: str, a: str, b: str, ohms: float) -> None:
        """A resistance of at least 0 ohm; 0 is an exact short. Raises DataError for what is no number."""
        self._resistors.append((checks.name(name, "the name of a resistor"), (self.node(a), self.node(b)),
                                ohms if type(ohms) is float else checks.number(ohms, f"resistance of {name} [ohm]")))

    @property
    def array_names(self) -> set[str]:
        """Names of the arrays so far."""
        return {a.name for a in self._arrays}

    def add_array(self, xbar: Xbar) -> None:
        """A passive array."""
        self._arrays.append(xbar)

    def build(self) -> Circuit:
        """The circuit; raises DataError where two elements share a name."""
        batches = list(self._batches)
        if self._resistors:
            names, nodes, ohms = zip(*self._resistors, strict=True)
            batches += resistors(names, np.array(nodes), np.array(ohms, dtype=float))
        batches += (_joined(kind, items) for kind, items in self._single.items())
        seen: set[str] = set()
        for name in self._names(batches):
            if name in seen:
                raise DataError(f"two elements are named {name!r}")
            seen.add(name)
        return Circuit(title=self.title, nodes=tuple(self._numbers), batches=tuple(batches),
                       arrays=tuple(self._arrays))

    def _names(self, batches: Sequence[Batch]) -> Iterator[str]:
        for batch in batches:
            yield from batch.names
        yield from (a.name for a in self._arrays)


def _joined(kind: type[Batch], items: list[dict[str, Any]]) -> Batch:
    columns: dict[str, Any] = {key: [item[key] for item in items] for key in items[0]}
    columns["nodes"] = np.array(columns["nodes"], dtype=np.intp)
    if kind is MTJs:
        return join_mtjs(**columns)
    numbers = {k: np.array(v, dtype=float) for k, v in columns.items() if k in ("value", "gain")}
    return kind(**(columns | numbers))
