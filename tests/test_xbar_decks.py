"""Arrays in circuits, solved as blocks: the same as on the general path, whatever is attached to them.

The general path expands every array into its wires and cells and shares neither the line solver nor the iteration
between arrays and circuit with the path under test.
"""

import numpy as np
import pytest
from building import circuit
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import crossbar as xb
from crossbar import analysis, coupled, memory, topology
from crossbar.circuit import Circuit, CircuitBuilder
from crossbar.elements.linear import CCCS, VCVS, CurrentSources, VoltageSources
from crossbar.elements.nonlinear import behavioural
from crossbar.elements.xbar import SIDES, Xbar, driver_resistance, lines_of, wire_resistance
from crossbar.errors import ConvergenceError, DataError, TopologyError
from crossbar.expressions import Scope, parse

TIGHT = {"reltol": 1e-12, "vntol": 1e-13}
OHMIC = ".model cell mtj (r_p=5k tmr=1.2 vh=inf)"
BENT = ".model cell mtj (r_p=5k tmr=1.2 vh=0.4)"


def agree(c: Circuit, rel: float = 1e-9) -> "xb.OperatingPoint":
    """Both paths give the same voltages, of inner nodes too, and the same currents; returns the point under test."""
    lines, general = (xb.operating_point(c, method=m, **TIGHT) for m in ("lines", "general"))
    assert lines.method == "lines" != general.method
    assert_allclose(lines.voltages, general.voltages, rtol=rel, atol=rel * np.nanmax(np.abs(general.voltages)) + 1e-300)
    ours, theirs = np.concatenate(lines.currents), np.concatenate(general.currents)
    pairs = [(lines.array(a.name), general.array(a.name)) for a in c.arrays]
    largest = max([np.abs(theirs).max(initial=0.0), *(np.abs(b.cell_current).max() for _, b in pairs)])
    bound = rel * largest + 1e-18
    assert_allclose(ours, theirs, rtol=0, atol=bound)
    for a, b in pairs:
        assert (a.method, a.isolated) == ("lines", b.isolated)
        assert_allclose(a.cell_current, b.cell_current, rtol=0, atol=bound)
        for side in SIDES:
            assert_allclose(a.terminal_current[side], b.terminal_current[side], rtol=0, atol=bound)
            assert_allclose(a.terminal_voltage[side], b.terminal_voltage[side], rtol=rel, atol=rel)
        for x, y in zip(a.segment_current, b.segment_current, strict=True):
            assert_allclose(x, y, rtol=0, atol=bound)
    assert lines.relative_residual <= 1e-10 or lines.residual < 1e-22  # nothing flows
    return lines


def deck(*lines: str) -> xb.Deck:
    return xb.parse_netlist("\n".join(["title", ".options seed=20260729", *lines]))


# --- what is attached ---------------------------------------------------------------------------------------

GRID = ".model grid xbar (rows=6 cols=5 mtj=cell r_wl=3 r_bl=2)"
READ = "yxbar x1 w[0:5] b[0:4] grid state=random"
DRIVE = "vw[0:5] in[0:5] 0 0.3\nrw[0:5] in[0:5] w[0:5] 200"
SENSE = "rs[0:4] b[0:4] 0 50"

