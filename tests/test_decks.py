"""Whole decks: those of netlists/ give the numbers that their headers promise, and ngspice gives the same for
any deck that both read, for what `crossbar export` writes, and for random circuits.

ngspice is the norm for what a deck means (SPICE is older than any of its manuals).
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq

import crossbar as xb
from crossbar.io.rawfile import RawPlot, read_raw
from crossbar.io.tables import default_outputs

FOLDER = Path(__file__).parents[1] / "netlists"
DECKS = sorted(path.stem for path in FOLDER.glob("*.cir"))
LARGE = ("array_1024x1024",)  # too large for a flat network
TIGHT = ".options reltol=1e-12 vntol=1e-14 abstol=1e-18"


# --- the shipped decks --------------------------------------------------------------------------------------


def divider(run: xb.Run) -> dict[str, float]:
    v1, top = np.meshgrid(np.linspace(0, 1, 5), [1e3, 2e3])
    assert list(run.dc.axes) == ["top", "v1"] and run.dc["v(out)"].shape == (2, 5)
    assert run.dc["v(out)"] == pytest.approx(2 / 3 * v1, rel=1e-9, abs=1e-12)
    assert run.dc["i(v1)"] == pytest.approx(-v1 / (3 * top), rel=1e-9, abs=1e-15)
    assert (run.op.v("out"), run.op.i("v1")) == pytest.approx((2 / 3, -1 / 3e3), rel=1e-9)
    return {"0.6666666667": run.op.v("out"), "-333.3333333": run.op.i("v1") * 1e6}


def mtj_divider(run: xb.Run) -> dict[str, float]:
    r_p = 9.8e-12 / (np.pi * 25e-9 ** 2)

    def antiparallel(supply: float) -> float:
        def kcl(v: float) -> float:
            return (supply - v) / 5e3 - v / (r_p * (1 + 1.2 / (1 + (v / 0.5) ** 2)))
        return brentq(kcl, -abs(supply), abs(supply), xtol=1e-15) if supply else 0.0
    assert run.op.v("p") == pytest.approx(r_p / (5e3 + r_p), rel=1e-9)
    assert run.op.v("ap") == pytest.approx(antiparallel(1), rel=1e-6)
    assert run.op.i("map") == pytest.approx((1 - run.op.v("ap")) / 5e3, rel=1e-6)
    wanted = [antiparallel(v) for v in run.dc.axes["v1"]]
    assert len(wanted) == 21 and run.dc["v(ap)"] == pytest.approx(wanted, rel=1e-5, abs=1e-9)
    return {"4991.1": r_p, "10980.4": 2.2 * r_p, "0.499555": run.op.v("p"), "0.5985": run.op.v("ap"),
            "0.6871": 2.2 * r_p / (2.2 * r_p + 5e3)}


def sneak_path(run: xb.Run) -> dict[str, float]:
    g_p, g_ap = 233e-6, 133e-6
    total = 0.1 * (g_ap + 9 / 7 * g_p)
    assert run.op.i("vb") == pytest.approx(total, rel=1e-9)
    assert run.op.i("x1[0,0]") == pytest.approx(0.1 * g_ap, rel=1e-9)
    through = 0.1 * 9 / 7 * g_p  # of the detour: three cells in parallel, nine, three
    assert 0.1 - run.op.v("x1.bl[1,1]") == pytest.approx(through / (3 * g_p), rel=1e-9)
    assert run.op.v("x1.wl[1,1]") == pytest.approx(through / (3 * g_p), rel=1e-9)
    return {"43.2571429": run.op.i("vb") * 1e6, "299.571429": 9 / 7 * g_p * 1e6,
            "13.3": run.op.i("x1[0,0]") * 1e6}


def wine_layer1_15x15(run: xb.Run) -> dict[str, float]:
    states = np.loadtxt(FOLDER / "wine_layer1_states.csv", delimiter=",")
    volts = np.array([run.op.v(f"wl[{k}]") for k in range(15)])
    array = xb.PassiveArray(xb.MTJCells(xb.mtj.presets["daffodil"], states), r_word=2.0, r_bit=2.0)
    solved = array.solve(word_left=volts).bit_current
    currents = np.array([run.op.i(f"vb[{k}]") for k in range(15)])
    assert currents == pytest.approx(solved, rel=1e-8)
    loss = 1 - currents / (volts @ np.where(states > 0, 233e-6, 133e-6))
    low, high = re.search(r"take (\S+) to (\S+) % off",
                          (FOLDER / "wine_layer1_15x15.cir").read_text().replace("\n* ", " ")).groups()
    assert float(low) / 100 <= loss[:12].min() and loss[:12].max() <= float(high) / 100
    return dict(zip(("119.7035", "126.7654", "115.0149", "127.8869"), currents * 1e6, strict=False))


def array_1024x1024(run: xb.Run) -> dict[str, float]:
    """Against the array by itself, whose leads hold the drivers; with all junctions parallel, against eigenvectors."""
    c, point = run.deck.circuit, run.op
    assert point.method == "lines" and point.iterations == 1 and "flat" not in vars(c)
    xbar = c.arrays[0]
    alone = xb.PassiveArray(xbar.cells, r_word=10, r_bit=10, r_driver={"word_left": 500, "bit_bottom": 100})
    currents = alone.solve(word_left=0.3).bit_current
    assert [point.i(f"rs[{k}]") for k in range(1024)] == pytest.approx(currents, rel=1e-9)
    text = (FOLDER / "array_1024x1024.cir").read_text().replace("state=random", "state=P")
    parallel = xb.run(xb.parse_netlist(text)).op.array("x1")
    word, bit = separable(1e-6, 10.0, 500.0, 100.0, 0.3, 1024)
    for ours, theirs in ((parallel.word_voltage, word), (parallel.bit_voltage, bit)):
        assert np.abs(ours - theirs).max() < 1e-9 * 0.3
    return {"70.888568": point.i("rs[0]") * 1e6, "25.075802": point.i("rs[1023]") * 1e6,
            "45.533701": point.i("x1[511,511]") * 1e9}


def separable(g: float, wire: float, driver: float, sense: float, volts: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Node voltages (n, n) of n x n cells g [S]: words driven at the left through `driver`, bits grounded at the bottom.

    R u + g (u - v) = f along the rows, C v + g (v - u) = 0 down the columns: in the eigenvectors of R and C (tridiagonal)
    the equations of each pair (lambda, mu) stand alone.
    """
    def line(first: float) -> tuple[np.ndarray, np.ndarray]:
        diagonal = np.full(n, 2 / wire)
        diagonal[0], diagonal[-1] = 1 / wire + 1 / (wire + first), 1 / wire
        return eigh_tridiagonal(diagonal, np.full(n - 1, -1 / wire))
    (along, q), (down, p) = line(driver), line(sense)
    p = p[::-1]  # the bit lines end at the bottom
    f = np.zeros((n, n))
    f[:, 0] = volts / (wire + driver)
    a, b = g + along[None, :], g + down[:, None]
    u = p.T @ f @ q / (a - g * g / b)
    return p @ u @ q.T, p @ (g * u / b) @ q.T


