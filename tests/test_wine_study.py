"""The Wine study: the published table to the digit, and what must hold for any set of solutions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossbar.errors import DataError
from crossbar.studies import wine

WINE300 = Path(__file__).resolve().parents[2] / "shared" / "data" / "wine300.npz"
KEYS = ("fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias", "X_train", "Y_train", "X_test", "Y_test")


@pytest.fixture(scope="module")
def shipped():
    return wine.shipped_solutions()


@pytest.fixture(scope="module")
def wine300():
    if not WINE300.exists():
        pytest.skip(f"the 300 published solutions are not in the package and not at {WINE300}")
    return wine.load_solutions(WINE300)


def first(solutions, count):
    """The first few solutions, on the same samples."""
    return replace(solutions, **{key: getattr(solutions, key)[:count] for key in KEYS[:4]})


def numpy_accuracy(s, x, y, g_norm):
    """Accuracies [%] of all solutions, ideal junctions: plain NumPy, nothing of the package."""
    w1, w2 = (w[..., 0::2] - w[..., 1::2] for w in (s.fc1_weight, s.fc2_weight))
    hidden = np.tanh(x @ w1 / g_norm + s.fc1_bias[:, None])
    z = np.tanh(hidden @ w2 / g_norm + s.fc2_bias[:, None])
    return 100 * (z.argmax(axis=-1) == y.argmax(axis=-1)).mean(axis=-1)


def rounded(row, part):
    return {name: round(value, 2) for name, value in row.summary(part).items()}


# ---- the published numbers

def test_ideal_table_of_300_solutions(wine300):
    study = wine.run(wine300, wine.IDEAL)
    nominal, low, high = study.rows
    train, test = nominal.summary("train"), nominal.summary("test")
    assert (round(train["median"], 2), round(train["mean"], 2)) == (97.97, 96.97)
    assert (round(train["min"], 1), train["max"]) == (77.7, 100)
    assert (round(test["median"], 2), round(test["mean"], 2)) == (93.33, 91.47)
    assert rounded(low, "train")["median"] == 73.65
    assert rounded(high, "train")["median"] == 82.43


def test_wires_of_2_ohm_on_300_solutions(wine300):
    row = wine.run(wine300, [wine.WIRES]).rows[0]
    assert rounded(row, "train")["median"] == 97.30
    assert rounded(row, "train")["mean"] == 95.97
    assert rounded(row, "test")["median"] == 90.00


@pytest.mark.parametrize("condition", wine.IDEAL, ids=lambda c: c.name)
def test_ideal_arrays_answer_as_plain_numpy(wine300, condition):
    row = wine.run(wine300, [condition]).rows[0]
    g = condition.g_norm
    np.testing.assert_array_equal(row.train, numpy_accuracy(wine300, wine300.x_train, wine300.y_train, g))
    np.testing.assert_array_equal(row.test, numpy_accuracy(wine300, wine300.x_test, wine300.y_test, g))


@pytest.mark.slow
def test_bias_dependence_costs_little_on_300_solutions(wine300):
    """At 0.1 V the TMR has lost 4 % (V_h = 0.5 V): the median stays within a point."""
    study = wine.run(wine300, [*wine.IDEAL[:1], wine.WIRES, wine.BIAS, wine.WIRES_BIAS])
    ideal, wires, bias, both = (row.summary("train") for row in study.rows)
    assert abs(bias["median"] - ideal["median"]) < 1 and abs(both["median"] - wires["median"]) < 1
    assert both["mean"] < wires["mean"] < ideal["mean"]


# ---- the shipped solutions

def test_shipped_solutions_classify_wine(shipped):
    study = wine.run()
    assert study.solutions == len(shipped) == len(wine.load_solutions()) == 20
    for name in ("ideal", "wires", "TMR(V)", "wires, TMR(V)"):
        assert study.row(name).summary("train")["median"] >= 95
        assert study.row(name).summary("test")["median"] >= 90
    for part, x, y in (("train", shipped.x_train, shipped.y_train), ("test", shipped.x_test, shipped.y_test)):
        np.testing.assert_array_equal(getattr(study.row("ideal"), part), numpy_accuracy(shipped, x, y, 1.0))
    for row in study.rows:
        for values in (row.train, row.test):
            assert values.shape == (20,) and (values >= 0).all() and (values <= 100).all()


def test_table_has_a_line_for_each_condition(shipped):
    study = wine.run(first(shipped, 2), [wine.IDEAL[0], wine.WIRES])
    head, columns, ideal, wires = study.table().splitlines()
    assert "2 solutions" in head and "train median" in columns
    assert ideal.startswith("ideal") and f"{study.rows[0].train.mean():.2f}" in ideal
    assert wires.split()[:2] == ["wires", "2"]
    with pytest.raises(DataError, match="no row"):
        study.row("cold")


def test_idle_lines_without_wires_change_no_answer(shipped):
    few = first(shipped, 3)
    embedded = replace(wine.IDEAL[0], shape=(15, 15))
    exact, larger = wine.run(few, [wine.IDEAL[0], embedded]).rows
    np.testing.assert_array_equal(exact.train, larger.train)


def test_weak_reading_and_short_wires_are_ideal(shipped):
    """Both parasitics vanish together: 1e-4 ohm, 1 mV."""
    few = first(shipped, 3)
    faint = wine.Condition(name="faint", r_wire=1e-4, v_h=0.5, v_read=1e-3)
    ideal, row = wine.run(few, [wine.IDEAL[0], faint]).rows
    np.testing.assert_array_equal(ideal.train, row.train)
    np.testing.assert_array_equal(ideal.test, row.test)


# ---- one sample

@pytest.mark.parametrize("part", ["train", "test"])
def test_trace_of_a_sample(shipped, part):
    seen = wine.classify(shipped, 4, 7, part=part)
    network, (x, y) = shipped.network(4), shipped.samples(part)
    assert seen.predicted == wine.WIRES_BIAS.map(network).predict(x[7])
    assert seen.software == network.predict(x[7]) and seen.truth == y[7]
    assert seen.layers[0].currents.shape == (12,) and seen.layers[1].y.shape == (3,)
    assert 0 < seen.relative_residual <= 1e-10
    text = seen.report()
    assert "13 x 12 cells" in text and "6 x 6 cells" in text
    assert f"class {seen.predicted}, truth {seen.truth}" in text
    assert f"{1e6 * seen.layers[0].currents[0]:.5f}" in text


@pytest.mark.parametrize("index, sample, part, message", [
    (20, 0, "test", "no solution 20"), (-1, 0, "test", "no solution -1"), (0, 30, "test", "numbered 0 to 29"),
    (0, -1, "train", "no train sample -1"), (0, 1.5, "test", "no test sample 1.5"),
    (0, 0, "validation", "parts")])
def test_indices_beyond_their_range(shipped, index, sample, part, message):
    with pytest.raises(DataError, match=message):
        wine.classify(shipped, index, sample, part=part)


# ---- files

def arrays(shipped):
    return {key: getattr(shipped, key.lower()) for key in KEYS}


def test_file_round_trip(shipped, tmp_path):
    np.savez(tmp_path / "s.npz", **arrays(shipped))
    again = wine.load_solutions(tmp_path / "s.npz")
    for key in KEYS:
        np.testing.assert_array_equal(getattr(again, key.lower()), getattr(shipped, key.lower()))


@pytest.mark.parametrize("change, message", [
    ({"fc2_bias": None}, "no fc2_bias"),
    ({"fc1_weight": np.ones((20, 13, 11))}, "fc1_weight must be"),
    ({"fc1_weight": np.ones((13, 12))}, "fc1_weight must be"),
    ({"fc2_weight": np.ones((20, 5, 6))}, "fc2_weight must be"),
    ({"fc1_bias": np.ones((19, 6))}, "fc1_bias must be"),
    ({"X_test": np.ones((30, 12))}, "X_test must be"),
    ({"Y_test": np.eye(3)}, "Y_test must be"),
    ({"X_train": np.full((148, 13), np.nan)}, "X_train holds NaN"),
    ({"fc1_weight": np.full((20, 13, 12), 0.5)}, "fc1_weight must hold device states"),
    ({"Y_train": np.ones((148, 3))}, "Y_train must hold one-hot"),
    ({"fc1_bias": np.full((20, 6), "x")}, "not numbers"),
    ({"fc1_bias": np.full((20, 6), None)}, "not a readable"),
    ({"fc1_bias": np.ones((20, 0))}, "not empty")])
def test_what_is_wrong_in_a_file_is_named(shipped, tmp_path, change, message):
    path = tmp_path / "bad.npz"
    kept = {key: value for key, value in (arrays(shipped) | change).items() if value is not None}
    np.savez(path, allow_pickle=True, **kept)
    with pytest.raises(DataError, match=message) as caught:
        wine.load_solutions(path)
    assert str(path) in str(caught.value)


def test_files_that_are_none(shipped, tmp_path):
    with pytest.raises(FileNotFoundError):
        wine.load_solutions(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("median 97.97\n")
    np.save(tmp_path / "single.npy", np.ones(3))
    np.savez_compressed(tmp_path / "whole.npz", **arrays(shipped))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:5000])
    for name in ("text.npz", "single.npy", "cut.npz", "."):
        with pytest.raises(DataError):
            wine.load_solutions(tmp_path / name)


def test_no_condition(shipped):
    with pytest.raises(DataError, match="at least one condition"):
        wine.run(shipped, [])