#: Name -> lines of the deck, and how many solutions of the array it may take (None: it is nonlinear).
ATTACHED = {
    "ideal sources": (["vw[0:5] w[0:5] 0 0.3", "vb[0:4] b[0:4] 0 0", READ], 1),
    "drivers and sense resistors": ([DRIVE, SENSE, READ], 1),
    "drivers of two resistors": ([DRIVE.replace(" w[", " m[") + "\nrm[0:5] m[0:5] w[0:5] 70", SENSE, READ], 1),
    "all lines on one source": (["vw w 0 0.3", "vb b 0 0.1", "yxbar x1 w b grid state=random"], 1),
    "many drivers on one ideal source": (["vw s 0 0.3\nrw[0:5] s w[0:5] 200", SENSE, READ], 1),
    "amplifiers": ([DRIVE, "eo[0:4] o[0:4] 0 0 b[0:4] 1e4\nrf[0:4] o[0:4] b[0:4] 1k", READ], 1),
    "floating lines": (["vw w[2] 0 0.3", "rs b[3] 0 50", READ], 1),
    "a control that draws no current": (["vw w[2] 0 0.3", "rs b[3] 0 50", "eo o 0 w[4] b[0] 10\nro o 0 1k", READ], 3),
    "shared supply": (["vw s 0 0.3\nrsup s t 30\nrw[0:5] t w[0:5] 200", SENSE, READ], 4),
    "shared supply and ground": (["vw s 0 0.3\nrsup s t 30\nrw[0:5] t w[0:5] 2",
                                  "rs[0:4] b[0:4] g 5\nrg g 0 20", READ], 8),
    "one node for all lines behind a resistor": (["vw s 0 0.3\nrsup s w 30", SENSE, "yxbar x1 w b[0:4] grid state=random"], 5),
    "resistors between lines": ([DRIVE, SENSE, "rx[0:3] b[0:3] b[1:4] 80", READ], 12),
    "current sources": (["iw[0:5] 0 w[0:5] 20u", SENSE, READ], 9),
    "a current source into a floating line": (["iw 0 w[2] 20u", "rs b[3] 0 50", READ], 5),
    "both ends on one driver": ([DRIVE, SENSE, READ.replace("grid", "grid wr=w[0:5]")], 16),
    "both ends driven": ([DRIVE, SENSE, "vr[0:5] r[0:5] 0 0.1", "vt t 0 0.05",
                          READ.replace("grid", "grid wr=r[0:5] bt=t")], 4),
    "cascade through amplifiers": ([DRIVE, SENSE, READ, "ea[0:4] a[0:4] 0 b[0:4] 0 20",
                                    ".model two xbar (rows=5 cols=3 mtj=cell r_wl=2 r_bl=2 r_driver=100)",
                                    "yxbar x2 a[0:4] c[0:2] two state=random", "rc[0:2] c[0:2] 0 100"], 9),
    "cascade of lines": ([DRIVE, READ, ".model two xbar (rows=5 cols=3 mtj=cell r_wl=2 r_bl=2)",
                          "yxbar x2 b[0:4] c[0:2] two state=random", "rc[0:2] c[0:2] 0 100"], 30),
    "feedback through an amplifier": ([DRIVE, SENSE, READ, "ea f 0 b[1] 0 -3", "rf f w[1] 400"], 6),
    "currents read and sent": ([DRIVE, "vs[0:4] b[0:4] 0 0", READ, "f1 0 o vs[2] 4", "ro o 0 1k"], None),
}
ATTACHED["a bent source for each line"] = (
    [DRIVE, *(f"bb{k} b[{k}] 0 i={{1e-3*v(b[{k}])+0.2*v(b[{k}])*v(b[{k}])*v(b[{k}])}}" for k in range(5)), READ], None)
ATTACHED["a bent supply"] = (["vw s 0 0.3", "bsup s t i={1e-2*v(s,t)+0.5*v(s,t)*v(s,t)*v(s,t)}", "rw[0:5] t w[0:5] 200",
                              SENSE, READ], None)
ATTACHED["junctions as references"] = ([DRIVE, ".model ref mtj (r_p=3k tmr=1 vh=0.3)", "ymtj m[0:4] b[0:4] 0 ref state=AP", READ],
                                       None)


@pytest.mark.parametrize("cells", [OHMIC, BENT], ids=["ohmic", "bent"])
@pytest.mark.parametrize("name", ATTACHED)
def test_whatever_is_attached(name: str, cells: str) -> None:
    lines, most = ATTACHED[name]
    point = agree(deck(cells, GRID, *lines).circuit)
    if most is not None and cells == OHMIC:
        assert point.iterations <= most


