"""Circuit -> plain SPICE that ngspice reads, for cross-checks: arrays flat, junctions as a subcircuit.

    MTJ: I = v/R_P - (v/R_P) a TMR_0 / (1 + TMR_0 + (v/V_h)^2),  a = (1 - m_z)/2   (crossbar.mtj.conduction)

Names that SPICE would not take (x1.wl[3,7], wl[0]) get underscores; the header lists them. An exact short becomes a 0 V source.
"""

import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from crossbar.circuit import Circuit
from crossbar.elements.base import Batch
from crossbar.elements.linear import CCCS, CCVS, VCCS, VCVS, CurrentSources, IdealLines, Resistors, VoltageSources, Wires
from crossbar.elements.nonlinear import Behavioural, MTJs
from crossbar.errors import DataError
from crossbar.netlist.deck import DcAnalysis, Deck, WriteAnalysis
from crossbar.units import parse_number

LEAST = 1e-307  # [S] of a resistor: the reciprocal of less is no number

_MTJ = """.subckt crossbar_mtj free fixed rp=1k a=0 tmr=0 wh=0
R1 free fixed {rp}
B1 free fixed I = -v(free,fixed)/{rp}*{a}*{tmr}/(1+{tmr}+{wh}*v(free,fixed)*v(free,fixed))
.ends"""

_WORD = re.compile(r"(?P<probe>[vi]\s*\([^()]*\))|(?P<name>[a-z_]\w*)|(?P<number>[0-9.]+(?:e[+-]?[0-9]+)?\w*)|\*\*|\|\||&&"
                   r"|[=!<>]=|\S")
_SHARED = frozenset("sin cos tan asin acos atan sinh cosh tanh exp ln log log10 sqrt abs min max pow pwr sgn floor ceil nint "
                    "u uramp".split())  # functions that mean the same in ngspice's B source


class _Names:
    """Names of nodes and elements as SPICE takes them, each once."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._used: set[str] = set()

    def of(self, kind: str, name: str) -> str:
        """kind: "n" for a node, else the element's letter, with which its name must begin."""
        key = (kind, name)
        if key not in self._given:
            plain = re.sub(r"\W", "_", name).rstrip("_") or "_"
            if kind != "n" and not plain.startswith(kind):
                plain = f"{kind}_{plain}"
            base, k = plain, 2
            while (taken := f"{'n' if kind == 'n' else 'e'}:{plain}") in self._used:
                plain, k = f"{base}__{k}", k + 1
            self._used.add(taken)
            self._given[key] = plain
        return self._given[key]

    def renamed(self) -> list[str]:
        return [f"{old} -> {new}" for (_, old), new in self._given.items() if old != new]


def to_spice(source: Deck | Circuit) -> str:
    """The deck or circuit as flat SPICE. Raises DataError for what ngspice has no element for."""
    deck, circuit = (source, source.circuit) if isinstance(source, Deck) else (None, source)
    names = _Names()
    names.of("n", "0")
    body = [line for batch in circuit.flat for line in _lines(circuit, batch, names)]
    requests = list(_requests(deck, names)) if deck else [".op"]
    mtj = [_MTJ] if any(isinstance(b, MTJs) for b in circuit.flat) else []
    header = [circuit.title or "crossbar", "* Written by crossbar export. Renamed (original -> here):",
              *(f"*   {line}" for line in names.renamed())]
    return "\n".join([*header, *mtj, *body, ".options reltol=1e-9 abstol=1e-18 vntol=1e-15 gmin=1e-18", *requests,
                      ".end"]) + "\n"


def _requests(deck: Deck, names: _Names) -> Iterator[str]:
    """.op and .dc cards. A sweep of a parameter is left as a comment: the flat deck has none."""
    done = 0
    for analysis in deck.analyses.values():
        if isinstance(analysis, WriteAnalysis):
            yield f"* not exported, ngspice writes no junctions: .write {analysis.array}"
            continue
        if not isinstance(analysis, DcAnalysis):
            yield ".op"
            done += 1
            continue
        loops, lost = [], [n for n in analysis.axes if deck.kind(n) == "parameter"]
        for name, points in reversed(analysis.axes.items()):
            step = points[1] - points[0] if len(points) > 1 else 1.0
            kind = deck.kind(name)
            here = name if kind in ("temp", "parameter") else names.of(deck.places[name].low[0], name)
            loops.append(f"{here} {points[0]:.17g} {points[-1]:.17g} {step:.17g}")
        yield (f"* not exported, the flat deck has no {', '.join(lost)}: " if lost else "") + ".dc " + " ".join(loops)
        done += not lost
    if not done:
        yield ".op"


def _lines(circuit: Circuit, batch: Batch, names: _Names) -> Iterator[str]:
    make = _MAKERS.get(type(batch))
    if make is None:
        raise DataError(f"elements of kind {type(batch).__name__} cannot be exported")
    for k in range(len(batch.nodes)):
        yield make(batch, k, [names.of("n", circuit.node_name(int(n))) for n in batch.nodes[k]], names, circuit)


def _two(letter: str, value: Callable) -> Callable:
    def line(batch: Batch, k: int, nodes: list[str], names: _Names, circuit: Circuit) -> str:
        return f"{names.of(letter, batch.names[k])} {' '.join(nodes)} {value(batch, k):.17g}"
    return line