def write_15x15(run: xb.Run) -> dict[str, float]:
    """The read after the write is that of an array in the target's states; with one solve for each phase, and reads."""
    target = np.where(np.loadtxt(FOLDER / "write_15x15_target.csv", delimiter=",") > 0, 1, -1)
    report, (before, after) = run.write, run.analyses.values()
    assert not report.errors.any() and not report.gave_up.any() and (report.states == target).all()
    drive = np.r_[0.1, np.zeros(14)]
    wires = {"r_word": 2.0, "r_bit": 2.0}
    for point, states in ((before, np.full((15, 15), -1)), (after, target)):
        wanted = xb.PassiveArray(xb.MTJCells(xb.mtj.presets["mtj-60kT"], states), **wires).solve(word_left=drive).bit_current
        assert [point.i(f"vb[{k}]") for k in range(15)] == pytest.approx(wanted, rel=1e-8)
    assert report.phases >= 45 and report.solves == report.phases
    return {"0.0399": report.expected_error.max(), "3.4": report.expected_error.sum(),
            "0.41": report.expected_disturb.max() * 1e6}


PROMISES = {f.__name__: f for f in (divider, mtj_divider, sneak_path, wine_layer1_15x15, array_1024x1024, write_15x15)}


def test_every_shipped_deck_has_a_header_and_a_test() -> None:
    assert DECKS == sorted(PROMISES)
    for name in DECKS:
        text = (FOLDER / f"{name}.cir").read_text()
        assert all(f"* {word}:" in text for word in ("Purpose", "Expected")) and "Source:" in text, name