@pytest.mark.parametrize("wires", ["r_wl=0 r_bl=0", "r_wl=1e-6 r_bl=1e-6", "r_wl=3k r_bl=0 r_driver=10"])
@pytest.mark.parametrize("name", ["drivers and sense resistors", "shared supply", "cascade of lines"])
def test_whatever_the_wires(name: str, wires: str) -> None:
    agree(deck(BENT, GRID.replace("r_wl=3 r_bl=2", wires), *ATTACHED[name][0]).circuit)


# --- at random ----------------------------------------------------------------------------------------------

KINDS = ("source", "driver", "supply", "sense", "floating", "current", "chain", "open", "ground", "shared", "amplifier", "bent",
         "cascade")


class Case:
    """A random circuit around one or two random arrays, from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.bent = bool(self.rng.random() < 0.5)
        self.builder = CircuitBuilder()
        self.builder.add_one(VoltageSources, "vdd", ("vdd", "0"), value=0.5)
        self.resistor("rsup", "vdd", "sup", self.rng.choice([0.0, 1.0, 30.0, 1e3]))
        self.before: list[str] = []
        for k in range(self.rng.integers(1, 3)):
            self.array(f"x{k}")

    def resistor(self, name: str, a: str, b: str, ohms: float) -> None:
        self.builder.resistor(name, a, b, float(ohms))

    def attach(self, name: str) -> int:
        """The node of one terminal."""
        kind, rng, b = self.rng.choice(KINDS), self.rng, self.builder
        ohms = 10 ** rng.uniform(0.5, 4)
        if kind in ("open", "ground", "supply", "shared"):
            return {"open": -1, "ground": 0, "supply": b.node("sup"), "shared": b.node("vdd")}[kind]
        if kind == "cascade" and self.before:
            return b.node(str(rng.choice(self.before)))
        if kind == "source":
            b.add_one(VoltageSources, f"v.{name}", (name, "0"), value=rng.uniform(-0.5, 0.5))
        elif kind == "driver":
            b.add_one(VoltageSources, f"v.{name}", (f"s.{name}", "0"), value=rng.uniform(-0.5, 0.5))
            self.resistor(f"r.{name}", f"s.{name}", name, ohms)
        elif kind == "current":
            b.add_one(CurrentSources, f"i.{name}", ("0", name), value=rng.uniform(-1e-5, 1e-5))
            self.resistor(f"r.{name}", name, "0", 1e5)
        elif kind == "chain":
            self.resistor(f"r.{name}", name, str(rng.choice(["sup", *self.before])), ohms)
        elif kind == "amplifier":
            b.add_one(VCVS, f"e.{name}", (f"s.{name}", "0", "sup", "0"), gain=rng.uniform(-1, 1))
            self.resistor(f"r.{name}", f"s.{name}", name, ohms)
        elif kind == "bent" and self.bent:
            law = parse(f"1e-4*v({name})+1e-3*v({name})*v({name})*v({name})")
            b.add(behavioural(f"b.{name}", b.node_list([name, "0", name, "0"]), law, Scope(), False, {p: p for p in law.probes}))
        elif kind != "floating":
            self.resistor(f"r.{name}", name, "0", ohms)
        return b.node(name)

    def array(self, name: str) -> None:
        rng, shape = self.rng, tuple(self.rng.integers(1, 7, 2))
        r = [np.array(wire_resistance(rng.choice([0.0, 1e-3, 2.0, 40.0]), s, "r"))
             for s in ((shape[0], shape[1] + 1), (shape[0] + 1, shape[1]))]
        if rng.random() < 0.3:
            r[0][rng.integers(shape[0]), rng.integers(shape[1] + 1)] = np.inf
        if self.bent and rng.random() < 0.7:
            cells: object = xb.MTJCells(xb.mtj.presets["mtj-60kT"], rng.integers(0, 2, shape))
        else:
            g = 10 ** rng.uniform(-5, -3, shape)
            cells = xb.LinearCells(g=np.where(rng.random(shape) < 0.1, 0.0, g))
        ends = {side: np.array([self.attach(f"{name}.{side}{k}") for k in range(lines_of(side, shape))])
                for side in SIDES if rng.random() < (0.9 if side in ("word_left", "bit_bottom") else 0.3)}
        self.before += [n for n in self.builder._numbers if n.startswith(f"{name}.")]
        self.builder.add_array(Xbar(name=name, cells=cells, r_word=r[0], r_bit=r[1], terminals=ends,
                                    r_driver=driver_resistance(rng.choice([0.0, 0.0, 100.0]), shape)))


@given(st.integers(0, 2 ** 32))
@settings(max_examples=120)
def test_random_circuits_around_random_arrays(seed: int) -> None:
    c = Case(seed).builder.build()
    try:
        topology.check(c)
    except TopologyError:
        return
    agree(c, rel=1e-8)


@given(st.integers(0, 2 ** 32))
@settings(max_examples=120)
def test_topology_of_blocks_is_that_of_wires_and_cells(seed: int) -> None:
    """A path to ground, a loop of shorts: as found on the expanded graph. Inner elements have the names they have there."""
    c = Case(seed).builder.build()
    edges = np.concatenate([b.nodes[b.conducts][:, :2] for b in c.flat])
    part = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(c.node_count,) * 2), directed=False)[1]
    floats = bool((part[:len(c.nodes)] != part[0]).any())
    rigid = np.concatenate([b.nodes[b.rigid][:, :2] for b in c.flat])
    trees = connected_components(coo_array((np.ones(len(rigid)), rigid.T), shape=(c.node_count,) * 2), directed=False)[0]
    loop = len(rigid) > c.node_count - trees
    try:
        topology.check(c)
        message = ""
    except TopologyError as error:
        message = str(error)
    assert ("no DC path" in message, "loop of" in message) == (floats, loop)
    known = {name for b in c.flat[len(c.batches):] for name in b.names}
    for a, ideal in zip(c.arrays, c.ideal_lines, strict=True):  # their nodes are what the solver knows, their segments have names
        words, bits = ([], []) if ideal is None else ideal
        known |= {f"{a.name}.rwl[{i},{j}]" for i in words for j in range(a.shape[1] + 1)}
        known |= {f"{a.name}.rbl[{i},{j}]" for i in range(a.shape[0] + 1) for j in bits}
    known = {name for name in known if ".wl[" not in name and ".bl[" not in name}
    for a in c.arrays:
        m, n = a.shape
        every = [f"{a.name}{part}[{i},{j}]" for part in ("", ".rwl", ".rbl") for i in range(m + 2) for j in range(n + 2)]
        assert {name for name in every if c.inner(name)} == {k for k in known if k.startswith(f"{a.name}[") or
                                                             k.startswith(f"{a.name}.")}


# --- sweeps and names ---------------------------------------------------------------------------------------


@pytest.fixture
def blocks_at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "_LARGE", 0)


SWEPT = (BENT, GRID, "vw s 0 0.3", "rsup s t 30", "rw[0:5] t w[0:5] 200", SENSE, READ, ".param tail=50", "rtail b[0] 0 {tail}",
         ".dc vw -0.4 0.4 0.2 tail 50 150 50", ".print dc i(vw) v(x1.wl[2,3]) i(x1[1,2]) i(x1.rbl[6,0]) state(x1[1,2])")


def test_sweeps(blocks_at_any_size: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two axes, one of them a parameter; outputs inside the array; each point starts from the one before."""
    tight = ".options reltol=1e-12 vntol=1e-13"
    ours = xb.run(deck(*SWEPT, tight)).dc
    monkeypatch.setattr(analysis, "_LARGE", 10 ** 9)
    general = xb.run(deck(*SWEPT, tight)).dc
    assert ours.shape == (3, 5)
    for name in ("i(vw)", "v(b[0])", "v(x1.wl[2,3])", "i(x1[1,2])", "i(x1.rbl[6,0])", "i(rtail)"):
        assert_allclose(ours[name], general[name], rtol=1e-9, atol=1e-9 * np.abs(general[name]).max())
    assert np.max(ours.relative_residual) <= 1e-10


