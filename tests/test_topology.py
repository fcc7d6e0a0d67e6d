"""Circuits without a unique solution are refused before they are solved; the message names the culprits."""

import numpy as np
import pytest
from building import circuit

from crossbar import mtj, topology
from crossbar.analysis import operating_point
from crossbar.arrays import PassiveArray, only
from crossbar.circuit import CircuitBuilder
from crossbar.elements.linear import VoltageSources
from crossbar.errors import DataError, TopologyError

GROUNDED = [("v1", "a", "0", 1.0), ("r1", "a", "b", 10.0), ("r2", "b", "0", 10.0)]


def complaint(*elements) -> str:
    with pytest.raises(TopologyError) as error:
        operating_point(circuit(*elements))
    return str(error.value)


@pytest.mark.parametrize(
    ("elements", "named", "innocent"),
    [
        ([("r3", "x", "y", 1.0)], ["x", "y", "r3"], ["r1"]),
        ([("r3", "x", "y", 1.0), ("v2", "y", "x", 2.0)], ["x", "y", "r3", "v2"], ["v1"]),
        ([("r3", "x", "x", 5.0)], ["x", "r3"], []),
        ([("m1", "x", "y", mtj.presets["ut-50nm"], 1)], ["x", "y", "m1"], []),
        ([("g1", "x", "0", "a", "b", 1e-3)], ["x", "g1"], []),
        ([("f1", "x", "0", "v1", 2.0)], ["x", "f1"], []),
        ([("e1", "b", "0", "x", "0", 2.0), ("r2", "b", "c", 1.0), ("r5", "c", "0", 1.0)], ["x", "e1"], []),
        ([("b1", "x", "0", "i", "v(a)")], ["x", "b1"], []),
    ],
    ids=[
        "island",
        "island with a source",
        "self loop",
        "junction",
        "G output",
        "F output",
        "E input",
        "B output",
    ],
)
def test_node_without_a_path_to_ground(elements, named, innocent):
    message = complaint(*[e for e in GROUNDED if e[0] not in {x[0] for x in elements}], *elements)
    assert "no DC path to ground" in message
    words = message.replace(",", " ").replace("(", " ").replace(")", " ").replace(";", " ").split()
    assert set(named) <= set(words)
    assert not set(innocent) & set(words)


@pytest.mark.parametrize(
    "elements",
    [
        [("i1", "0", "x", 1e-3)],
        [("i1", "0", "x", 1e-3), ("i2", "x", "a", 1e-3)],
        [("i1", "a", "x", 1e-3), ("r3", "x", "y", 5.0), ("i2", "y", "0", 1e-3)],
    ],
    ids=["one source", "two in series", "island between two"],
)
def test_cut_set_of_current_sources(elements):
    """Whatever the currents are: they agree (then the voltage is arbitrary) or contradict each other."""
    message = complaint(*GROUNDED, *elements)
    assert "no DC path to ground" in message and "i1" in message and "x" in message


def test_current_source_with_a_resistor_beside_it_is_fine():
    point = operating_point(circuit(*GROUNDED, ("i1", "0", "x", 1e-3), ("r3", "x", "0", 2e3)))
    assert point.v("x") == pytest.approx(2.0, rel=1e-9)


@pytest.mark.parametrize(
    ("elements", "names"),
    [
        ([("v2", "a", "0", 1.0)], ["v1", "v2"]),
        ([("v2", "a", "0", 2.0)], ["v1", "v2"]),
        ([("r3", "a", "0", 0.0)], ["v1", "r3"]),
        ([("r3", "a", "x", 0.0), ("r4", "x", "y", 0.0), ("r5", "y", "0", 0.0)], ["v1", "r3", "r4", "r5"]),
        ([("r3", "x", "y", 0.0), ("r4", "y", "x", 0.0), ("r5", "y", "0", 1.0)], ["r3", "r4"]),
        ([("v2", "b", "b", 1.0)], ["v2"]),
        ([("e1", "a", "0", "b", "0", 3.0)], ["v1", "e1"]),
        ([("h1", "a", "b", "v1", 3.0), ("v2", "b", "0", 1.0)], ["v1", "h1", "v2"]),
        ([("b1", "a", "0", "v", "2*v(b)")], ["v1", "b1"]),
    ],
    ids=[
        "equal sources",
        "contradiction",
        "short",
        "chain of shorts",
        "two shorts",
        "own tail",
        "E",
        "H",
        "B",
    ],
)
def test_loop_of_voltages(elements, names):
    message = complaint(*GROUNDED, *elements)
    assert "loop of voltage sources or 0 ohm shorts" in message
    loop, nodes = message.split("shorts: ")[1].split(" (nodes ")
    assert sorted(loop.split(", ")) == sorted(names)
    around = nodes.split(")")[0].split(", ")
    assert len(around) == len(names)
    ends = {e[0]: set(e[1:3]) for e in (*GROUNDED, *elements)}
    assert set(around) == set().union(*(ends[name] for name in names))


