"""Networks on solved arrays: the hardware is the software where it must be, off by known orders elsewhere."""

import numpy as np
import pytest

from crossbar import mtj
from crossbar.arrays.passive import PassiveArray
from crossbar.elements.cells import LinearCells, MTJCells
from crossbar.errors import DataError, SizeError
from crossbar.nn import DifferentialPairs, Perceptron, accuracy, labels, vmm

SEED = 845103277
DAFFODIL = mtj.presets["daffodil"]
LINEAR = DAFFODIL.replace(v_h=np.inf)


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def weights_of(kind, rng, shape):
    if kind == "binary":
        return rng.choice([-1.0, 1.0], shape)
    if kind == "ternary":
        return rng.choice([-1.0, 0.0, 1.0], shape)
    return rng.normal(size=shape)


def network(rng, kind="binary", sizes=(7, 5, 3), **options):
    shapes = zip(sizes, sizes[1:], strict=False)
    layers = [(weights_of(kind, rng, (m, n)), rng.normal(size=n)) for m, n in shapes]
    return Perceptron.from_weights(layers, **options)


def state_network(rng):
    """States at random, so pairs that are both P or both AP occur."""
    return Perceptron.from_states([(rng.integers(0, 2, (7, 10)), rng.normal(size=5)),
                                   (rng.integers(0, 2, (5, 6)), rng.normal(size=3))])


# ---- software

def test_software_layer_is_the_formula(rng):
    w1, b1, w2, b2 = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(3, 2)), 0.5
    layers = [(w1, b1), (w2, b2)]
    net, x = Perceptron.from_weights(layers, g_norm=(1.5, 0.5)), rng.normal(size=(6, 4))
    expected = np.tanh(np.tanh(x @ w1 / 1.5 + b1) @ w2 / 0.5 + b2)
    np.testing.assert_allclose(net.forward(x), expected, rtol=1e-14)
    assert (net.predict(x) == expected.argmax(axis=1)).all()
    assert net.predict(x[0]) == expected[0].argmax()


def test_states_are_weights(rng):
    states = rng.integers(0, 2, (4, 6))
    layer = Perceptron.from_states([(states, np.zeros(3))]).layers[0]
    assert (layer.weights == states[:, 0::2] - states[:, 1::2]).all()


# ---- the mapping

@pytest.mark.parametrize("kind", ["binary", "ternary", "real"])
@pytest.mark.parametrize("params", [LINEAR, DAFFODIL], ids=["linear", "bias-dependent"])
def test_pair_conductance_difference_is_the_weight(rng, kind, params):
    w = weights_of(kind, rng, (6, 4))
    pairs = DifferentialPairs(params)
    mapped = pairs.from_weights(w, r_wire=0.0)
    g = mapped.array.cells.conductance
    difference = mapped.scale * (g[:, 0::2] - g[:, 1::2]) / (params.g_p - params.g_ap)
    np.testing.assert_allclose(difference, w, rtol=0, atol=1e-13 * np.abs(w).max())


def test_ternary_weights_are_states():
    cells = DifferentialPairs(LINEAR).from_weights([[2, -2, 0]]).array.cells
    assert cells.state.tolist() == [[1, -1, -1, 1, -1, -1]]


@pytest.mark.parametrize("kind", ["binary", "ternary", "real"])
@pytest.mark.parametrize("factor", [1.0, 1e-6, 3e5])
def test_vmm_is_the_product_without_parasitics(rng, kind, factor):
    w, x = factor * weights_of(kind, rng, (9, 4)), rng.uniform(-1, 1, (5, 9))
    tolerance = {"rtol": 0, "atol": 1e-12 * 9 * factor}
    np.testing.assert_allclose(vmm(w, x, device=LINEAR, r_wire=0.0), x @ w, **tolerance)
    np.testing.assert_allclose(vmm(w, x[0], device=LINEAR, r_wire=0.0), x[0] @ w, **tolerance)


def test_vmm_takes_devices_by_name_and_zero_weights(rng):
    w, x = rng.normal(size=(4, 3)), rng.uniform(size=4)
    assert (vmm(w, x) == vmm(w, x, device=DAFFODIL)).all()
    assert (vmm(w, x) == vmm(w, x, device=DifferentialPairs("daffodil"))).all()
    np.testing.assert_allclose(vmm(np.zeros((4, 3)), x, r_wire=0.0), 0, atol=1e-12)


def test_wires_cost_first_order(rng):
    """The deviation of the product falls in proportion to the wire resistance."""
    w, x = rng.choice([-1.0, 1.0], (13, 6)), rng.uniform(-1, 1, (20, 13))
    error = [np.abs(vmm(w, x, device=LINEAR, r_wire=r) - x @ w).max() for r in (2e-2, 2e-3, 2e-4)]
    assert error[0] / error[1] == pytest.approx(10, rel=0.01)
    assert error[1] / error[2] == pytest.approx(10, rel=0.01)
    assert error[2] < 1e-4