def test_a_point_near_another_takes_less() -> None:
    c = deck(OHMIC, GRID, *ATTACHED["shared supply"][0]).circuit
    first = xb.operating_point(c, method="lines")
    assert first.iterations > 2
    assert xb.operating_point(c, method="lines", near=first).iterations == 1
    other = c.with_value("rsup", 31.0)
    near = xb.operating_point(other, method="lines", near=first)
    assert_allclose(near.v("t"), xb.operating_point(other, method="general").v("t"), rtol=1e-10)


def test_another_point_nearby_may_have_another_array() -> None:
    """A start that does not fit is no start."""
    small = xb.operating_point(deck(OHMIC, GRID, *ATTACHED["shared supply"][0]).circuit, method="lines")
    lines = [x.replace("[0:5]", "[0:2]") for x in ATTACHED["shared supply"][0]]
    other = deck(OHMIC, GRID.replace("rows=6", "rows=3"), *lines).circuit
    assert_allclose(xb.operating_point(other, method="lines", near=small).v("t"),
                    xb.operating_point(other, method="general").v("t"), rtol=1e-10)


def test_names_inside_an_array() -> None:
    c = deck(BENT, GRID, DRIVE, SENSE, READ).circuit
    lines, general = (xb.operating_point(c, method=m, **TIGHT) for m in ("lines", "general"))
    for name in ("v(x1.wl[5,4])", "v(x1.bl[0,0],x1.wl[0,0])", "i(x1[3,4])", "i(x1.rwl[3,0])", "i(x1.rwl[3,4])", "i(x1.rbl[6,4])",
                 "state(x1[3,4])", "i(rs[2])"):
        assert lines[name] == pytest.approx(general[name], rel=1e-9), name
    for missing in ("i(x1[6,0])", "i(x1.rwl[3,5])", "i(x1.rbl[0,0])", "v(x1.wl[0,5])", "i(x2[0,0])", "state(x1.rwl[0,0])"):
        for point in (lines, general):
            with pytest.raises(DataError):
                point[missing]