@pytest.mark.parametrize("name", DECKS)
def test_a_shipped_deck_gives_the_numbers_of_its_header(name: str) -> None:
    run = xb.run(FOLDER / f"{name}.cir")
    assert run.warnings == ()
    header = "\n".join(re.findall(r"^\*.*", (FOLDER / f"{name}.cir").read_text(), re.MULTILINE))
    for text, value in PROMISES[name](run).items():
        assert text in header
        digits = len(text.partition(".")[2])
        assert round(value, digits) == pytest.approx(float(text), abs=0.51 * 10.0 ** -digits), text
    for point in run.analyses.values():
        assert np.max(point.relative_residual) <= 1e-9


# --- ngspice ------------------------------------------------------------------------------------------------


def simulate(program: str, text: str, folder: Path) -> list[RawPlot]:
    """The plots that ngspice makes of a deck."""
    deck, raw = folder / "deck.cir", folder / "deck.raw"
    raw.unlink(missing_ok=True)
    deck.write_text(text)
    done = subprocess.run([program, "-b", "-r", str(raw), str(deck)], capture_output=True, text=True,
                          timeout=60, cwd=folder)
    assert raw.exists(), f"ngspice: {done.stdout[-1500:]}{done.stderr[-1500:]}\n{text}"
    return read_raw(raw)


def their_name(output: str, known: tuple[str, ...]) -> str:
    """ngspice's name of an output of ours: i(v.x2.x1.vs) for i(x2.x1.vs), or i(v.x2.v.x1.vs) if one
    definition is inside the other."""
    *path, last = output[2:-1].split(".")
    names = [".".join([last[0], *path, last]),
             ".".join(f"{last[0]}.{x}" for x in [*path, last])[:-len(last) - 2] + last]
    return next((f"i({n})" for n in names if f"i({n})" in known),
                output) if output[0] == "i" and path else output


def renamed(text: str, output: str) -> str:
    """The name that an exported deck gives to an output, by the map in its header."""
    given = dict(re.findall(r"^\*   (\S+) -> (\S+)$", text, re.MULTILINE))
    return f"{output[0]}({given.get(output[2:-1], output[2:-1])})"


def agree(ours: "xb.OperatingPoint | xb.Sweep", theirs: RawPlot, names: dict[str, str], rel: float) -> None:
    """All outputs alike, within `rel` of each number and a thousandth of that of the largest of its kind."""
    ours_all = {output: np.ravel(ours[output]) for output in names}
    scale = {kind: max((np.abs(x).max() for o, x in ours_all.items() if o[0] == kind), default=0.0)
             for kind in "vi"}
    for output, values in ours_all.items():
        bound = rel * np.abs(values) + 1e-3 * rel * scale[output[0]] + 1e-300
        wrong = np.abs(values - theirs[names[output]]) / bound
        assert wrong.shape == values.shape and wrong.max() <= 1, (output, values, theirs[names[output]])


def compare(program: str, text: str, folder: Path, rel: float = 1e-9, least: int = 1) -> None:
    """A deck that both read gives the same voltages of all nodes and currents of all sources."""
    run = xb.run(xb.parse_netlist(text, path=str(folder / "deck.cir")))
    assert len(run.analyses) == 1
    ours, = run.analyses.values()
    plot, = simulate(program, text, folder)
    names = {output: their_name(output, plot.variables) for output in default_outputs(ours.circuit)}
    assert len(names) >= least
    agree(ours, plot, names, rel)


def compare_export(program: str, source: "xb.Deck | xb.Circuit", folder: Path, rel: float) -> None:
    """The exported operating point has the same voltages, inner nodes of arrays too, and currents."""
    circuit = source.circuit if isinstance(source, xb.Deck) else source
    text = xb.to_spice(circuit)
    point = xb.operating_point(circuit, reltol=1e-12, vntol=1e-14, abstol=1e-18)
    inner = [f"v({circuit.node_name(n)})" for n in range(len(circuit.nodes), circuit.node_count)]
    names = {output: renamed(text, output) for output in default_outputs(circuit) + inner}
    plot, = simulate(program, text, folder)
    agree(point, plot, names, rel)


