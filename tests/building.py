"""Circuits from tuples, for tests that need many small ones without a netlist."""

from crossbar.circuit import Circuit, CircuitBuilder
from crossbar.elements.linear import CCCS, CCVS, VCCS, VCVS, CurrentSources, VoltageSources
from crossbar.elements.nonlinear import MTJs, behavioural
from crossbar.expressions import Scope, parse


def circuit(*elements) -> Circuit:
    """("r1", "a", "b", ohms), ("v1", "+", "-", volts), ("i1", ...), ("e1" | "g1", "+", "-", "c+", "c-",
    gain),
    ("f1" | "h1", "+", "-", sensed, gain), ("m1", "free", "fixed", params, state), ("b1", "+", "-", "i" |
    "v", text)."""
    builder = CircuitBuilder()
    for name, plus, minus, *rest in elements:
        kind = name[0]
        if kind == "r":
            builder.resistor(name, plus, minus, *rest)
        elif kind in "vi":
            builder.add_one(
                {"v": VoltageSources, "i": CurrentSources}[kind], name, (plus, minus), value=rest[0]
            )
        elif kind in "eg":
            builder.add_one({"e": VCVS, "g": VCCS}[kind], name, (plus, minus, *rest[:2]), gain=rest[2])
        elif kind in "fh":
            builder.add_one({"f": CCCS, "h": CCVS}[kind], name, (plus, minus), control=rest[0], gain=rest[1])
        elif kind == "m":
            builder.add_one(MTJs, name, (plus, minus), params=rest[0], state=rest[1])
        else:
            expression = parse(rest[1])
            read = [node for p in expression.probes if p.kind == "v" for node in (*p.args, "0")[:2]]
            builder.add(
                behavioural(
                    name,
                    builder.node_list([plus, minus, *read]),
                    expression,
                    Scope(),
                    rest[0] == "v",
                    {p: p for p in expression.probes},
                )
            )
    return builder.build()
