"""Element cards -> elements; one function a letter, all of the form card(elaboration, level, tokens)."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from crossbar import doubts, matrices, memory, mtj
from crossbar.elements.cells import Cells, LinearCells, MTJCells
from crossbar.elements.linear import CCCS, CCVS, VCCS, VCVS, CurrentSources, VoltageSources
from crossbar.elements.nonlinear import MTJs, behavioural
from crossbar.elements.xbar import Xbar, driver_resistance, wire_resistance
from crossbar.errors import DataError
from crossbar.expressions import reached_probes
from crossbar.files import file_path
from crossbar.netlist.elaborate import Elaboration, Env, instances
from crossbar.netlist.lexer import Plain, Token, unquoted
from crossbar.netlist.parser import Model
from crossbar.netlist.words import BadCard, assignments, bus

_WAVEFORMS = ("pulse", "pwl", "sin", "exp", "sffm", "am", "ac", "trnoise", "trrandom")
#: Model and instance parameters of a junction -> the fields of MTJParams that they set.
_MTJ_FIELDS = {field.name: (field.name,) for field in dataclasses.fields(mtj.MTJParams)} | {
    "rp": ("r_p",), "vh": ("v_h",), "ki": ("k_i",), "ms": ("m_s",), "vc0": ("v_c0_p", "v_c0_ap"), "ic0": ("i_c0_p", "i_c0_ap")}
_NOMINAL = 27.0  # [degree Celsius] SPICE's; there a junction has the 300 K for which its parameters are given
#: Fields that say how a junction conducts; what the others say matters for a .write of an array only.
_CONDUCTION = frozenset("r_p tmr v_h ra diameter temperature t_ox barrier asymmetry".split())
#: Parameters of resistors that are taken and do nothing, as in ngspice for .op and .dc of a resistor with a value.
_IDLE_OF_RESISTORS = {"w": "the resistance is given", "l": "the resistance is given", "ac": "there is no .ac yet",
                      "noisy": "there is no .noise"}
_XBAR_FIELDS = ("rows", "cols", "cell", "mtj", "r_wl", "r_bl", "r_driver")
_BYTES_A_CELL = 30 * 8  # what solving an array as a block holds; expanding one is refused where it is done


def _only(given: Mapping[str, Token], known: Iterable[str], what: str) -> None:
    for name, token in given.items():
        if name not in known:
            raise BadCard(f"{what} has no parameter {name!r}", f"known are {', '.join(sorted(known)) or 'none'}", token)


def _count(bare: list[Token], nodes: int, values: int, form: str) -> None:
    if not 1 + nodes <= len(bare) <= 1 + nodes + values:
        raise BadCard(f"{bare[0].text} has {len(bare) - 1} nodes and values, the form is {bare[0].text} {form}")


def _resistor(e: Elaboration, env: Env, tokens: list[Token]) -> None:
    if isinstance(tokens, Plain) and len(tokens) == 4:  # most cards of a large deck
        at, a, b, value = tokens
        e.claim(at, env.name(at.low))
        _add_resistor(e, env, at, at.low, (a.low, b.low), value)
        return
    bare, given = assignments(tokens)
    _only(given, ("r", "resistance", "tc1", "tc2", "m", *_IDLE_OF_RESISTORS), "a resistor")
    _count(bare, 2, 1, "node node value [tc1=] [tc2=] [m=]")
    values = bare[3:] + [given[k] for k in ("r", "resistance") if k in given]
    if len(values) != 1:
        raise BadCard(f"{bare[0].text} needs one resistance [ohm]")
    for key in given.keys() & _IDLE_OF_RESISTORS.keys():
        e.warn(bare[0], f"{key}= of {bare[0].low} has no effect: {_IDLE_OF_RESISTORS[key]}")
    for name, nodes in instances(bare[0], bare[1:3]):
        e.claim(bare[0], env.name(name))
        tc1, tc2, m = (e.number(env, given[k]) if k in given else default
                       for k, default in (("tc1", 0.0), ("tc2", 0.0), ("m", 1.0)))
        warm = env.values.temper - e.tnom
        _add_resistor(e, env, bare[0], name, nodes, values[0], 1 + tc1 * warm + tc2 * warm * warm, m)


def _add_resistor(e: Elaboration, env: Env, at: Token, name: str, nodes: Sequence[str], value: Token, warmed: float = 1.0,
                  m: float = 1.0) -> None:
    full = env.name(name)
    ohms = e.ohms.get(full)
    ohms = (e.number(env, value) if ohms is None else ohms) * warmed
    if not 0 <= ohms < np.inf or not m > 0:
        raise BadCard(f"{name} has {ohms:g} ohm, m = {m:g}; a resistance is at least 0, a multiplier positive")
    if ohms == 0:
        e.warn(at, f"{name} has 0 ohm: an exact short (ngspice would take 1 mohm)")
    e.builder.resistor(full, e.node(env, nodes[0]), e.node(env, nodes[1]), ohms / m)


def _independent(kind: type) -> Callable[[Elaboration, Env, list[Token]], None]:
    def card(e: Elaboration, env: Env, tokens: list[Token]) -> None:
        bare, given = assignments(tokens)
        _only(given, ("dc",), "a source")
        rest = bare[3:]
        if rest and rest[0].low.split("(")[0] in _WAVEFORMS:
            raise BadCard(f"the source function {rest[0].low.split('(')[0]} is not supported yet", "give a DC value", rest[0])
        if rest and rest[0].low == "dc":
            rest = rest[1:]
            if not rest:
                raise BadCard(f"{bare[0].text}: DC needs a value")
        values = rest + list(given.values())
        _count([*bare[:3], *values], 2, 1, "node node [DC] value")
        for name, nodes in instances(bare[0], bare[1:3]):
            e.claim(bare[0], env.name(name))
            value = e.number(env, values[0]) if values else 0.0
            e.builder.add_one(kind, env.name(name), [e.node(env, n) for n in nodes], value=value)
    return card


def _by_voltage(linear: type, voltage: bool) -> Callable[[Elaboration, Env, list[Token]], None]:
    keys = ("value", "vol") if voltage else ("value", "cur")

    def card(e: Elaboration, env: Env, tokens: list[Token]) -> None:
        bare, given = assignments(tokens, long=True)
        _only(given, keys, "a controlled source")
        if any(t.low.split("(")[0] in ("poly", "table") for t in bare[3:4]):
            raise BadCard(f"{bare[3].text.upper()} is not supported", "use VALUE={expression}", bare[3])
        if len(bare) == 5 and bare[3].low == "value" and not given:
            bare, given = bare[:3], {"value": bare[4]}
        if len(given) > 1:
            raise BadCard(f"{bare[0].text}: give one of value and {keys[1]}")
        if given:
            _count(bare, 2, 0, "node node VALUE={expression}")
            _expression_source(e, env, bare, next(iter(given.values())), voltage)
            return
        _count(bare, 5, 0, "node node control+ control- gain")
        for name, nodes in instances(bare[0], bare[1:5]):
            e.claim(bare[0], env.name(name))
            e.builder.add_one(linear, env.name(name), [e.node(env, n) for n in nodes], gain=e.number(env, bare[5]))
    return card


def _by_current(kind: type) -> Callable[[Elaboration, Env, list[Token]], None]:
    def card(e: Elaboration, env: Env, tokens: list[Token]) -> None:
        bare, given = assignments(tokens)
        _only(given, (), "a controlled source")
        _count(bare, 4, 0, "node node source gain")
        for name, (*nodes, control) in instances(bare[0], bare[1:4]):
            e.claim(bare[0], env.name(name))
            e.senses.append((bare[3], env.name(control)))
            e.builder.add_one(kind, env.name(name), [e.node(env, n) for n in nodes], gain=e.number(env, bare[4]),
                              control=env.name(control))
    return card


def _behavioural(e: Elaboration, env: Env, tokens: list[Token]) -> None:
    bare, given = assignments(tokens, long=True)
    _only(given, ("v", "i"), "a B source")
    _count(bare, 2, 0, "node node V={expression} or I={expression}")
    if len(given) != 1:
        raise BadCard(f"{bare[0].text} needs V={{expression}} or I={{expression}}")
    (key, text), = given.items()
    _expression_source(e, env, bare, text, key == "v")


def _expression_source(e: Elaboration, env: Env, bare: list[Token], text: Token, voltage: bool) -> None:
    expression = e.expression(text)
    e.check(env, expression, text)
    inner = reached_probes(expression, env.values.functions)
    for name, nodes in instances(bare[0], bare[1:3]):
        e.claim(bare[0], env.name(name))
        outer = {p: e.probe(env, p) for p in inner}
        e.senses += [(text, p.args[0]) for p in outer.values() if p.kind == "i"]
        read = [n for p in outer.values() if p.kind == "v" for n in (*p.args, "0")[:2]]
        ends = [e.node(env, n) for n in nodes]
        e.builder.add(behavioural(env.name(name), e.builder.node_list(ends + read), expression, env.values, voltage,
                                  outer))


def _mtj_params(e: Elaboration, model: Model, env: Env, more: Mapping[str, Token], here: Env) -> mtj.MTJParams:
    """Parameters of a junction model with an instance's changes."""
    base = None
    if "preset" in model.given:
        name = unquoted(model.given["preset"].low)
        named = {k.lower(): v for k, v in mtj.presets.items()}
        if name not in named:
            raise BadCard(f"there is no MTJ preset {name!r}", f"known are {', '.join(mtj.presets)}", model.given["preset"])
        base = named[name]
    _only(model.given, [*_MTJ_FIELDS, "preset"], f"the mtj model {model.at.low}")
    fields: dict[str, float] = {}
    for name, token in model.given.items():
        if name != "preset":
            if twice := fields.keys() & set(_MTJ_FIELDS[name]):
                raise BadCard(f"{name} gives {', '.join(sorted(twice))} a second time", at=token)
            fields |= dict.fromkeys(_MTJ_FIELDS[name], _number_or_inf(e, env, token))
    for name, token in more.items():
        fields |= dict.fromkeys(_MTJ_FIELDS[name], _number_or_inf(e, here, token))
    try:
        params = _junction(base, tuple(fields.items()), here.values.temper)
    except DataError as error:
        raise BadCard(str(error), at=None if more else model.at) from None
    for name, text in params.doubtful.items():
        e.warn(more.get(name) or model.given.get(name) or model.at, text)
    return params