def test_wires_in_a_block_are_not_expanded(blocks_at_any_size: None) -> None:
    d = deck(BENT, GRID, DRIVE, SENSE, READ, ".print op i(x1[1,1]) v(x1.wl[1,1])")
    topology.check(d.circuit)
    point = xb.run(d).op
    assert (point["i(x1[1,1])"], point.method) == (point.array("x1").cell_current[1, 1], "lines")
    assert "flat" not in vars(d.circuit)


def test_small_arrays_and_circuits_without_arrays_take_the_general_path() -> None:
    assert xb.operating_point(deck(OHMIC, GRID, DRIVE, SENSE, READ).circuit).method == "newton"
    with pytest.raises(DataError, match="no array"):
        xb.operating_point(circuit(("v1", "a", "0", 1.0), ("r1", "a", "0", 1.0)), method="lines")
    with pytest.raises(DataError, match="method"):
        xb.operating_point(circuit(("v1", "a", "0", 1.0), ("r1", "a", "0", 1.0)), method="blocks")  # type: ignore[arg-type]


# --- limits and refusals ------------------------------------------------------------------------------------


def test_nothing_flows() -> None:
    point = xb.operating_point(deck(BENT, GRID, DRIVE.replace("0.3", "0"), SENSE, READ).circuit, method="lines")
    assert np.abs(point.voltages).max() == 0 and point.residual == 0


def test_terminals_on_ground_only() -> None:
    point = xb.operating_point(deck(OHMIC, GRID, "vw w 0 0.3", "yxbar x1 w 0 grid state=P").circuit, method="lines")
    direct = xb.PassiveArray(np.full((6, 5), 1 / 5e3), r_word=3.0, r_bit=2.0).solve(word_left=0.3)
    assert point.i("vw") == pytest.approx(-direct.bit_current.sum(), rel=1e-9)


