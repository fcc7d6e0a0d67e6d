"""Random decks: from a grammar, and shipped or generated ones with tokens and bytes changed. Run as a program, as many as wanted:

    python tests/random_decks.py --seed 20261201 --count 20000

Each deck is parsed, elaborated, run, exported and written in this process. It must end in a result or a CrossbarError, within
SECONDS, without a RuntimeWarning. Decks that are long or large by right (a sweep of a million points) are only parsed.
"""

import argparse
import collections
import contextlib
import io
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import crossbar as xb
from crossbar.netlist.deck import DcAnalysis, WriteAnalysis

SECONDS = 10.0          # of computing; six times that on the clock, as other programs may run
MEMORY = 4 * 2 ** 30    # [byte] beyond what the process has when it starts
POINTS = 60             # of a sweep that is run
CELLS = 2000            # of arrays that are run, and elements
SHIPPED = [p for p in sorted((Path(__file__).parents[1] / "netlists").glob("*.cir")) if p.stem != "array_1024x1024"]

EXTREME = (
    "1e308", "-1e308", "1e400", "nan", "inf", "-inf", "0", "-0", "1e-320", "1e155", "1e200", "-1e200",
    "{1/0}", "{1e308*10}", "{1e-308/1e10}", "4k7", "{}", "''", "1e", "0x10", "1_000", "{nan}",
    "{gauss(1,0.1,3)}", "1e-200", "1e30", "-1", "1e15")
PIECES = (
    "(", ")", "[", "]", "{", "}", "'", '"', "=", ",", ";", "$", "//", "+", "*", "\\", "\0", "\t", "\u2028",
    "\u00e9", "\U0001f600", "[0:3]", "[3:0]", "[0:99]", "[0,0:1]", ".", "..", "1e308", "nan", "=1e308",
    " = ", "\n+", "\n", ".ends", ".subckt s a", "x1 a s", ".include deck.cir", ".end", ".control", ".endc",
    "v(", "i(v1)", "**", "||", "?:", "state=", "P", "ap", "random")
SHAPES = (  # of expressions
    "{0}+{1}", "({0})*({1})", "{0}-{1}", "({0})/({1})", "({0})**2", "exp({0})", "sqrt(abs({0}))", "tanh({0})",
    "max({0},{1})", "if({0}>{1},{1},{2})", "({0})>0?{1}:{2}", "pwr({0},3)", "limit({0},-1,1)", "f({0})",
    "ln(abs({0})+1)", "sinh({0})", "abs({0})", "{0}%3", "!({0})", "gauss({0},0.1,3)", "({0})^({1})", "u({0})",
    "min({0},{1},{2})", "atan2({0},{1})")
RANGES = {  # of parameters of junctions
    "rp": (100, 1e5), "tmr": (0.5, 2), "vh": (0.3, 1), "delta": (20, 80), "vc0": (0.2, 0.8),
    "tau_d": (1e-10, 1e-8), "alpha": (0.005, 0.1), "temperature": (250, 400), "barrier": (0.3, 2),
    "t_ox": (8e-10, 2e-9), "ra": (1e-12, 1e-11), "diameter": (3e-8, 8e-8), "asymmetry": (-1, 1)}