@functools.lru_cache(maxsize=64)
def _junction(base: mtj.MTJParams | None, fields: tuple[tuple[str, float], ...], temper: float) -> mtj.MTJParams:
    """Made once for all instances that are alike. What is given holds at the nominal temperature, as in SPICE."""
    given = dict(fields)
    with doubts.remaking():  # what is doubtful is said with its place in the deck
        p = base.replace(**given) if base else mtj.MTJParams(**given)
        if temper == _NOMINAL or "temperature" in given:
            return p
        return p.replace(temperature=mtj.T_REF + temper - _NOMINAL)


def _number_or_inf(e: Elaboration, env: Env, token: Token) -> float:
    return np.inf if token.low == "inf" else e.number(env, token)


def _extension(e: Elaboration, env: Env, tokens: list[Token]) -> None:
    kind = tokens[0].low
    if kind not in _EXTENSIONS:
        raise BadCard(f"unknown extension device {tokens[0].text!r}", "known are " + ", ".join(_EXTENSIONS).upper())
    _EXTENSIONS[kind](e, env, tokens[1:])


def _ymtj(e: Elaboration, env: Env, tokens: list[Token]) -> None:
    bare, given = assignments(tokens)
    if len(bare) != 4:
        raise BadCard("the form is YMTJ name free fixed model [state=P|AP] [parameter=value]")
    model, home = e.model(env, bare[3], ("mtj",))
    if "state" not in given:
        e.warn(bare[0], f"{bare[0].low} has no state=: it is parallel (P)")
    state = given.pop("state", bare[0].with_text("P")).low
    if state not in ("p", "ap"):
        raise BadCard(f"state={state}: an MTJ is P or AP", "", bare[0])
    _only(given, _MTJ_FIELDS, "an MTJ")
    _warn_of_dynamics(e, model.at, model.given)
    _warn_of_dynamics(e, bare[0], given)
    for name, nodes in instances(bare[0], bare[1:3]):
        e.claim(bare[0], env.name(name))
        params = _mtj_params(e, model, home, given, env)
        e.builder.add_one(MTJs, env.name(name), [e.node(env, n) for n in nodes], params=params,
                          state=1.0 if state == "p" else -1.0)