@pytest.mark.parametrize("name", [name for name in DECKS if name not in LARGE])
def test_an_exported_deck_gives_the_same_in_ngspice(name: str, ngspice: str, tmp_path: Path) -> None:
    deck = xb.read_netlist(FOLDER / f"{name}.cir")
    linear = name in ("divider", "sneak_path")
    for values in [{}] + [{"top": 2e3,
                           "v1": 0.3}] * (name == "divider") + [{"v1": -0.7}] * (name == "mtj_divider"):
        compare_export(ngspice, deck.vary(values), tmp_path, 1e-9 if linear else 1e-6)


def test_an_exported_sweep_gives_the_same_in_ngspice(ngspice: str, tmp_path: Path) -> None:
    deck = xb.parse_netlist((FOLDER / "mtj_divider.cir").read_text().replace(".op\n", TIGHT + "\n"))
    text = xb.to_spice(deck)
    plot, = simulate(ngspice, text, tmp_path)
    ours = xb.run(deck).dc
    agree(ours, plot, {o: renamed(text, o) for o in default_outputs(ours.circuit)}, 1e-6)


# --- the same text in both ----------------------------------------------------------------------------------

LOAD = "vx a 0 1\nr0 a o 1k\n"
SAME = {
    "comments": "v1 a 0 1 ; c\n* comment\n   * another\nr1 a\n* between\n\n+ 0 2 $ comment\n",
    "parentheses and commas": "v1 (i 0) 1\ne1 (o,0) (i,0) 2\nrz o 0 1k\n",
    "expression": ".param a='1 + 2' b = 3 c={a*b+1}\nv1 i 0 'a * b'\nr1 i 0 {c}\n",
    "order of parameters": "v1 i 0 {a}\nr1 i 0 {b}\n.param a={b*2}\n.param b=1.5\n",
    "expression over two lines": ".param a={1+\n+ 0.5}\nv1 i 0 {a}\nr1 i 0 2\n",
    "defaults that use each other":
        LOAD + ".subckt s a b r=1k rr={2*r}\nr1 a b {rr}\n.ends\nx1 o 0 s r=2k\nx2 o 0 s\n",
    "local parameter and default":
        LOAD + ".subckt s a b r=1k\n.param r=2k\nr1 a b {r}\n.ends\nx1 o 0 s\nx2 o 0 s r=3k\n",
    "local parameter set by an instance":
        LOAD + ".subckt s a b\n.param r=2k\nr1 a b {r}\n.ends\nx1 o 0 s r=3k\n",
    "local parameter":
        ".param r=1k\n.subckt s a b\n.param r=2k\nr1 a b {r}\n.ends\nv1 i 0 1\nr0 i o {r}\nx1 o 0 s\n",
    "outer parameter given to the inner":
        LOAD + ".param r=3k\n.subckt s a b r=1k\nr1 a b {r}\n.ends\nx1 o 0 s r={r}\n",
    "outer parameter as a default": LOAD + ".param r=3k\n.subckt s a b r={r}\nr1 a b {r}\n.ends\nx1 o 0 s\n",
    "parameter of a function":
        ".param k=2\n.func f(x) {x*k}\n.subckt s a b k=5\nr1 a b {f(1)}\n.ends\n"
        "vx a 0 1\nr0 a o 1k\nx1 o 0 s\nr9 o 0 {f(3)}\n",
    "nested definitions":
        LOAD + ".subckt s a b r=1k\n.subckt t a b r=5\nr1 a b {r}\n.ends\nx1 a b t r={2*r}\n.ends\n"
        "x1 o 0 s r=2k\n",
    "nested definition of the same name":
        LOAD + ".subckt s p\n.subckt s p\nr1 p 0 4k\n.ends\nx1 p s\n.ends\nx1 o s\n",
    "local function":
        ".func f(x) {x}\n.subckt s p\n.func f(x) {4*x}\nr1 p 0 {f(1)}\n.ends\nx1 a s\nr1 a 0 {f(1)}\n"
        "v1 a 0 1\n",
    "global node that is a port":
        ".global g\n.subckt s g a\nr1 g a 1\n.ends\nv1 g 0 1\nv2 q 0 3\nr2 a 0 1\nx1 q a s\n",
    "sensing inside":
        LOAD + ".subckt s a b\nvs a c 0\nr1 c b 1k\nf1 0 b vs 3\nh1 d 0 vs 100\nrd d 0 1\n.ends\n"
        "x1 o p s\nr2 p 0 1k\n",
    "expression sources":
        "v1 i 0 2\ne1 o 0 vol='v(i)*2'\ng1 0 p cur='v(i)'\nrp p 0 1\nro o 0 1\ne2 q 0 value={v(i)+1}\n"
        "rq q 0 1\n",
    "parentheses that are two": "v1 a 0 2\nb1 b 0 v=(v(a)+1)*(v(a)-1)\nr1 b 0 1\n",
    "parameter in braces in an expression": ".param k=2\nv1 a 0 2\nb1 b 0 v=v(a)*{k}\nr1 b 0 1\n",
    "blanks in an expression": "v1 a 0 2\nb1 b 0 v=v(a) * 2 - 1\nr1 b 0 1\n",
    "reciprocal of a source":
        "v1 a 0 2\nv2 c 0 3\nb1 b 0 v=v(c)/v(a)\nr1 b 0 1\nb2 d 0 v=sqrt(v(a))+ln(v(c))\nrd d 0 1\n",
    "multiplier": "v1 a 0 1\nr1 a b 1k m=4\nr2 b 0 1k m={1/2}\n",
    "temperature": "v1 a 0 1\nr1 a b 1k tc1=0.01 tc2=1e-4\nr2 b 0 {1k+temper}\n.temp 77\n",
    "nominal temperature": ".options tnom=0 temp=-10\nv1 a 0 1\nr1 a b 1k tc1=0.01\nr2 b 0 1k\n",
    "suffixes":
        "v1 a 0 1000mV\nr1 a b 0.001Meg\nr2 b c 1E3ohm\nr3 c d 1Kohm\nr4 d 0 1e9u\ni1 0 c 100uA\n"
        "i2 0 d 1e5n\n",
}


