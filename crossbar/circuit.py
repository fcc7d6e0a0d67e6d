"""A circuit is named nodes and batches of elements. Data only: no equation is written or solved here.

Node 0 is ground. The inner nodes of arrays have numbers behind the named ones and names that are made when asked for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from crossbar.elements.base import Array, Batch
from crossbar.elements.linear import CurrentSources, Resistors, VoltageSources, Wires, resistors
from crossbar.elements.nonlinear import MTJs, join_mtjs
from crossbar.elements.xbar import GridNames, Xbar
from crossbar.errors import DataError

_OUTPUT = re.compile(r"(v|i|state)\((.*)\)")
_INSIDE = re.compile(r"(.+)\.(wl|bl)\[\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*\]")


@dataclass(frozen=True, kw_only=True, eq=False)
class Circuit:
    """Immutable; built by a netlist, an array or a CircuitBuilder."""

    title: str
    nodes: tuple[str, ...]      # lower case; nodes[0] is "0"
    batches: tuple[Batch, ...]
    arrays: tuple[Xbar, ...] = ()

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
        """All batches, those of the expanded arrays last: word wires, bit wires, cells of each."""
        inner = (b for a, first in zip(self.arrays, self.first_inner, strict=False) for b in a.expand(first))
        return (*self.batches, *inner)

    @cached_property
    def _node_numbers(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.nodes)} | {"gnd": 0}

    @cached_property
    def voltage_outputs(self) -> dict[str, int]:
        """v(node) of every named node but ground -> its number."""
        return {f"v({name})": k for k, name in enumerate(self.nodes) if k}

    def node(self, name: str) -> int:
        """Number of a node; names inside arrays are x1.wl[i,j] and x1.bl[i,j]. Raises DataError if there is none."""
        name = name.lower()
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
        return self._element_places.get(name.lower())

    def inner(self, name: str) -> tuple[int, str, int, int] | None:
        """Array, part ("" for cells, "rwl", "rbl") and place of an element inside an array, x1[i,j], x1.rwl[i,s] or x1.rbl[s,j];
        None if there is none."""
        name = name.lower()
        for k, array in enumerate(self.arrays):
            found = array.find(name)
            if found and name not in self._element_places:
                return k, *found
        return None

    def element(self, name: str) -> tuple[int, int]:
        """(batch in `flat`, position) of an element; DataError if there is none."""
        name = name.lower()
        if name in self._element_places:
            return self._element_places[name]
        inner = self.inner(name)
        if inner is None:
            raise DataError(self.no_element(name))
        k = len(self.batches) + 3 * inner[0] + ("rwl", "rbl", "").index(inner[1])
        names = self.flat[k].names
        assert isinstance(names, GridNames)
        at = names.find(name)
        assert at is not None  # `inner` knows which elements there are
        return k, at

    def _must_have(self, name: str) -> None:
        """Raise DataError where there is no such element; arrays are not expanded."""
        if name.lower() not in self._element_places and self.inner(name) is None:
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
        """The circuit with another value [V, A, ohm] of one source or resistor."""
        self._must_have(name)
        if self.inner(name) is not None:
            raise DataError(f"{name!r} is inside an array; give the array other cells or wires")
        k, at = self._element_places[name.lower()]
        old = self.batches[k]
        changed: list[Batch]
        if isinstance(old, VoltageSources | CurrentSources):
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
    found = _OUTPUT.fullmatch(output.strip().lower())
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
        name = name.lower()
        return self._numbers.setdefault("0" if name == "gnd" else name, len(self._numbers))

    def node_list(self, names: Sequence[str]) -> list[int]:
        """Numbers of several nodes."""
        return [self.node(n) for n in names]

    def add(self, batch: Batch) -> None:
        """A whole batch, on node numbers from `node`."""
        self._batches.append(batch)

    def add_one(self, kind: type[Batch], name: str, nodes: Sequence[str], **values: Any) -> None:
        """One element of a batch class; elements of one class end up in one batch."""
        self._single.setdefault(kind, []).append(
            {"names": name.lower(), "nodes": self.node_list(nodes)} | values)

    def resistor(self, name: str, a: str, b: str, ohms: float) -> None:
        """A resistance of at least 0 ohm; 0 is an exact short."""
        self._resistors.append((name.lower(), (self.node(a), self.node(b)), ohms))

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