def _warn_of_dynamics(e: Elaboration, at: Token, parameters: Mapping[str, Token]) -> None:
    """Warn of parameters that say how a junction switches, since one outside of an array never does."""
    idle = [name for name in parameters if _CONDUCTION.isdisjoint(_MTJ_FIELDS.get(name, _CONDUCTION))]
    if idle:
        verb = "has" if len(idle) == 1 else "have"
        e.warn(at, f"{', '.join(idle)} {verb} no effect yet on YMTJ elements: they keep their state")


def _yxbar(e: Elaboration, env: Env, tokens: list[Token]) -> None:
    bare, given = assignments(tokens)
    if len(bare) != 4:
        raise BadCard("the form is YXBAR name word-bus bit-bus [wr=bus] [bt=bus] model [state=file|P|AP|random]")
    _only(given, ("wr", "bt", "state", "g", "r"), "a YXBAR")
    model, home = e.model(env, bare[3], ("xbar",))
    _only(model.given, _XBAR_FIELDS, f"the xbar model {model.at.low}")
    cell = model.given.get("cell")
    if cell and cell.low != "1r":
        raise BadCard(f"cell={cell.text} is not supported yet", "this version knows cell=1r", cell)
    rows, cols = (_whole(e, home, model, key) for key in ("rows", "cols"))
    memory.require(f"{bare[0].low}, {rows} x {cols} cells", _BYTES_A_CELL * float(rows) * float(cols))
    sides = {"word_left": (bare[1], rows), "bit_bottom": (bare[2], cols)}
    sides |= {side: (given[key], count) for side, key, count in
              (("word_right", "wr", rows), ("bit_top", "bt", cols)) if key in given}
    terminals = {side: _terminal(e, env, token, count) for side, (token, count) in sides.items()}
    wires = {key: _number_or_inf(e, home, model.given[key]) if key in model.given else 0.0
             for key in ("r_wl", "r_bl", "r_driver")}
    cells = _cells(e, env, home, model, given, (rows, cols), bare[0])
    e.claim(bare[0], env.name(bare[0].low))
    try:
        e.builder.add_array(Xbar(
            name=env.name(bare[0].low), cells=cells, r_word=wire_resistance(wires["r_wl"], (rows, cols + 1), "r_wl"),
            r_bit=wire_resistance(wires["r_bl"], (rows + 1, cols), "r_bl"),
            r_driver=driver_resistance(wires["r_driver"], (rows, cols)), terminals=terminals))
    except DataError as error:
        raise BadCard(str(error), at=model.at) from None