@pytest.mark.parametrize("name", SAME)
def test_a_deck_means_the_same_in_ngspice(name: str, ngspice: str, tmp_path: Path) -> None:
    nonlinear = re.search("^b|value|vol=", SAME[name], re.MULTILINE)
    text = f"title\n{SAME[name]}.op\n{TIGHT}\n.end\n"
    compare(ngspice, text, tmp_path, 1e-6 if nonlinear else 1e-9)


def test_included_files_mean_the_same_in_ngspice(ngspice: str, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/one.inc").write_text("r1 a b {r}\n.include two.inc\n")
    (tmp_path / "parts/two.inc").write_text("r2 b 0 {2*r}\n.param r=1.5k\n")
    compare(ngspice, "title\n.include parts/one.inc\nv1 a 0 1\n.op\n.end\n", tmp_path)


SWEEPS = {
    "plain": "r1 a b 1k\nr2 b 0 1k\n.dc v1 0 1 0.25\n",
    "uneven": "r1 a b 1k\nr2 b 0 1k\n.dc v1 0 1 0.3\n",
    "downwards": "r1 a b 1k\nr2 b 0 1k\n.dc v1 1 -0.5 -0.25\n",
    "tenths": "r1 a b 1k\nr2 b 0 1k\n.dc v1 -0.3 0.7 0.07\n",
    "current": "r1 a b 1k\nr2 b 0 1k\ni1 0 b 1\n.dc i1 0 1m 250u\n",
    "nested": "r1 a b 1k\nr2 b c 2k\nr3 b 0 3k\nv2 c 0 1\n.dc v1 0 1 0.5 v2 1 3 1\n",
    "resistor": "r1 a b 1k\nr2 b 0 1k\n.dc r1 1k 3k 1k v1 1 2 1\n",
    "resistor with a multiplier": "r1 a b 1k m=2\nr2 b 0 1k\n.dc r1 1k 3k 1k\n",
    "resistor with a temperature coefficient": "r1 a b 1k tc1=0.01\nr2 b 0 1k\n.temp 127\n.dc r1 1k 3k 1k\n",
    "temperature":
        "r1 a b 1k tc1=0.01 tc2=1e-4\nr2 b 0 {1k+temper}\nb1 c 0 v=temper/100\nr3 c 0 1\n"
        ".dc temp -73 127 50\n",
    "temperature and resistor": "r1 a b 1k tc1=0.01\nr2 b 0 1k\n.dc r1 1k 3k 1k temp 27 127 50\n",
    "source with the name of a parameter": ".param v1=1\nr1 a b 1k\nr2 b 0 {v1*1k}\n.dc v1 0 2 1\n",
    "parameter with the name of the temperature":
        ".param temp=5\nr1 a b {temp}\nr2 b 0 10 tc1=0.01\n.dc temp 0 100 50\n",
}


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_is_that_of_ngspice(name: str, ngspice: str, tmp_path: Path) -> None:
    source = "v1 a 0 1\n" if "parameter" not in name else "v1 a 0 {2*0.5}\n"
    compare(ngspice, f"title\n{source}{SWEEPS[name]}.end\n", tmp_path, 1e-6 if "b1" in SWEEPS[name] else 1e-9)


# --- random circuits ----------------------------------------------------------------------------------------


def numbers(rng: np.random.Generator) -> Iterator[str]:
    """Ways to write a number around a thousand."""
    while True:
        x = float(10 ** rng.uniform(2.5, 3.5))
        yield rng.choice([f"{x:.6g}", f"{x / 1e3:.6f}k", f"{{{x / 3:.5f}*3}}", f"'{x:.4f} + p1'",
                          f"{{f1({x:.5e})}}",
                          f"{x / 1e6:.9f}Meg", f"{x * 1e3:.3f}m"])


def network(rng: np.random.Generator, names: list[str], tag: str) -> list[str]:
    """Elements R V I E F G H on these nodes, the first of which need not be ground: every other is held by a
    tree of resistors; whatever fixes a voltage has a node of its own, so there is no loop of sources."""
    def pick(count: int) -> list[str]:
        return [str(n) for n in rng.choice(nodes, count, replace=False)]
    value, nodes, lines, sources = numbers(rng), list(names), [], []
    lines += [f"rt{tag}{k} {nodes[k]} {nodes[rng.integers(k)]} {next(value)}" for k in range(1, len(nodes))]
    for k in range(rng.integers(1, 4)):
        at = pick(2)
        lines += [f"v{tag}{k} n{tag}{k} {at[0]} dc {rng.uniform(-1, 1):.7g}",
                  f"rv{tag}{k} n{tag}{k} {at[1]} {next(value)}"]
        sources.append(f"v{tag}{k}")
        nodes.append(f"n{tag}{k}")
    for k in range(rng.integers(0, 4)):
        lines.append(f"i{tag}{k} {' '.join(pick(2))} {rng.uniform(-1, 1):.7g}m")
        lines.append(f"g{tag}{k} {' '.join(pick(4))} {rng.uniform(-50, 50):.7g}u")
        lines.append(f"f{tag}{k} {' '.join(pick(2))} {rng.choice(sources)} {rng.uniform(-0.3, 0.3):.7g}")
        for letter, gain in ("e", rng.uniform(-0.5, 0.5)), ("h", rng.uniform(-100, 100)):
            control = " ".join(pick(2)) if letter == "e" else rng.choice(sources)
            at = pick(2)
            lines += [f"{letter}{tag}{k} {letter}n{tag}{k} {at[0]} {control} {gain:.7g}",
                      f"r{letter}{tag}{k} {letter}n{tag}{k} {at[1]} {next(value)}"]
            nodes.append(f"{letter}n{tag}{k}")
    return [str(line) for line in rng.permutation(lines)]


def random_deck(seed: int) -> str:
    """A deck with a random network on top and two subcircuits, one inside the other, with parameters."""
    rng = np.random.default_rng(seed)
    top = ["0", *(f"t{k}" for k in range(rng.integers(3, 8)))]
    inner = [".subckt inner pa pb scale=1", *network(rng, ["pa", "pb", "m1"], "c"), "rs pa m1 {1k*scale}",
             ".ends inner"]
    outer = [".subckt outer pa pb k=2", *inner * bool(rng.integers(2)),
             *network(rng, ["pb", "pa", "0", "m1", "m2"], "b"),
             "x1 pa m1 inner scale={k*p2}", "x2 m2 0 inner", ".ends"]
    parts = [*network(rng, top, "a"),
             *(f"x{k} {' '.join(rng.choice(top, 2, replace=False))} outer k={k}" for k in (1, 2)),
             ".param p1={p2*3}", ".param p2=1.25", ".func f1(x) {x+p2}"]
    rng.shuffle(parts)
    return "\n".join([f"random {seed}", *(inner if inner[0] not in outer else []), *outer, *parts, ".op",
                      ".end\n"])


RANDOM = range(20260, 20290)


@pytest.mark.parametrize("seed", RANDOM)
def test_random_linear_circuits_agree_with_ngspice(seed: int, ngspice: str, tmp_path: Path) -> None:
    compare(ngspice, random_deck(seed), tmp_path, least=20)


@pytest.mark.parametrize("seed", RANDOM[::3])
def test_random_circuits_are_exported_as_they_are(seed: int, ngspice: str, tmp_path: Path) -> None:
    compare_export(ngspice, xb.parse_netlist(random_deck(seed)), tmp_path, 1e-9)


@pytest.mark.parametrize("seed", RANDOM)
def test_power_is_conserved(seed: int) -> None:
    """Tellegen's theorem: voltage times current of all elements sums to zero."""
    point = xb.run(xb.parse_netlist(random_deck(seed))).op
    power = np.array([(point.voltages[nodes[0]] - point.voltages[nodes[1]]) * point.i(name)
                      for batch in point.circuit.batches for name,
                      nodes in zip(batch.names, batch.nodes, strict=True)])
    assert power.size > 30
    assert abs(power.sum()) <= 1e-9 * np.abs(power).sum()


@pytest.mark.parametrize("seed", RANDOM[:8])
def test_responses_superpose(seed: int) -> None:
    """A linear circuit's answer to all sources is the sum of its answers to each alone."""
    circuit = xb.parse_netlist(random_deck(seed)).circuit
    sources = {name: float(value) for batch in circuit.batches for name, value in
               zip(batch.names, getattr(batch, "value", []), strict=False)}
    assert len(sources) > 3
    together = xb.operating_point(circuit).x
    alone = sum(xb.operating_point(circuit.vary(dict.fromkeys(sources, 0.0) | {name: value})).x
                for name, value in sources.items())
    assert np.allclose(together, alone, rtol=0, atol=1e-9 * np.abs(together).max())


@pytest.mark.parametrize("seed", range(7310, 7316))
def test_random_arrays_of_junctions_are_exported_as_they_are(seed: int, ngspice: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    rows, cols = (int(n) for n in rng.integers(2, 6, 2))
    states = rng.integers(0, 2, (rows, cols))
    np.savetxt(tmp_path / "s.csv", states, fmt="%d", delimiter=",")
    text = "\n".join([
        "random array",
        f".model m mtj (r_p={rng.uniform(2e3, 8e3):.6g} tmr={rng.uniform(0.5, 2):.6g} vh=0.4)",
        f".model g xbar rows={rows} cols={cols} mtj=m r_wl={rng.uniform(1, 50):.6g}",
        f"+ r_bl={rng.uniform(1, 50):.6g} r_driver=20",
        *(f"vw[{i}] w[{i}] 0 {rng.uniform(-0.6, 0.6):.6g}" for i in range(rows - 1)),
        f"rw w[{rows - 1}] 0 300",
        *(f"vb[{j}] b[{j}] 0 {rng.uniform(-0.1, 0.1):.6g}" for j in range(cols)),
        f"YXBAR x1 w[0:{rows - 1}] b[0:{cols - 1}] g wr=w[{rows - 1}:0] state=s.csv",
        "YMTJ j1 w[0] mid m state=AP tmr=1.1", "rm mid 0 4k",
        "b1 bb 0 i=1e-3*tanh(v(mid)-v(bb))+v(w[0])*1e-4", "rb bb 0 1k"])
    compare_export(ngspice, xb.parse_netlist(text, path=str(tmp_path / "deck.cir")), tmp_path, 1e-6)


# --- export -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [
    ".param k=5 meg=7 e3=2 m=3\nb1 b 0 v=1k*v(a)+k+1e-3*v(a)+1meg*1e-6*meg+e3+2m*m\nr1 b 0 1\n",
    ".temp 100\nb1 b 0 v=temper*v(a)/50\nr1 b 0 1\n", ".param pi=3 v=2\nb1 b 0 v=v(a)*pi+v\nr1 b 0 1\n",
    ".param p=-2\nb1 b 0 v=v(a)*p**2+p^3-p\nr1 b 0 1\n", "b1 b 0 v=1x*v(a)*1u+1a\nr1 b 0 1\n",
    "b1 b 0 v=limit(v(a),0,0.5)\nr1 b 0 1\n", "b1 b 0 v=if(v(a)>0,2,3)\nr1 b 0 1\n",
    "b1 b 0 v=max(v(a),2,3)\nr1 b 0 1\n",
    "b1 b 0 v=atan2(v(a),2)\nr1 b 0 1\n", "b1 b 0 v=7%4*v(a)\nr1 b 0 1\n",
    ".func f(x) {2*x}\nb1 b 0 v=f(v(a))\nr1 b 0 1\n",
    "e1 b 0 a 0 2\nr1 b 0 1\nf1 0 c e1 1\nr2 c 0 1\n", "r1 a b 1u\nr2 b 0 1u\n",
    "r1 a b 0\nr2 b 0 1\n"])
