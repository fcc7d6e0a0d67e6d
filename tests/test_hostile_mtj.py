"""Every public function of xb.mtj ends in a result or a CrossbarError, whatever one of its arguments is; quickly."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from crossbar import mtj
from crossbar.errors import CrossbarError

P = mtj.presets["mtj-60kT"]
NEURON = mtj.TwoPolarizerNeuron(duration=1e-10)
SPIN = mtj.Macrospin(alpha=0.03, magnetization=1e6, volume=2e-24, temperature=300.0, anisotropy=(0.0, 0.0, 0.1),
                     polarizers=(mtj.Polarizer(),))
SECONDS = 10.0  # for one call


def rng() -> np.random.Generator:
    return np.random.default_rng(61_803)


def read_only() -> np.ndarray:
    array = np.array([0.3, 0.5])
    array.flags.writeable = False
    return array


HOSTILE: dict[str, Any] = {
    "nan": np.nan, "inf": np.inf, "-inf": -np.inf, "huge": 1e308, "-huge": -1e308, "tiny": 1e-320, "-1": -1, "0": 0,
    "long": 10 ** 13, "too long": 10 ** 400, "text": "x", "None": None, "dict": {}, "object": object(), "complex": 1j,
    "True": True, "empty": [], "empty (0, 3)": np.empty((0, 3)), "read-only": read_only(),
    "strided": np.arange(1.0, 9.0)[::2] / 10, "ragged": [[1], [1, 2]], "list": [1, 2, 3], "matrix": np.ones((2, 2)),
    "a NaN": np.array([0.5, np.nan]), "objects": np.array([None, 1], dtype=object),
    "date": np.datetime64("2020-01-01"), "masked": np.ma.masked_array([0.3, 0.5], [0, 1])}

LAW = {"method": "fokker-planck", "exponent": 2, "constant": "flow"}
CURVE = {"v": [0.1, 0.2, 0.3, -0.2], "i": [2e-5, 4e-5, 6e-5, -2e-5], "state": [1, 1, 1, -1], "p": None, "sigma": None,
         "free": ("r_p", "tmr")}
COUNTS = {"v": [0.3, 0.31], "width": 1e-7, "switched": [100, 900], "trials": 1000}
OPTIONAL = ("r_p", "ra", "diameter", "eta_p", "eta_ap", "delta", "tau_d", "i_c0_p", "i_c0_ap", "v_c0_p", "v_c0_ap")

#: Arguments of calls that work, of everything public that computes.
CALLS: dict[str, dict[str, Any]] = {
    "as_params": {"p": P}, "as_state": {"value": 1}, "states_as": {"state": 1, "form": "01"},
    "axial_drive": {"v": 0.3, "p": P}, "conductance": {"p": P, "state": 1},
    "current": {"v": 0.3, "p": P, "state": 1}, "evolve": {"i": 1.5, "delta": 40.0, "s": [1.0, 2.0], "cells": 600, "step": 1.0},
    "fit": CURVE, "fit_conduction": CURVE, "fit_switching": {**COUNTS, "p": P, "state": -1, "exponent": 2, "method": None},
    "fit_both_directions": {"to_p": tuple(COUNTS.values()), "to_ap": ([-0.4, -0.41], 1e-7, [100, 900], 1000), "p": P,
                            "exponent": 2, "method": None},
    "mean_time": {"i": 1.5, "delta": 40.0}, "mean_switching_time": {"i": 2.0, "delta": 40.0},
    "overdrive": {"v": 0.3, "p": P, "state": -1},
    "precessional_error": {"i": 2.0, "s": 3.0, "delta": 40.0, "constant": "flow"},
    "pulse_amplitude": {"probability": 0.5, "width": 1e-8, "p": P, "state": 1, **LAW},
    "pulse_width": {"probability": 0.5, "v": -0.6, "p": P, "state": 1, **LAW},
    "read_disturb": {"v": -0.2, "width": 1e-8, "p": P, "state": 1, "reads": 3, "method": "formula", "exponent": 2},
    "retention_time": {"p": P, "failure": 1e-9}, "switching_probability": {"v": -0.5, "width": 1e-8, "p": P, "state": 1, **LAW},
    "write_error_rate": {"v": -0.5, "width": 1e-8, "p": P, "state": 1, **LAW, "method": "formula"},
    "thermal_rate": {"i": 0.3, "delta": 40.0, "exponent": 1, "tau_d": 1e-9},
    "sample": {"p": P, "variation": mtj.Variation(diameter=0.03), "shape": (2, 3), "rng": rng(), "max_unstable": 0.0},
    "sample_defects": {"shape": (2, 3), "rng": rng(), "short": 0.01, "open": 0.01, "stuck_p": 0.0, "stuck_ap": 0.0},
    "read_noise": {"i": [1e-6], "sigma": 0.1, "rng": rng()}, "summary": {"p": P}, "read_parameters": {"path": "/dev/null"},
    "Variation": {"diameter": 0.03, "ra": 0.01, "tmr": 0.0, "k_i": 0.01, "alpha": 0.01, "distribution": "normal"},
    "AxialCells": {"delta": 40.0, "tau_d": 1e-9, "n": 4, "rng": rng(), "state": 1, "z0": None},
    "Defects": {"short": np.array([True]), "open": np.array([False])}, "ExactActivation": {"like": "tanh"},
    "Macrospin": {"alpha": 0.03, "magnetization": 1e6, "volume": 1e-24, "temperature": 300.0, "anisotropy": (0.0, 0.0, 0.1),
                  "field": (0.0, 0.0, 0.0), "polarizers": ()},
    "Polarizer": {"direction": (0.0, 0.0, 1.0), "torque": 1.0, "asymmetry": 0.1, "field_like": 0.1},
    "integrate": {"spin": SPIN, "drive": 0.0, "duration": 1e-11, "n": 2, "rng": rng(), "dt": None, "state": 1, "m0": None,
                  "frames": 1, "threshold": 0.5},
    "simulate_llgs": {"p": P, "voltage": -0.5, "duration": 1e-11, "n": 3, "rng": rng(), "current": None, "state": 1, "dt": None,
                      "m0": None, "b_ext": (0.0, 0.0, 0.0), "field_like": 0.0, "frames": 1, "threshold": 0.5},
    "TwoPolarizerNeuron": {"alpha": 0.03, "m_s": 1e6, "thickness": 1e-9, "diameter": 5e-8, "temperature": 0.0,
                           "anisotropy": (0.0, 0.0, 0.0), "field": (0.0, 0.0, 0.0), "p_1": (0.0, 0.0, 1.0),
                           "p_2": (1.0, 0.0, 0.0), "eta_1": 0.6, "beta_1": 0.0, "current_2": 0.0, "g_0": 1e-4,
                           "polarization": 0.6, "duration": 1e-10},
    "transfer": {"neuron": NEURON, "currents": [1e-5], "rng": rng(), "repeats": 1, "dt": None},
    "sample_neurons": {"neuron": NEURON, "n": 2, "rng": rng(), "diameter": 0.01, "thickness": 0.01, "field": 0.0,
                       "distribution": "normal"},
    "MTJParams": {**dict.fromkeys(OPTIONAL), "tmr": 1.2, "v_h": 0.5, "thickness": 1.1e-9, "k_i": 1.09e-3, "m_s": 1.2e6,
                  "alpha": 0.03, "n_x": 0.0106, "n_y": 0.0106, "n_z": 0.979, "temperature": 300.0, "t_ox": 1e-9, "xi": 0.0,
                  "barrier": np.inf, "asymmetry": 0.0}}

#: What holds results, or takes what others have checked.
OTHERS = {"Evolution", "Fit", "TabulatedActivation", "Trajectories", "TransferCurve", "Drive", "switched_by", "LOGISTIC", "TANH",
          "Params", "T_REF", "presets"}


def test_nothing_public_is_left_out() -> None:
    assert set(mtj.__all__) == set(CALLS) | OTHERS


@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    """One hostile value at a time; warnings are errors here as everywhere, but those that a function means to give."""
    function: Callable[..., object] = getattr(mtj, name)
    for argument in CALLS[name]:
        for kind, value in HOSTILE.items():
            begin = time.perf_counter()
            try:
                function(**{**CALLS[name], argument: value})
            except CrossbarError as error:
                assert str(error)
            except UserWarning:
                pass
            except FileNotFoundError:
                assert name == "read_parameters"
            except Exception as error:
                raise AssertionError(f"{name}({argument} = {kind}): {error!r}") from error
            assert time.perf_counter() - begin < SECONDS, f"{name}({argument} = {kind})"


def test_refusals_name_the_argument() -> None:
    for call, word in ((lambda: mtj.evolve(1e308, 40.0, [1.0]), "overdrive"), (lambda: mtj.evolve(1.0, 1e308, [1.0]), "Delta"),
                       (lambda: mtj.evolve(1.0, 40.0, [1e308]), "times s"), (lambda: mtj.current(1e308, P, 1), "voltage"),
                       (lambda: mtj.current(0.1, None, 1), "p must be"), (lambda: mtj.current("a", P, 1), "voltage"),
                       (lambda: mtj.switching_probability(0.1, 1e308, P, 1), "width"),
                       (lambda: mtj.switching_probability(0.1, 1e-9, {}, 1), "p must be"),
                       (lambda: mtj.simulate_llgs(P, 0.1, 1e9, 3, rng()), "duration"),
                       (lambda: mtj.thermal_rate(0.1, -1.0), "Delta")):
        with pytest.raises(CrossbarError, match=word):
            call()
