"""Crossbars in flat netlists: found whatever the names, the order and the values; never found where they are not; and solved as
the general path solves them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import crossbar as xb
from crossbar.circuit import Circuit
from crossbar.elements.linear import Resistors, VoltageSources, Wires
from crossbar.recognise import LEAST, Recognised, find_crossbars

Resistor = tuple[str, str, str, float]


@dataclass(eq=False)
class Netlist:
    """A flat crossbar: what is where, by name; changed by the tests before it becomes a circuit."""

    shape: tuple[int, int]
    resistors: list[Resistor] = field(default_factory=list)
    sources: dict[str, float] = field(default_factory=dict)  # node -> volts

    def circuit(self, rng: np.random.Generator) -> Circuit:
        """Elements, nodes and ends in random order."""
        builder = xb.CircuitBuilder()
        names = sorted({n for _, a, b, _ in self.resistors for n in (a, b)})
        for k in rng.permutation(len(names)):
            builder.node(names[k])
        for k in rng.permutation(len(self.resistors)):
            name, a, b, r = self.resistors[k]
            a, b = (a, b) if rng.random() < 0.5 else (b, a)
            builder.resistor(name, a, b, r)
        for node, volts in self.sources.items():
            builder.add_one(VoltageSources, f"v_{node}", (node, "0"), value=volts)
        return builder.build()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(90_210_417)


def netlist(m: int, n: int, rng: np.random.Generator, *, ends: str = "left bottom", missing: float = 0.0, leads: bool = True,
            grounded: bool = False, sense: float = 0.0, spread: float = 2.0) -> Netlist:
    """ends : which ends are driven. leads : else the source is at the first node itself. grounded : bit lines end at node 0.
    sense : resistors [ohm] between the bit lines' ends and ground. spread : largest over least cell resistance."""
    out = Netlist((m, n))

    def line(kind: str, k: int, length: int, near: bool, far: bool) -> None:
        names = [f"{kind}{k}_{p}" if kind == "w" else f"{kind}{p}_{k}" for p in range(length)]
        if leads:
            names = [f"{kind}near{k}"] * near + names + [f"{kind}far{k}"] * far
        if grounded and kind == "b":
            names[-1] = "0"
        out.resistors += [(f"r{a}_{b}", a, b, float(rng.uniform(1, 5))) for a, b in zip(names, names[1:], strict=False)]
        if sense and kind == "b":
            out.resistors.append((f"rs{k}", names[-1], "0", sense))
        for end in [names[0]] * near + [names[-1]] * (far and not sense and not grounded):
            out.sources[end] = float(rng.uniform(-1, 1))
    for i in range(m):
        line("w", i, n, "left" in ends, "right" in ends)
    for j in range(n):
        line("b", j, m, "top" in ends, "bottom" in ends)
    alive = rng.random((m, n)) >= missing
    out.resistors += [(f"rc{i}_{j}", f"w{i}_{j}", f"b{i}_{j}", float(1e3 * spread ** rng.random()))
                      for i, j in np.argwhere(alive)]
    return out


def names_of(circuit: Circuit) -> list[str]:
    """Names of the resistors in the order in which they are counted."""
    return [n for b in circuit.batches if isinstance(b, Resistors | Wires) for n in b.names]


def only(circuit: Circuit) -> Recognised:
    found, = find_crossbars(circuit)
    return found


def check_agreement(circuit: Circuit) -> None:
    """Voltages and currents as on the general path."""
    lines, general = (xb.operating_point(circuit, method=m) for m in ("lines", "general"))
    assert lines.method == "lines" and general.method == "newton"
    scale = np.abs(general.voltages).max()
    np.testing.assert_allclose(lines.voltages, general.voltages, rtol=0, atol=1e-9 * scale)
    largest = max(np.abs(i).max() for i in general.currents)
    for a, b in zip(lines.currents, general.currents, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * largest)


