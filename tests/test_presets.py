"""Presets: their names stand for the parameters wherever junctions are asked for."""

import pickle
from dataclasses import fields

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import crossbar as xb
from crossbar import mtj, plots
from crossbar.mtj import fitting, switching
from crossbar.nn import DifferentialPairs

NAME = "mtj-60kT"
P = mtj.presets[NAME]
SEED = 624_118_907
V = np.linspace(0.1, 0.6, 5)
COUNTS = np.array([3, 20, 60, 90, 99])


def numbers(result):
    """Arrays of a result, of its fields, of its parameters."""
    if isinstance(result, mtj.MTJParams | fitting.Fit | xb.MTJCells):
        values = [getattr(result, f.name) for f in fields(result)]
        return [x for value in values if value is not None for x in numbers(value)]
    if isinstance(result, dict):
        return list(result.values())
    return list(result) if isinstance(result, tuple) else [result]


TAKERS = {
    "MTJCells": lambda p: xb.MTJCells(p, [[1, 0]]),
    "current": lambda p: mtj.current(V, p, -1),
    "conductance": lambda p: mtj.conductance(p, [1, -1]),
    "summary": mtj.summary,
    "overdrive": lambda p: mtj.overdrive(V, p, -1),
    "axial_drive": lambda p: mtj.axial_drive(V, p),
    "switching_probability": lambda p: mtj.switching_probability(V, 1e-8, p, -1, "formula"),
    "write_error_rate": lambda p: mtj.write_error_rate(V, 1e-8, p, -1, "formula"),
    "pulse_width": lambda p: mtj.pulse_width(0.9, 0.8, p, -1, "formula"),
    "pulse_amplitude": lambda p: mtj.pulse_amplitude(0.9, 1e-8, p, -1, "formula"),
    "read_disturb": lambda p: mtj.read_disturb(V, 1e-8, p, -1, 10, "formula"),
    "retention_time": mtj.retention_time,
    "sample": lambda p: mtj.sample(p, mtj.Variation(ra=0.05), (2, 3), np.random.default_rng(SEED)),
    "fit": lambda p: mtj.fit(V, mtj.current(V, P, -1)[0], -1, p=p, free=("tmr", "v_h")),
    "fit_switching": lambda p: mtj.fit_switching(
        V * 0.9 / 0.6, 1e-7, COUNTS, 100, p, -1, exponent=1),
    "simulate_llgs": lambda p: mtj.simulate_llgs(
        p, 0.5, 1e-10, 2, np.random.default_rng(SEED), progress=False).final,
    "DifferentialPairs": lambda p: DifferentialPairs(p).params,
    "vmm": lambda p: xb.vmm([[1, -1], [0.5, 0]], [1, 1], device=p),
}


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_a_name_stands_for_its_parameters(take):
    for named, given in zip(numbers(take(NAME)), numbers(take(P)), strict=True):
        assert_array_equal(named, given)


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_no_such_preset_and_no_junction(take):
    """What there is, is said; and a number is no junction."""
    with pytest.raises(xb.DataError, match="no preset 'daffodill'; there are .*, daffodil$"):
        take("daffodill")
    with pytest.raises(xb.DataError, match="MTJParams, or the name of a preset, not int"):
        take(5)


@pytest.mark.parametrize("draw", [plots.resistance_plot, plots.tmr_plot,
                                  lambda p: plots.error_width_plot(p, 1)])
def test_figures_take_names(draw):
    assert draw(NAME).get_xlabel() == draw(P).get_xlabel()


def test_presets_are_a_mapping():
    assert "daffodil" in mtj.presets and "daffodill" not in mtj.presets and 3 not in mtj.presets
    assert mtj.presets.get("daffodill") is None and mtj.presets.get("daffodil") is not None
    copied = dict(mtj.presets)
    assert list(mtj.presets) == list(copied) and len(mtj.presets) == len(copied)
    assert repr(mtj.presets) == "<presets mtj-60kT, ut-50nm, daffodil>"


def test_the_error_is_a_data_error_and_a_key_error():
    with pytest.raises(KeyError) as caught:
        mtj.presets["daffodill"]
    assert isinstance(caught.value, xb.DataError)
    text = "no preset 'daffodill'; there are mtj-60kT, ut-50nm, daffodil"
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value))) == text


def test_the_law_stays_for_those_who_know_their_parameters():
    assert_array_equal(switching.current(V, P, 1), mtj.current(V, NAME, 1))