def test_lines_without_a_path_to_ground_are_named() -> None:
    text = [OHMIC, GRID, "iw 0 w[2] 1u", READ, "v1 q 0 1", "r1 q 0 1"]
    with pytest.raises(TopologyError) as caught:
        xb.operating_point(deck(*text).circuit, method="lines")
    message = str(caught.value)
    assert "no DC path to ground" in message and "w[0]" in message and "iw" in message and "x1" in message
    assert "and 14 more" in message  # 6 + 5 nodes at the terminals and as many lines, less the 8 shown


def test_an_open_line_that_floats_is_named_alone() -> None:
    """All cells of word line 2 are open: it hangs on a current source and nothing else."""
    g = np.full((3, 2), 1e-4)
    g[2] = 0
    builder = CircuitBuilder()
    builder.add_one(VoltageSources, "vw", ("w", "0"), value=1.0)
    builder.add_one(CurrentSources, "iw", ("0", "f"), value=1e-6)
    ends = {"word_left": np.array([builder.node("w"), builder.node("w"), builder.node("f")]), "bit_bottom": np.zeros(2, np.intp)}
    builder.add_array(Xbar(name="x1", cells=xb.LinearCells(g=g), r_word=wire_resistance(1.0, (3, 3), "r"),
                           r_bit=wire_resistance(1.0, (4, 2), "r"), r_driver=driver_resistance(0.0, (3, 2)), terminals=ends))
    with pytest.raises(TopologyError) as caught:
        topology.check(builder.build())
    assert "from nodes f, x1.wl[2,0:1] (at x1, iw)" in str(caught.value)


def test_where_blocks_fail_the_general_path_takes_over(blocks_at_any_size: None, monkeypatch: pytest.MonkeyPatch) -> None:
    c = deck(OHMIC, GRID, *ATTACHED["shared supply"][0]).circuit
    monkeypatch.setattr(coupled, "_MAX_STEPS", 2)
    assert xb.operating_point(c).method == "newton"
    with pytest.raises(ConvergenceError, match="disagree"):
        xb.operating_point(c, method="lines")


def test_where_the_general_path_does_not_fit_both_reasons_are_given(blocks_at_any_size: None,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    c = deck(OHMIC, GRID, *ATTACHED["shared supply"][0]).circuit
    monkeypatch.setattr(coupled, "_MAX_STEPS", 2)
    monkeypatch.setattr(memory, "available", lambda: 10 ** 5)
    with pytest.raises(ConvergenceError, match="disagree.*general path.*GiB"):
        xb.operating_point(c)


def test_the_general_path_is_not_tried_where_it_would_take_forever(blocks_at_any_size: None,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    c = deck(OHMIC, GRID, *ATTACHED["shared supply"][0]).circuit
    monkeypatch.setattr(coupled, "_MAX_STEPS", 2)
    monkeypatch.setattr(analysis, "_HOPELESS", 10)
    with pytest.raises(ConvergenceError, match="disagree.*method='general'.*long"):
        xb.operating_point(c)


def test_a_current_read_inside_an_array_needs_the_general_path(blocks_at_any_size: None) -> None:
    builder = CircuitBuilder()
    builder.add_one(VoltageSources, "vw", ("w", "0"), value=1.0)
    builder.add_array(Xbar(name="x", cells=xb.LinearCells(g=np.full((2, 2), 1e-4)), r_word=wire_resistance(1.0, (2, 3), "r"),
                           r_bit=wire_resistance(1.0, (3, 2), "r"), r_driver=driver_resistance(0.0, (2, 2)),
                           terminals={"word_left": np.full(2, 1), "bit_bottom": np.zeros(2, np.intp)}))
    builder.resistor("ro", "o", "0", 1e3)
    plain = builder.build()
    builder.add_one(CCCS, "f1", ("0", "o"), gain=1.0, control="x.rwl[0,0]")
    c = builder.build()
    assert coupled.fits(plain) and not coupled.fits(c)
    assert xb.operating_point(c).v("o") == pytest.approx(1e3 * xb.operating_point(c).i("x.rwl[0,0]"), rel=1e-9)