def _whole(e: Elaboration, env: Env, model: Model, key: str) -> int:
    if key not in model.given:
        raise BadCard(f"the xbar model {model.at.low} needs {key}=", at=model.at)
    value = e.number(env, model.given[key])
    if value != int(value) or value < 1:
        raise BadCard(f"{key} = {value:g} is no positive whole number", "", model.given[key])
    return int(value)


def _terminal(e: Elaboration, env: Env, token: Token, count: int) -> np.ndarray:
    names = bus(token.low) or [token.low]
    if len(names) not in (1, count):
        raise BadCard(f"{token.text} has {len(names)} nodes, the array has {count} lines on that side", "", token)
    numbers = [e.builder.node(e.node(env, n)) for n in names]
    return np.array(numbers * (count if len(numbers) == 1 else 1), dtype=np.intp)


def _cells(e: Elaboration, env: Env, home: Env, model: Model, given: Mapping[str, Token], shape: tuple[int, int],
           at: Token) -> Cells:
    """Junctions in a state, or linear cells from a file of conductances (g=) or resistances (r=)."""
    chosen = [k for k in ("state", "g", "r") if k in given]
    if len(chosen) > 1:
        raise BadCard(f"{at.low}: give one of {', '.join(chosen)}")
    if chosen and chosen[0] in "gr":
        token = given[chosen[0]]
        g = _from_file(token, lambda p: matrices.read_matrix(p, unit="S" if chosen[0] == "g" else "ohm"))
        if g.shape != shape:
            raise BadCard(f"{token.text} holds {g.shape[0]} x {g.shape[1]} cells, {at.low} has {shape[0]} x {shape[1]}")
        if "mtj" in model.given:
            e.warn(token, f"mtj= of model {model.at.low} has no effect on {at.low}: its cells are those of {chosen[0]}=")
        if text := doubts.of_conductances(g):
            e.warn(token, f"{token.text}: {text}; resistances [ohm] are given as r=")
        return LinearCells(g=g)
    if "mtj" not in model.given:
        raise BadCard(f"{at.low} needs mtj= in its model, or a file of conductances (g=) or resistances (r=)")
    junction, level = e.model(home, model.given["mtj"], ("mtj",))
    params = _mtj_params(e, junction, level, {}, env)
    if "state" not in given:
        e.warn(at, f"{at.low} has no state=: all junctions are parallel (P)")
    token = given.get("state", at.with_text("P"))
    if token.low == "random":
        if e.seed is None and e.rng is None:
            raise BadCard("state=random needs a seed", "add .options seed=<whole number>", token)
        return MTJCells(params, e.generator().integers(0, 2, shape))
    return MTJCells(params, states_of(token, shape))