@settings(max_examples=40, deadline=None)
@given(m=st.integers(2, 24), n=st.integers(2, 24), seed=st.integers(0, 2 ** 32),
       ends=st.sampled_from(["left bottom", "left right top bottom", "left right", "left top", "right bottom"]),
       how=st.sampled_from([{}, {"leads": False}, {"sense": 50.0}, {"spread": 1e6}, {"spread": 1.0}]))
def test_complete_arrays_are_found_whatever_order_and_names(m: int, n: int, seed: int, ends: str, how: dict) -> None:
    rng = np.random.default_rng(seed)
    assume(m * n >= LEAST and ("sense" not in how or "bottom" in ends))
    flat = netlist(m, n, rng, ends=ends, **how)
    circuit = flat.circuit(rng)
    found, names = only(circuit), names_of(circuit)
    assert found.xbar.shape in ((m, n), (n, m))
    assert {names[k] for k in found.cells.ravel()} == {name for name, *_ in flat.resistors if name.startswith("rc")}
    word = {circuit.nodes[k][0] for k in found.word.ravel()}
    assert word in ({"w"}, {"b"}) and len({circuit.nodes[k] for k in (*found.word.ravel(), *found.bit.ravel())}) == 2 * m * n
    assert len(found.resistors) == len(flat.resistors) - (n if "sense" in how else 0)


@pytest.mark.parametrize("how", [{}, {"grounded": True}, {"leads": False}, {"sense": 50.0}, {"spread": 1e6},
                                 {"ends": "left right top bottom"}, {"missing": 0.03}], ids=str)
def test_solved_as_on_the_general_path(how: dict, rng: np.random.Generator) -> None:
    check_agreement(netlist(17, 12, rng, **how).circuit(rng))


def test_values_play_no_part(rng: np.random.Generator) -> None:
    flat = netlist(10, 12, rng)
    flat.resistors = [(name, a, b, 1.0) for name, a, b, _ in flat.resistors]
    circuit = flat.circuit(rng)
    assert {names_of(circuit)[k] for k in only(circuit).cells.ravel()} == {x for x, *_ in flat.resistors if x[1] == "c"}


@pytest.mark.parametrize(("shape", "missing"), [((40, 30), 0.02), ((64, 64), 0.05), ((50, 70), 0.1), ((70, 50), 0.2)])
def test_holes_are_open_cells(shape: tuple[int, int], missing: float, rng: np.random.Generator) -> None:
    flat = netlist(*shape, rng, missing=missing)
    circuit = flat.circuit(rng)
    found = only(circuit)
    there = {names_of(circuit)[k] for k in found.cells[found.cells >= 0]}
    assert there == {name for name, *_ in flat.resistors if name.startswith("rc")} and len(there) < shape[0] * shape[1]
    assert (found.xbar.cells.g[found.cells < 0] == 0).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2 ** 32), missing=st.sampled_from([0.05, 0.2, 0.5]))