@dataclass(eq=False)
class Grammar:
    """Draws decks of a few elements, most of them sound."""

    rng: random.Random
    extreme: float = 0.03  # share of numbers that are out of the ordinary
    nodes: tuple[str, ...] = ("0", "a", "b", "c", "d", "gnd", "net$3", r"\wl[0\]", "n[0]", "n[1]")
    files: dict[str, str] = field(default_factory=dict)
    rows: int = 1
    cols: int = 1

    def number(self, least: float = 1e-3, most: float = 1e5, *, plain: bool = False) -> str:
        """A number in a range, or now and then an extreme one; an expression of any value unless `plain`."""
        rng = self.rng
        if rng.random() < self.extreme:
            return rng.choice(EXTREME)
        if not plain and rng.random() < 0.15:
            return "{" + self.expression(2, ()) + "}"
        value = rng.uniform(least, most)
        if least > 0:
            value = least * (most / least) ** rng.random()
        forms = (f"{value:.4g}", f"{value:.3g}", f"{value * 1e-3:.4g}k", f"{value * 1e3:.4g}m")
        return rng.choice(forms)

    def expression(self, depth: int, probes: tuple[str, ...]) -> str:
        rng = self.rng
        if depth == 0 or rng.random() < 0.3:
            if rng.random() < self.extreme:
                return rng.choice(EXTREME[:12])
            return rng.choice(["p", "q", "1", "2.5", "pi", "temper", "1k", *3 * probes])
        inner = [self.expression(depth - 1, probes) for _ in range(3)]
        return rng.choice(SHAPES).format(*inner)

    def node(self) -> str:
        return self.rng.choice(self.nodes)

    def pair(self) -> str:
        return f"{self.node()} {self.node()}"

    def element(self, k: int) -> str:
        """One element, named after k."""
        rng = self.rng
        probes = (f"v({self.node()})", f"v({self.node()},{self.node()})", "i(v1)")
        makers: tuple[Callable[[], str], ...] = (
            lambda: f"r{k} {self.pair()} {self.number()}",
            lambda: f"r{k} {self.pair()} {self.number()} tc1={self.number(1e-5, 1e-2)} m={self.number(1, 5)}",
            lambda: f"r{k} {self.pair()} r={self.number()} w=1u",
            lambda: f"v{k} {self.node()} 0 DC {self.number(0.01, 5)}",
            lambda: f"i{k} {self.pair()} {self.number(1e-6, 1e-2)}",
            lambda: f"e{k} {self.pair()} {self.pair()} {self.number(0.1, 10)}",
            lambda: f"g{k} {self.pair()} {self.pair()} {self.number(1e-6, 1e-2)}",
            lambda: f"f{k} {self.pair()} v1 {self.number(0.1, 10)}",
            lambda: f"h{k} {self.pair()} v1 {self.number(0.1, 100)}",
            lambda: f"b{k} {self.pair()} {rng.choice('iv')}={{{self.expression(3, probes)}}}",
            lambda: f"e{k} {self.pair()} value={{{self.expression(2, probes)}}}",
            lambda: f"x{k} {self.pair()} s {rng.choice(('', f'w={self.number()}'))}",
            lambda: f"ymtj m{k} {self.pair()} j state={rng.choice(('P', 'AP'))}",
            lambda: f"ymtj m{k} {self.pair()} j state=P {rng.choice(('tmr', 'vh', 'delta'))}={self.number(0.5, 2, plain=True)}",
            lambda: f"rr{k}[0:2] {self.node()} n[0:2] {self.number()}")
        return rng.choice(makers)()

    def models(self) -> list[str]:
        """A model of junctions, j, and one of arrays, g."""
        rng = self.rng
        names = rng.sample(sorted(RANGES), rng.randint(0, 3))
        given = " ".join(f"{name}={self.number(*RANGES[name], plain=True)}" for name in names)
        base = rng.choice(("preset=mtj-60kT", "preset=daffodil", "", "rp=3k tmr=1"))
        if base.startswith("rp") and {"rp", "tmr"} & set(names):
            base = ""
        wires = rng.sample(("r_wl", "r_bl", "r_driver"), rng.randint(0, 3))
        ohms = " ".join(f"{name}={self.number(1e-3, 100)}" for name in wires)
        return [f".model j mtj ({base} {given})",
                f".model g xbar (rows={self.rows} cols={self.cols} mtj=j {ohms})"]

    def matrix(self, make: Callable[[], str]) -> str:
        """A file of rows x cols entries."""
        rows = (",".join(make() for _ in range(self.cols)) for _ in range(self.rows))
        return "\n".join(rows) + "\n"

    def conductance(self) -> str:
        """An entry of a file of conductances [S]: no expression."""
        text = self.number(1e-6, 1e-3, plain=True)
        return text if text[0].isdigit() and text[-1].isdigit() else "1e-4"

    def array(self) -> list[str]:
        """An array with its sources and files, and perhaps a write."""
        rng = self.rng
        self.files["s.csv"] = self.matrix(lambda: rng.choice("01"))
        self.files["t.csv"] = self.matrix(lambda: rng.choice("01"))
        self.files["g.csv"] = self.matrix(self.conductance)
        words = f"[0:{self.rows - 1}]"
        bits = f"[0:{self.cols - 1}]"
        far_ends = rng.choice(("", f"wr=y{words}", "bt=0", "bt=z"))
        cells = rng.choice(("state=s.csv", "state=s.csv", "state=P", "state=AP", "state=random", "g=g.csv", ""))
        below = (f"vb{bits} h{bits} 0 0", f"rb{bits} h{bits} 0 {self.number()}", "")
        lines = [f"vw{words} w{words} 0 {self.number(0.01, 1)}", rng.choice(below),
                 f"yxbar xa w{words} h{bits} {far_ends} g {cells}", ".options seed=7"]
        if rng.random() < 0.3:
            lines.append(self.write())
        lines.append(f".print {rng.choice(('op', 'dc', ''))} i(xa[0,0]) v(xa.wl[0,0]) state(xa[0,0])")
        return lines

    def write(self) -> str:
        """A .write card."""
        rng = self.rng
        verify = rng.choice(("", f"verify={rng.randint(1, 4)}"))
        return (f".write xa target={rng.choice(('t.csv', 'P', 'AP'))} scheme={rng.choice(('v/2', 'v/3'))} "
                f"amplitude={self.number(0.2, 1, plain=True)} width={self.number(1e-9, 1e-7, plain=True)} "
                f"{verify} order={rng.choice(('rows', 'cells'))}")

    def requests(self) -> list[str]:
        """Analyses, outputs and options."""
        rng = self.rng
        cards = (".op", f".dc v1 0 {self.number(0.5, 3)} 0.25", ".dc p 1 3 1 v1 0 1 0.5",
                 f".dc temp {self.number(10, 50)} 60 10", f".dc r1 1 {self.number(2, 5)} 1",
                 f".options reltol={self.number(1e-6, 1e-2)}", f".temp {self.number(10, 90)}",
                 ".print op v(a) i(v1) all", ".save all", ".save v(b) v(a,b)",
                 f".options itl1={rng.randint(1, 50)}", ".global a", r".print v(\wl[0\]) v(net$3)")
        return rng.sample(cards, rng.randint(1, 4))

    def deck(self) -> str:
        """A deck in which every node has a path to ground."""
        rng = self.rng
        self.rows = rng.randint(1, 4)
        self.cols = rng.randint(1, 4)
        lines = [f".param p={self.number(plain=True)} q={{p*2}}", ".func f(x) {x*x+1}",
                 ".subckt s u v w=1k", "r1 u v {w}", "r2 u mid 2k", "r3 mid v {2*w}", ".ends",
                 "v1 a 0 " + self.number(0.1, 3), "r1 a b 1k", "r2 b 0 2k", "r3 c 0 1k", "r4 d c 1k"]
        lines += [f"rs{k} {node} 0 1meg" for k, node in enumerate((*self.nodes, "n[2]"))]
        lines += self.models()
        lines += [self.element(k) for k in range(10, 10 + rng.randint(1, 7))]
        if rng.random() < 0.4:
            lines += self.array()
        lines += self.requests()
        if rng.random() < 0.02:
            rng.shuffle(lines)
        title = rng.choice(("random deck", "r9 a 0 1", "Zuf\u00e4llig", ""))
        return "\n".join([title, *lines, rng.choice(("", ".end"))])