def test_an_export_gives_the_same_or_is_refused(lines: str, ngspice: str, tmp_path: Path) -> None:
    deck = xb.parse_netlist(f"title\nv1 a 0 1\n{lines}")
    try:
        xb.to_spice(deck)
    except xb.DataError:
        return
    compare_export(ngspice, deck, tmp_path, 1e-6)


@pytest.mark.parametrize("lines", [
    "v[0:1] a[0:1] 0 1\nr[0:1] a[0:1] b 1k\nr_0 b 0 1k\nf1 0 c v[1] 2\nrc c 0 1\n",
    "v1 in- 0 1\nr1 in- in+ 1k\nr2 in+ in 1k\nr3 in in_ 1k\nr4 in_ 0 1k\n",
    "v1 - 0 1\nr1 - + 1k\nr2 + 0 1k\n",
    "v1 a[0] 0 1\nr1 a[0] a_0 1k\nr2 a_0 a_0__2 1k\nr3 a_0__2 0 1k\n",
    "v1 # 0 1\nr1 # a.b 1k\nr2 a.b a_b 1k\nr3 a_b 0 1k\n",
    ".subckt s a\nr1 a b 1k\nr1_ b 0 1k\n.ends\nv1 q 0 1\nx1 q s\nr_x1_r1 q 0 5k\n"])