@pytest.mark.parametrize(
    "elements",
    [
        [("r3", "a", "x", 0.0), ("r4", "x", "0", 5.0)],
        [("v2", "a", "x", 1.0), ("v3", "x", "y", 1.0), ("r4", "y", "0", 5.0)],
        [("r3", "a", "x", 0.0), ("r4", "a", "y", 0.0), ("r5", "x", "y", 1.0)],
    ],
    ids=["a short", "sources in series", "shorts that meet nowhere"],
)
def test_trees_of_voltages_are_fine(elements):
    assert operating_point(circuit(*GROUNDED, *elements)).relative_residual <= 1e-10


def test_both_complaints_at_once():
    message = complaint(*GROUNDED, ("v2", "a", "0", 1.0), ("r3", "x", "y", 1.0))
    assert "no DC path" in message and "loop of voltage sources" in message


def test_long_lists_are_cut():
    """A hundred floating nodes make one readable message."""
    message = complaint(*GROUNDED, *((f"r1{k}", f"n{k}", f"n{k + 1}", 1.0) for k in range(100)))
    assert "and 93 more" in message and len(message) < 1000
    message = complaint(*GROUNDED, *((f"r1{k}", f"n{2 * k}", f"n{2 * k + 1}", 1.0) for k in range(100)))
    assert message.count("no DC path") <= 20


def test_large_chain():
    """A chain of 20 000 sources, then closed to a loop: neither recursion nor quadratic time."""
    n = 20_000
    nodes = np.column_stack((np.arange(1, n), np.arange(2, n + 1)))
    builder = CircuitBuilder()
    for k in range(1, n + 1):
        builder.node(f"n{k}")
    builder.add(
        VoltageSources(
            names=[f"v{k}" for k in range(n)], nodes=np.vstack(([[1, 0]], nodes)), value=np.zeros(n)
        )
    )
    topology.check(builder.build())
    builder.add(VoltageSources(names=["vlast"], nodes=np.array([[n, 0]]), value=np.zeros(1)))
    with pytest.raises(TopologyError, match=f"loop.* and {n + 1 - 8} more"):
        topology.check(builder.build())


# Arrays


@pytest.mark.parametrize("method", ["lines", "general"])
@pytest.mark.parametrize("bottom", [None, np.ma.masked_all(3)], ids=["None", "masked"])
def test_nothing_driven(method, bottom):
    with pytest.raises(DataError, match="nothing is driven"):
        PassiveArray(np.full((2, 3), 1e-4)).solve(bit_bottom=bottom, method=method)


def test_one_input_of_a_batch_without_any_end():
    left = np.ma.array(np.ones((2, 2)), mask=[[0, 0], [1, 1]])
    with pytest.raises(DataError, match="nothing is driven"):
        PassiveArray(np.full((2, 3), 1e-4)).solve(word_left=left, bit_bottom=None)


def test_array_whose_terminals_float():
    """An array in a circuit whose word lines hang on nothing: the message names nodes inside and outside of
    it."""
    array = PassiveArray(np.full((2, 2), 1e-4))
    c = array.to_circuit(word_left=only(2, 0, 1.0), bit_bottom=None)
    assert operating_point(c).i("v_word_left[0]") == pytest.approx(
        0.0, abs=1e-18
    )  # one end: no current, but a solution
    broken = c.__class__(
        title="",
        nodes=c.nodes,
        batches=tuple(b for b in c.batches if not isinstance(b, VoltageSources)),
        arrays=c.arrays,
    )
    with pytest.raises(TopologyError) as error:
        operating_point(broken)
    assert "word_left[0]" in str(error.value) and "x." in str(error.value)


def test_short_through_an_array():
    """Two sources at the two ends of a word line without resistance."""
    array = PassiveArray(np.full((2, 2), 1e-4), r_word=0.0)
    with pytest.raises(TopologyError) as error:
        operating_point(array.to_circuit(word_left=1.0, word_right=0.5))
    message = str(error.value)
    assert (
        "v_word_left[" in message
        and "v_word_right[" in message
        and "x.rwl[" in message
        and "x.wl[" in message
    )