def mutated(text: str, rng: random.Random) -> str:
    """A text with a few bytes, words or lines changed."""
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        change = rng.choice((_with_other_bytes, _with_other_line, _with_other_word))
        text = change(text, rng)
    return text


def _with_other_bytes(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    code = rng.choice((rng.randrange(32, 127), rng.randrange(256), rng.randrange(0x3000)))
    digits = [n for n, char in enumerate(text) if char.isdigit()] or [at]
    digit = rng.choice(digits)
    return rng.choice((
        text[:at] + text[at + rng.randint(1, 5):],
        text[:at] + rng.choice(PIECES) + text[at:],
        text[:at] + chr(code) + text[at + 1:],
        text[:digit] + rng.choice("0123456789") + text[digit + 1:],
        text[:at] + text[at:at + 30] * rng.choice((1, 3)) + text[at:]))


def _with_other_line(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    k = rng.randrange(len(lines))
    if rng.random() < 0.5:
        del lines[k]
    else:
        lines.insert(rng.randrange(len(lines)), lines[k])
    return "\n".join(lines)


def _with_other_word(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    k = rng.randrange(len(lines))
    words = lines[k].split(" ")
    w = rng.randrange(len(words))
    name, equals, _ = words[w].partition("=")
    number = rng.choice(EXTREME)
    if equals:
        number = f"{name}={number}"
    words[w] = rng.choice((number, number, rng.choice(text.split() or [""]), ""))
    lines[k] = " ".join(words)
    return "\n".join(lines)


def draw(seed: int, folder: Path) -> str:
    """The deck of a seed; the files it names are put in `folder`."""
    rng = random.Random(seed)
    grammar = Grammar(rng, extreme=rng.choice((0, 0.03, 0.15)))
    choice = rng.random()
    if choice < 0.25:
        shipped = rng.choice(SHIPPED)
        text = mutated(shipped.read_text(encoding="utf-8"), rng)
        for path in shipped.parent.glob("*.csv"):
            content = path.read_text()
            (folder / path.name).write_text(mutated(content, rng) if rng.random() < 0.1 else content, encoding="utf-8")
        return text
    text = grammar.deck()
    for name, content in grammar.files.items():
        (folder / name).write_text(mutated(content, rng) if rng.random() < 0.1 else content, encoding="utf-8")
    return mutated(text, rng) if choice < 0.6 else text


def is_long(deck: xb.Deck) -> bool:
    """Whether a deck may by right take longer than a moment."""
    for analysis in deck.analyses.values():
        if isinstance(analysis, DcAnalysis):
            points = 1
            for axis in analysis.axes.values():
                points *= len(axis)
            if points > POINTS:
                return True
        if isinstance(analysis, WriteAnalysis) and (analysis.verify or 0) > 20:
            return True
    cells = sum(a.shape[0] * a.shape[1] for a in deck.circuit.arrays)
    return cells > CELLS or sum(len(b.nodes) for b in deck.circuit.batches) > CELLS


def outcome(text: str, folder: Path) -> str:
    """What a deck ends in: "ok", "long" or the name of its error. Anything else escapes."""
    path = folder / "deck.cir"
    try:
        deck = xb.parse_netlist(text, str(path))
        if is_long(deck):
            return "long"
        run = xb.run(deck)
        repr(run)
        xb.write_raw(run, folder / "out.raw", binary=False)
        xb.write_csv(run, folder / "tables")
        for name in run.analyses:
            run.printed(name)
        xb.to_spice(deck)
    except xb.CrossbarError as error:
        str(error)
        return type(error).__name__
    return "ok"


class Late(BaseException):
    """A deck took too long; no handler of exceptions keeps it."""


def _late(*_: object) -> None:
    raise Late


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Late is raised inside after so many seconds of computing, and RuntimeWarnings are errors."""
    signals = (signal.SIGALRM, signal.SIGPROF)
    before = [signal.signal(number, _late) for number in signals]
    signal.setitimer(signal.ITIMER_REAL, 6 * seconds)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RuntimeWarning)
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def failure(seed: int) -> tuple[str, str]:
    """Outcome of the deck of a seed, and the traceback where it escaped, "" otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        text = draw(seed, Path(folder))
        try:
            with limited(SECONDS), contextlib.redirect_stderr(io.StringIO()):
                return outcome(text, Path(folder)), ""
        except (Exception, Late) as error:
            return f"escaped: {type(error).__name__}", traceback.format_exc(limit=-8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20261201)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--show", type=int, help="print the deck of this seed and what it ends in")
    arguments = parser.parse_args()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if arguments.show is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(draw(arguments.show, Path(folder)))
        print(*failure(arguments.show), sep="\n")
        return 0
    outcomes: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        begin = time.perf_counter()
        result, trace = failure(seed)
        slowest = max(slowest, time.perf_counter() - begin)
        outcomes[result] += 1
        if trace:
            print(f"--- seed {seed}: {result}\n{trace}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** 20
    print(f"{arguments.count} decks from seed {arguments.seed}: {dict(outcomes)}; slowest {slowest:.1f} s, peak {peak:.2f} GiB")
    return int(any(name.startswith("escaped") for name in outcomes))


if __name__ == "__main__":
    sys.exit(main())