def states_of(token: Token, shape: tuple[int, int]) -> np.ndarray:
    """States (M, N) that a word of a deck stands for: P, AP, or a file next to the deck."""
    if token.low in ("p", "ap"):
        return np.full(shape, 1 if token.low == "p" else -1, np.int8)
    return _from_file(token, lambda p: matrices.read_states(p, shape))


def _from_file(token: Token, read: Callable[[Path], np.ndarray]) -> np.ndarray:
    path = Path(token.file).parent / file_path(unquoted(token.text))
    try:
        return read(path)
    except ValueError as error:
        raise BadCard(f"cannot read {path}: {error}", "", token) from None
    except OSError as error:
        raise BadCard(f"cannot read {path}: {error.strerror or error}", "", token) from None
    except DataError as error:
        raise BadCard(str(error), "", token) from None


def _unsupported(what: str) -> Callable[[Elaboration, Env, list[Token]], None]:
    def card(e: Elaboration, env: Env, tokens: list[Token]) -> None:
        raise BadCard(f"{tokens[0].text}: {what}")
    return card


_EXTENSIONS = {"ymtj": _ymtj, "yxbar": _yxbar}
_SOON = {letter: _unsupported(f"{what} are not supported yet") for letter, what in (
    ("c", "capacitors"), ("l", "inductors"), ("d", "diodes"), ("m", "transistors"), ("s", "switches"),
    ("w", "switches"))}
_NOT = {letter: _unsupported("elements of this letter are not supported") for letter in "kjqtoua"}
DEVICES: Mapping[str, Callable[[Elaboration, Env, list[Token]], None]] = {
    "r": _resistor, "v": _independent(VoltageSources), "i": _independent(CurrentSources),
    "e": _by_voltage(VCVS, True), "g": _by_voltage(VCCS, False), "f": _by_current(CCCS), "h": _by_current(CCVS),
    "b": _behavioural, "x": Elaboration.instance, "y": _extension, **_SOON, **_NOT}