def test_names_that_spice_does_not_take(lines: str, ngspice: str, tmp_path: Path) -> None:
    compare_export(ngspice, xb.parse_netlist(f"title\n{lines}"), tmp_path, 1e-9)


def test_names_do_not_collide_in_an_export() -> None:
    text = xb.to_spice(xb.parse_netlist("title\nv1 a 0 1\nr[0] a 0 1\nr_0 a 0 2\n"
                                        ".subckt s r_0\nr_0 r_0 0 3\n.ends\nx1 a s\n"))
    names = [line.split()[0] for line in text.splitlines() if re.match("[rv]", line)]
    assert len(names) == len(set(names)) == 4
    assert "r[0] -> r_0" in text


def test_a_swept_source_keeps_its_new_name_in_an_export(ngspice: str, tmp_path: Path) -> None:
    for name, lines in (("v[0]", "v[0:1] a[0:1] 0 1\nr[0:1] a[0:1] 0 1\n"),
                        ("x1.v1", ".subckt s a\nv1 a 0 1\nr1 a 0 1\n.ends\nx1 q s\n")):
        deck = xb.parse_netlist(f"title\n{lines}.dc {name} 0 1 0.5\n")
        text = xb.to_spice(deck)
        ours = xb.run(deck).dc
        plot, = simulate(ngspice, text, tmp_path)
        agree(ours, plot, {o: renamed(text, o) for o in default_outputs(ours.circuit)}, 1e-9)


def test_an_export_runs_what_crossbar_would_run(ngspice: str, tmp_path: Path) -> None:
    """A deck without an analysis has an operating point."""
    plot, = simulate(ngspice, xb.to_spice(xb.parse_netlist("title\nv1 a 0 1\nr1 a 0 2\n")), tmp_path)
    assert plot["i(v1)"] == pytest.approx(-0.5)


def test_exported_values_keep_all_their_digits() -> None:
    ohms, volts = 1 / 3e-3, 0.1 + 0.2
    text = xb.to_spice(xb.parse_netlist(f"t\nv1 a 0 {volts!r}\nr1 a 0 {ohms!r}\n"))
    value = {line.split()[0]: float(line.split()[-1]) for line in text.splitlines()
             if re.match("[rv]1 ", line)}
    assert value["v1"] == volts
    assert value["r1"] == pytest.approx(ohms, rel=3e-16)