def test_arrays_full_of_holes_are_found_rightly_or_not_at_all(seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    circuit = netlist(12, 14, rng, missing=missing).circuit(rng)
    for found in find_crossbars(circuit, least=4):
        check_faithful(circuit, found)


def check_faithful(circuit: Circuit, found: Recognised) -> None:
    """The expanded array with its terminals is a subgraph of the netlist, whose inner nodes touch nothing else."""
    ends = np.concatenate([b.nodes for b in circuit.batches if isinstance(b, Resistors | Wires)])
    values = np.concatenate([1 / b.g if isinstance(b, Resistors) else b.r for b in circuit.batches
                             if isinstance(b, Resistors | Wires)])
    array = found.xbar
    flat_node = np.concatenate((np.arange(len(circuit.nodes)), found.word.ravel(), found.bit.ravel()))
    edges = []
    for batch in array.expand(len(circuit.nodes)):
        r = batch.r if isinstance(batch, Wires) else 1 / batch.g  # type: ignore[attr-defined]
        edges += [(*sorted(flat_node[list(e)]), float(x)) for e, x in zip(batch.nodes, r, strict=True)]
    edges = [e for e in edges if e[0] != e[1]]  # leads of 0 ohm to a node that is the terminal
    there = [(*sorted(ends[k]), float(values[k])) for k in found.resistors]
    assert sorted(map(tuple, np.round(edges, 9))) == sorted(map(tuple, np.round(there, 9)))
    terminals = np.concatenate(list(array.terminals.values()))
    inner = np.setdiff1d((found.word, found.bit), terminals)
    others = np.setdiff1d(np.arange(len(ends)), found.resistors)
    assert not np.isin(ends[others], inner).any()
    assert not any(np.isin(b.nodes, inner).any() for b in circuit.batches if not isinstance(b, Resistors | Wires))


def test_a_resistor_between_inner_nodes_is_refused(rng: np.random.Generator) -> None:
    for _ in range(20):
        flat = netlist(9, 10, rng)
        a, b = (f"{'wb'[rng.integers(2)]}{rng.integers(9)}_{rng.integers(10)}" for _ in range(2))
        if a != b:
            flat.resistors.append(("rextra", a, b, 1e3))
            assert find_crossbars(flat.circuit(rng)) == ()


def test_a_resistor_or_a_source_from_an_inner_node_to_ground_is_refused(rng: np.random.Generator) -> None:
    flat = netlist(9, 10, rng)
    flat.resistors.append(("rextra", "w4_5", "0", 1e6))
    assert find_crossbars(flat.circuit(rng)) == ()
    flat.resistors.pop()
    flat.sources["b3_3"] = 0.5
    assert find_crossbars(flat.circuit(rng)) == ()


@pytest.mark.parametrize("kind", ["rc", "rw", "rb"])
def test_a_moved_resistor_is_never_taken_for_one_in_its_place(kind: str, rng: np.random.Generator) -> None:
    for _ in range(15):
        flat = netlist(9, 10, rng)
        which = [k for k, (name, *_) in enumerate(flat.resistors) if name.startswith(kind)]
        k = which[rng.integers(len(which))]
        name, a, _, r = flat.resistors[k]
        b = f"{'wb'[rng.integers(2)]}{rng.integers(9)}_{rng.integers(10)}"
        flat.resistors[k] = (name, a, b, r)
        circuit = flat.circuit(rng)
        for found in find_crossbars(circuit):
            check_faithful(circuit, found)
            assert names_of(circuit).index(name) not in found.resistors or found.xbar.shape != (9, 10)


def test_what_hangs_on_the_terminals_stays(rng: np.random.Generator) -> None:
    flat = netlist(9, 10, rng, sense=75.0)
    flat.resistors += [("rx", "wnear1", "wnear2", 5e3), ("ry", "bfar3", "bfar4", 1e3), ("rz", "bfar4", "tap", 2e3),
                       ("rt", "tap", "0", 2e3)]
    circuit = flat.circuit(rng)
    found = only(circuit)
    rest = set(names_of(circuit)) - {names_of(circuit)[k] for k in found.resistors}
    assert {"rx", "ry", "rz", "rt"} < rest and len(rest) == 4 + 10
    check_agreement(circuit)


def test_two_arrays_in_one_netlist(rng: np.random.Generator) -> None:
    one, two = netlist(9, 10, rng), netlist(12, 8, rng)
    one.resistors += [("rt" + name, "t" + a, "t" + b, r) for name, a, b, r in two.resistors]
    one.sources |= {"t" + node: v for node, v in two.sources.items()}
    one.resistors.append(("rjoin", "bfar2", "twnear3", 1e3))
    circuit = one.circuit(rng)
    assert sorted(sorted(f.xbar.shape) for f in find_crossbars(circuit)) == [[8, 12], [9, 10]]
    check_agreement(circuit)


@pytest.mark.parametrize("shape", [(1, 100), (100, 1)])
def test_a_single_line_is_left_to_the_general_path(shape: tuple[int, int], rng: np.random.Generator) -> None:
    circuit = netlist(*shape, rng).circuit(rng)
    assert find_crossbars(circuit) == ()
    assert xb.operating_point(circuit).method == "newton"


def test_ladders_meshes_and_nothing_are_no_crossbars(rng: np.random.Generator) -> None:
    square = [(f"rh{i}_{j}", f"n{i}_{j}", f"n{i}_{j + 1}", 1.0) for i in range(12) for j in range(12)]
    square += [(f"rv{i}_{j}", f"n{i}_{j}", f"n{i + 1}_{j}", 1.0) for i in range(12) for j in range(12)]
    ladder = [(f"ra{i}", f"n{i}", f"n{i + 1}", 1.0) for i in range(200)] + [(f"rg{i}", f"n{i}", "0", 1.0) for i in range(200)]
    cubic = [(f"rr{k}", f"n{k}", f"n{(k + 1) % 300}", 1.0) for k in range(300)]
    order = rng.permutation(300)
    cubic += [(f"rm{k}", f"n{order[k]}", f"n{order[k + 150]}", 1.0) for k in range(150)]
    for resistors in (square, ladder, cubic, ladder[:1]):
        flat = Netlist((0, 0), list(resistors), {resistors[0][1]: 1.0})
        assert find_crossbars(flat.circuit(rng), least=4) == ()


def test_an_exact_short_is_no_cell(rng: np.random.Generator) -> None:
    flat = netlist(9, 10, rng)
    at = next(k for k, (name, *_) in enumerate(flat.resistors) if name == "rc4_4")
    flat.resistors[at] = (*flat.resistors[at][:3], 0.0)
    assert find_crossbars(flat.circuit(rng)) == ()


def test_sweeps_reuse_what_was_found_and_agree(rng: np.random.Generator) -> None:
    flat = netlist(130, 130, rng)
    circuit = flat.circuit(rng)
    sweep = xb.dc_sweep(circuit, {"v_wnear3": [0.0, 0.7], "rc5_6": [500.0, 2e3]})
    for p, volts in enumerate((0.0, 0.7)):
        for q, ohms in enumerate((500.0, 2e3)):
            point = xb.operating_point(circuit.vary({"v_wnear3": volts, "rc5_6": ohms}), method="general")
            for output in ("v(w5_6)", "i(v_bfar6)", "i(rc5_6)"):
                assert sweep[output][p, q] == pytest.approx(point[output], rel=1e-9)


def test_a_large_flat_deck_takes_the_structured_path(rng: np.random.Generator, tmp_path: Path) -> None:
    flat = netlist(130, 124, rng)
    lines = [f"{name} {a} {b} {r:.9g}" for name, a, b, r in flat.resistors]
    lines += [f"V{node} {node} 0 {v:.9g}" for node, v in flat.sources.items()]
    deck = xb.parse_netlist("\n".join(["title", *(lines[k] for k in rng.permutation(len(lines))), ".op", ".end"]))
    point = xb.run(deck).op
    general = xb.operating_point(deck.circuit, method="general")
    assert (point.method, general.method) == ("lines", "newton")
    raw = []
    for k, solved in enumerate((point, general)):
        xb.write_raw(xb.Run(deck, {"op": solved}), tmp_path / f"{k}.raw")
        raw += xb.read_raw(tmp_path / f"{k}.raw")
    assert raw[0].variables == raw[1].variables and raw[0].kinds == raw[1].kinds
    np.testing.assert_allclose(raw[0].data, raw[1].data, rtol=0, atol=1e-9 * np.abs(raw[1].data).max())
    for output in ("v(w3_4)", "v(b100_20,b100_21)", "i(vbfar7)", "i(rc9_9)", "i(vwnear0)"):
        assert point[output] == pytest.approx(general[output], rel=1e-9)
