"""Hostile arguments to networks and wires: everything ends in a result or a CrossbarError, soon and in little memory.

As test_hostile_calls; warnings of ours, of values that look like slips, are no failure here.
"""

import numpy as np
import pytest
from hostile_values import Call, all_must_end_well, hostile_cases, must_end_well

import crossbar as xb
from crossbar import nn

pytestmark = pytest.mark.filterwarnings("ignore::crossbar.CrossbarWarning")

RNG = np.random.default_rng(220_816)
P = xb.mtj.presets["mtj-60kT"]
WEIGHTS, BIASES = RNG.normal(size=(4, 3)), RNG.normal(size=3)
X, LABELS = RNG.normal(size=(5, 4)), np.array([0, 1, 2, 1, 0])
NETWORK = nn.Perceptron.from_weights([(WEIGHTS, BIASES)], activation="tanh")
HARDWARE = NETWORK.map("daffodil")


CALLS: dict[str, Call] = {
    "vmm": (xb.vmm, {"weights": WEIGHTS, "x": X, "device": "daffodil", "r_wire": 2.0}),
    "DifferentialPairs": (lambda **k: NETWORK.map(nn.DifferentialPairs(**k)).forward(X), {"params": P}),
    "from_weights": (lambda **k: nn.Perceptron.from_weights(**k).forward(X), {"layers": [(WEIGHTS, BIASES)],
                                                                              "activation": "tanh"}),
    "weights": (lambda w, b: nn.Perceptron.from_weights([(w, b)]).forward(X), {"w": WEIGHTS, "b": BIASES}),
    "forward": (NETWORK.forward, {"x": X}),
    "map": (lambda device, **k: NETWORK.map(device, **k).forward(X), {"device": P, "r_wire": 2.0}),
    "mapped forward": (HARDWARE.forward, {"x": X}),
    "accuracy": (HARDWARE.accuracy, {"x": X, "y": LABELS}),
    "Wire": (xb.Wire, {"width": 50e-9, "thickness": 100e-9, "pitch": 100e-9}),
}
OBJECTS = (P, NETWORK, HARDWARE, WEIGHTS)
CASES = hostile_cases(CALLS, OBJECTS)
SOME = [CASES[k] for k in np.random.default_rng(4_711).choice(len(CASES), 300, replace=False)]


@pytest.mark.parametrize("name", CALLS)
def test_the_calls_are_good_as_they_are(name: str) -> None:
    call, arguments = CALLS[name]
    call(**arguments)


def test_some_hostile_calls_end_well() -> None:
    for case in SOME:
        must_end_well(CALLS, OBJECTS, *case)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_all_hostile_calls_end_well(name: str) -> None:
    """The limit of memory is that of the machine's record of this process."""
    all_must_end_well(CALLS, OBJECTS, name)