def _wire(batch: Wires, k: int, nodes: list[str], names: _Names, circuit: Circuit) -> str:
    letter = "r" if batch.r[k] > 0 else "v"
    return f"{names.of(letter, batch.names[k])} {' '.join(nodes)} {batch.r[k]:.17g}"


def _ideal_line(batch: IdealLines, k: int, nodes: list[str], names: _Names, circuit: Circuit) -> str:
    """The node tied to the near end; what the far end has to carry of its current is sent over there."""
    near, node, far = nodes
    tie = names.of("v", batch.names[k])
    return f"{tie} {near} {node} 0\n{names.of('f', batch.names[k])} {far} {near} {tie} {1 - batch.share[k]:.17g}"


def _by_current(letter: str) -> Callable:
    def line(batch: CCCS | CCVS, k: int, nodes: list[str], names: _Names, circuit: Circuit) -> str:
        sensed = _source(circuit, batch.control[k], names)
        return f"{names.of(letter, batch.names[k])} {' '.join(nodes)} {sensed} {batch.gain[k]:.17g}"
    return line


def _source(circuit: Circuit, name: str, names: _Names) -> str:
    if not isinstance(circuit.flat[circuit.element(name)[0]], VoltageSources):
        raise DataError(f"the current of {name} is read, which ngspice can do for voltage sources only")
    return names.of("v", name)


def _mtj(batch: MTJs, k: int, nodes: list[str], names: _Names, circuit: Circuit) -> str:
    p = batch.params
    if batch.ohmic is not None and not np.isnan(batch.ohmic[k]):
        return f"{names.of('r', batch.names[k])} {' '.join(nodes)} {1 / max(batch.ohmic[k], LEAST):.17g}"
    if not np.all(np.isinf(p.barrier)):
        raise DataError(f"{batch.names[k]} has a tunnelling law (barrier=), which the flat deck does not have")
    r_p, tmr, v_h = (float(np.broadcast_to(np.asarray(x, dtype=float), len(batch.nodes))[k]) for x in (p.r_p, p.tmr_0, p.v_h))
    bend = (1 / max(v_h, 1e-150)) ** 2  # of less than 1e-150 V the square is no number
    return (f"{names.of('x', batch.names[k])} {nodes[0]} {nodes[1]} crossbar_mtj rp={r_p:.17g} "
            f"a={(1 - batch.state[k]) / 2:.17g} tmr={tmr:.17g} wh={bend:.17g}")


def _expression(batch: Behavioural, k: int, nodes: list[str], names: _Names, circuit: Circuit) -> str:
    """A B source with its parameters as numbers."""
    if batch.expression.functions & batch.scope.functions.keys():
        raise DataError(f"{batch.names[0]} calls a function of .func, which the flat deck does not have")
    volts = {p: f"v({nodes[2 + 2 * n]},{nodes[3 + 2 * n]})".replace(",0)", ")") for n, p in enumerate(batch.volts)}
    amps = {p: f"i({_source(circuit, c, names)})" for p, c in zip(batch.amps, batch.control, strict=True)}
    texts = {str(p).replace(" ", ""): text for p, text in (volts | amps).items()}
    values = {"pi": np.pi, "e": np.e, "temper": batch.scope.temper, **batch.scope.values}
    key = "v" if batch.voltage else "i"
    text = "".join(_translated(batch.expression.text, texts, values, batch.names[0]))
    return f"{names.of('b', batch.names[0])} {nodes[0]} {nodes[1]} {key} = {text}"


def _translated(text: str, probes: Mapping[str, str], values: Mapping[str, float], name: str) -> Iterator[str]:
    """The words of an expression with probes renamed and every number and parameter written out.

    Raises DataError for what ngspice's B source does not have or takes for something else.
    """
    commas: list[tuple[str, int]] = []  # open parentheses: the function before each, and commas so far
    last = ""
    for found in _WORD.finditer(text.lower()):
        word, kind = found[0], found.lastgroup
        if word in "()" and word:
            if word == "(":
                commas.append((last, 0))
            elif commas.pop() in (("min", 2), ("max", 2)):
                raise DataError(f"{name}: ngspice takes two arguments for {last or 'min and max'}; nest them")
        elif word == "," and commas:
            commas[-1] = (commas[-1][0], commas[-1][1] + 1)
        last = word
        if kind == "probe":
            yield probes[word.replace(" ", "")]
        elif kind == "number":
            yield f"{parse_number(word):.17g}"
        elif kind == "name" and not text[found.end():].lstrip().startswith("("):
            yield f"({values[word]:.17g})"
        elif word == "%" or kind == "name" and word not in _SHARED:
            raise DataError(f"{name}: {word} cannot be exported, ngspice's B source lacks it or means something else by it")
        else:
            yield word


_MAKERS: dict[type, Callable] = {
    Resistors: _two("r", lambda b, k: 1 / max(b.g[k], LEAST)), Wires: _wire, IdealLines: _ideal_line, MTJs: _mtj,
    Behavioural: _expression,
    VoltageSources: _two("v", lambda b, k: b.value[k]), CurrentSources: _two("i", lambda b, k: b.value[k]),
    VCVS: _two("e", lambda b, k: b.gain[k]), VCCS: _two("g", lambda b, k: b.gain[k]),
    CCCS: _by_current("f"), CCVS: _by_current("h")}