def test_bias_dependence_costs_second_order(rng):
    """TMR(V) = TMR_0 (1 - (V/V_h)^2 + ...): a quarter of the deviation at half the read voltage."""
    w, x = rng.choice([-1.0, 1.0], (8, 3)), rng.uniform(0, 1, (10, 8))
    error = [np.abs(vmm(w, x, r_wire=0.0, v_read=v) - x @ w).max() for v in (0.02, 0.01)]
    assert error[0] / error[1] == pytest.approx(4, rel=0.01)


def test_word_and_bit_wires_are_told_apart(rng):
    w, x = rng.choice([-1.0, 1.0], (6, 3)), rng.uniform(-1, 1, (4, 6))
    mapped = DifferentialPairs(LINEAR).from_weights(w, r_wire=(3.0, 1.0), r_driver={"word_left": 5.0})
    g = mapped.array.cells.conductance
    array = PassiveArray(LinearCells(g=g), r_word=3.0, r_bit=1.0, r_driver={"word_left": 5.0})
    current = array.solve(word_left=0.1 * x).bit_current
    expected = (current[:, 0::2] - current[:, 1::2]) / ((LINEAR.g_p - LINEAR.g_ap) * 0.1)
    np.testing.assert_allclose(mapped.product(x), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("params", [LINEAR, DAFFODIL], ids=["linear", "bias-dependent"])
def test_swapping_the_columns_of_a_pair_flips_the_sign(rng, params):
    states, x = rng.integers(0, 2, (6, 4)), rng.uniform(-1, 1, (5, 6))
    product = DifferentialPairs(params).from_states(states, r_wire=0.0).product(x)
    swapped = DifferentialPairs(params).from_states(states[:, [1, 0, 3, 2]], r_wire=0.0).product(x)
    np.testing.assert_allclose(swapped, -product, rtol=0, atol=1e-12)


@pytest.mark.parametrize("params", [LINEAR, DAFFODIL], ids=["linear", "bias-dependent"])
def test_idle_lines_change_nothing_without_wires(rng, params):
    w, x = rng.choice([-1.0, 1.0], (13, 6)), rng.uniform(0, 1, (5, 13))
    exact = vmm(w, x, device=params, r_wire=0.0)
    larger = vmm(w, x, device=params, r_wire=0.0, shape=(15, 15))
    np.testing.assert_allclose(larger, exact, rtol=0, atol=1e-12)
    with_wires = vmm(w, x, device=params, r_wire=2.0, shape=(15, 15))
    assert np.abs(with_wires - vmm(w, x, device=params, r_wire=2.0)).max() > 1e-3  # longer lines


def test_transfer_matrix_is_what_each_input_solved_gives(rng):
    mapped = DifferentialPairs(LINEAR).from_weights(rng.normal(size=(8, 4)), r_wire=50.0, shape=(10, 11))
    x = rng.uniform(-1, 1, (6, 8))
    solved = mapped.solve(x)
    np.testing.assert_allclose(mapped.product(x), mapped.decode(solved.bit_current), rtol=0, atol=1e-9)
    assert (solved.relative_residual <= 1e-10).all()


def test_junctions_that_differ(rng):
    """Parameters of the array's shape, read in units of their mean window."""
    params = mtj.MTJParams(r_p=rng.uniform(4e3, 6e3, (5, 6)), tmr=rng.uniform(0.8, 1.2, (5, 6)), v_h=np.inf)
    states, x = rng.integers(0, 2, (5, 6)), rng.uniform(-1, 1, (4, 5))
    g = np.where(states == 1, params.g_p, params.g_ap)
    unit = (params.g_p - params.g_ap).mean()
    product = DifferentialPairs(params).from_states(states, r_wire=0.0).product(x)
    np.testing.assert_allclose(product, x @ (g[:, 0::2] - g[:, 1::2]) / unit, rtol=0, atol=1e-12)
    twice = DifferentialPairs(params, 2 * unit).from_states(states, r_wire=0.0).product(x)
    np.testing.assert_allclose(twice, product / 2, rtol=0, atol=1e-12)


def test_inputs_beyond_the_range_are_read_at_more_volts(rng):
    mapped = DifferentialPairs(LINEAR).from_weights(rng.normal(size=(4, 2)), r_wire=2.0)
    x = rng.uniform(-1, 1, 4)
    np.testing.assert_allclose(mapped.product(7 * x), 7 * mapped.product(x), rtol=1e-12)
    np.testing.assert_allclose(mapped.drive(7 * x), 0.7 * x)


# ---- networks

@pytest.mark.parametrize("kind", ["binary", "ternary", "real"])
@pytest.mark.parametrize("options", [{}, {"activation": "sigmoid", "g_norm": 0.5}, {"activation": "linear"},
                                     {"g_norm": (1.5, 0.7)}, {"activation": "relu"},
                                     {"activation": ["relu", "linear"]}])
def test_hardware_is_software_without_parasitics(rng, kind, options):
    net, x = network(rng, kind, **options), rng.uniform(-1, 1, (12, 7))
    hw = net.map(DifferentialPairs(LINEAR), r_wire=0.0)
    np.testing.assert_allclose(hw.forward(x), net.forward(x), rtol=0, atol=1e-12)
    assert (hw.predict(x) == net.predict(x)).all()


def test_an_activation_for_each_layer(rng):
    """relu, then none, written out; also given when the network is mapped, as lists or tuples."""
    w1, b1 = rng.normal(size=(7, 5)), rng.normal(size=5)
    w2, b2 = rng.normal(size=(5, 3)), rng.normal(size=3)
    x = rng.uniform(-1, 1, (12, 7))
    hidden = x @ w1 + b1
    expected = np.where(hidden > 0, hidden, 0.0) @ w2 + b2
    net = Perceptron.from_weights([(w1, b1), (w2, b2)], activation=["relu", "linear"])
    np.testing.assert_allclose(net.forward(x), expected, rtol=1e-13)
    assert (hidden < 0).any() and net.activation == ("relu", "linear")
    other = Perceptron.from_weights([(w1, b1), (w2, b2)])
    assert other.activation == ("tanh", "tanh")
    for activation in (["relu", "linear"], ("relu", "linear")):
        mapped = other.map(LINEAR, r_wire=0.0, activation=activation)
        np.testing.assert_allclose(mapped.forward(x), expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(mapped.trace(x)[-1].y, expected, rtol=0, atol=1e-8)


def test_states_map_as_given(rng):
    net, x = state_network(rng), rng.uniform(-1, 1, (12, 7))
    hw = net.map(LINEAR, r_wire=0.0)
    np.testing.assert_allclose(hw.forward(x), net.forward(x), rtol=0, atol=1e-12)
    assert (hw.layers[0].array.array.cells.state == net.layers[0].states).all()


def test_hardware_converges_to_software(rng):
    net, x = state_network(rng), rng.uniform(-1, 1, (12, 7))
    ideal = net.forward(x)
    error = [np.abs(net.map(LINEAR, r_wire=r).forward(x) - ideal).max() for r in (1.0, 0.1, 0.01, 1e-3)]
    assert (np.diff(error) < 0).all()
    assert error[-1] < 1e-4


def test_samples_are_independent_of_their_batch(rng):
    hw, x = state_network(rng).map("daffodil"), rng.uniform(-1, 1, (6, 7))
    together = hw.forward(x)
    np.testing.assert_allclose([hw.forward(sample) for sample in x], together, rtol=0, atol=1e-8)
    assert hw.forward(x[0]).shape == (3,)


def test_gain_reuses_the_solved_arrays(rng):
    net, x = state_network(rng), rng.uniform(-1, 1, (6, 7))
    hw = net.map(LINEAR)
    hw.forward(x)
    tuned = hw.with_gain((1.5, 0.5))
    assert tuned.layers[0].array.transfer is hw.layers[0].array.transfer
    np.testing.assert_array_equal(tuned.forward(x), net.map(LINEAR, g_norm=(1.5, 0.5)).forward(x))


def test_other_cells_on_the_same_wires(rng):
    net, x = state_network(rng), rng.uniform(-1, 1, (6, 7))
    other = [1 - (layer.states > 0) for layer in net.layers]
    hw = net.map(LINEAR).with_cells([MTJCells(LINEAR, s) for s in other])
    written = Perceptron.from_states([(s, layer.bias) for s, layer in zip(other, net.layers, strict=True)])
    np.testing.assert_array_equal(hw.forward(x), written.map(LINEAR).forward(x))


@pytest.mark.parametrize("params", [LINEAR, DAFFODIL], ids=["linear", "bias-dependent"])
def test_trace_agrees_with_forward_and_balances(rng, params):
    hw, x = state_network(rng).map(params, shape=[(9, 12), None]), rng.uniform(-1, 1, (3, 7))
    first, last = hw.trace(x)
    np.testing.assert_allclose(last.y, hw.forward(x), rtol=0, atol=1e-8)
    np.testing.assert_array_equal(first.y, last.x)
    assert first.currents.shape == (3, 10) and first.solution.cell_voltage.shape == (3, 9, 12)
    for layer in (first, last):
        power = layer.solution.power
        np.testing.assert_allclose(power["sources"], power["cells"] + power["wires"], rtol=1e-9)
        assert (layer.solution.relative_residual <= 1e-10).all()


# ---- accuracy

def test_accuracy_counts_right_answers(rng):
    net, x = network(rng), rng.uniform(-1, 1, (50, 7))
    hw = net.map(LINEAR)
    truth = hw.predict(x)
    assert hw.accuracy(x, truth) == hw.accuracy(x, np.eye(3)[truth]) == 1
    assert hw.accuracy(x, (truth + 1) % 3) == 0
    assert 0 <= net.accuracy(x, rng.integers(0, 3, 50)) <= 1
    assert accuracy([0, 1, 2, 1], [0, 1, 1, 1]) == 0.75
    assert labels([[0, 1], [1, 0]]).tolist() == [1, 0]


# ---- mistakes

W, B = [[1.0, -1.0]], [0.0, 0.0]


@pytest.mark.parametrize("make, message", [
    (lambda: Perceptron.from_weights([]), "at least one layer"),
    (lambda: Perceptron.from_weights([(W,)]), "pair"),
    (lambda: Perceptron.from_weights([(W, [1.0])]), "bias of shape"),
    (lambda: Perceptron.from_weights([(W, [np.nan, 0])]), "bias must be finite"),
    (lambda: Perceptron.from_weights([([[np.inf, 1]], B)]), "finite"),
    (lambda: Perceptron.from_weights([([1.0, 2.0], B)]), "two-dimensional"),
    (lambda: Perceptron.from_weights([(np.zeros((0, 2)), B)]), "empty"),
    (lambda: Perceptron.from_weights([([["a", "b"]], B)]), "numbers"),
    (lambda: Perceptron.from_weights([(W, B), (W, B)]), "layer 0 has 2 outputs, layer 1 has 1 inputs"),
    (lambda: Perceptron.from_weights([(W, B)], activation="relu6"), "no activation"),
    (lambda: Perceptron.from_weights([(W, B)], activation=["relu6"]), "no activation"),
    (lambda: Perceptron.from_weights([(W, B)], activation=[["relu"]]), "no activation"),
    (lambda: Perceptron.from_weights([(W, B)], activation=["relu"] * 2), "each of 1 layers"),
    (lambda: Perceptron.from_weights([(W, B)], activation=None), "activation is a name"),
    (lambda: Perceptron.from_weights([(W, B)]).map(activation=3), "activation is a name"),
    (lambda: Perceptron.from_weights([(W, B)], g_norm=0), "g_norm must be one positive number"),
    (lambda: Perceptron.from_weights([(W, B)], g_norm=(1, 2)), "one for each of 1 layers"),
    (lambda: Perceptron.from_states([([[1, 0, 1]], B)]), "2 outputs"),
    (lambda: Perceptron.from_states([([[1, 0.5]], B)]), "MTJ states"),
    (lambda: DifferentialPairs("no such"), "no preset"),
    (lambda: DifferentialPairs(5e3), "MTJParams"),
    (lambda: DifferentialPairs(DAFFODIL.replace(tmr=0.0)), "weight 1"),
    (lambda: vmm(W, [1.0, 2.0]), "inputs must have shape"),
    (lambda: vmm(W, np.zeros((0, 1))), "inputs must have shape"),
    (lambda: vmm(W, [np.nan]), "finite"),
    (lambda: vmm(W, ["one"]), "numbers"),
    (lambda: vmm(W, [1.0], v_read=0.0), "v_read must be one positive"),
    (lambda: vmm(W, [1.0], r_wire=-1.0), "r_word"),
    (lambda: vmm(W, [1.0], shape=(1, 3)), "do not fit"),
    (lambda: vmm(W, [1.0], shape=(1.0, 4)), "rows, columns"),
    (lambda: Perceptron.from_weights([(W, B)]).map(shape=[(2, 4, 5)]), "rows, columns"),
    (lambda: Perceptron.from_weights([(W, B)]).map(shape=[(2, 4), (2, 4)]), "2 array shapes for 1 layers"),
    (lambda: Perceptron.from_weights([(W, B)]).map().with_cells([]), "0 sets of cells"),
    (lambda: Perceptron.from_weights([(W, B)]).map().with_cells([np.ones((2, 2))]), "shape"),
    (lambda: Perceptron.from_weights([(W, B)]).accuracy([[1.0]], [0, 1]), "1 predictions for 2"),
    (lambda: Perceptron.from_weights([(W, B)]).accuracy([[1.0]], [[1, 1]]), "one-hot"),
    (lambda: Perceptron.from_weights([(W, B)]).accuracy([[1.0]], [0.5]), "integers"),
    (lambda: Perceptron.from_weights([([[1.0]], [0.0])]).predict([[1.0]]), "at least two outputs"),
    (lambda: DifferentialPairs().from_weights(W).transfer, "linear cells only"),
])
def test_mistakes_are_named(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_too_large_an_array_is_refused():
    with pytest.raises(SizeError):
        vmm(W, [1.0], shape=(10**7, 10**7))
