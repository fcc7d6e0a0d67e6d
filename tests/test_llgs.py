"""s-LLGS against closed forms, the Boltzmann distribution and the orders of convergence that theory gives."""

from dataclasses import replace
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pytest
from scipy.integrate import quad

from crossbar.errors import DataError, SizeError
from crossbar.mtj import MTJParams
from crossbar.mtj.heun import DRIVES, SIGMA, STATES, heun_step
from crossbar.mtj.llgs import Drive, integrate, junction_macrospin, simulate_llgs
from crossbar.mtj.macrospin import Macrospin, Polarizer, boltzmann
from crossbar.mtj.parameters import GAMMA
from crossbar.mtj.streams import LANES, make_streams
from crossbar.units import K_BOLTZMANN

Array = npt.NDArray[np.float64]
B_K, M_S, VOLUME, ALPHA = 0.2, 1.2e6, 2e-24, 0.1
TAU = (1 + ALPHA ** 2) / (ALPHA * GAMMA * B_K)  # tau_D of `uniaxial`
Z = Polarizer(torque=1.0)  # its current is the torque a [T]


def uniaxial(delta: float = np.inf, **changes: Any) -> Macrospin:
    """A perpendicular layer of stability delta (inf: no temperature), its polarizer along z."""
    given: dict[str, Any] = dict(alpha=ALPHA, magnetization=M_S, volume=VOLUME, anisotropy=(0.0, 0.0, B_K), polarizers=(Z,),
                                 temperature=B_K * M_S * VOLUME / (2 * delta * K_BOLTZMANN))
    return Macrospin(**(given | changes))


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def tilted(angle: float) -> list[float]:
    return [np.sin(angle), 0.0, np.cos(angle)]


# Thermal equilibrium

@pytest.mark.parametrize(("delta", "expected"), [(20, 1.029), (40, 1.013), (60, 1.009)])
@pytest.mark.parametrize("step", [0.02, 0.06])
def test_equipartition(delta: float, expected: float, step: float) -> None:
    """From rest at m = z, after 5 tau_D (the square of the angle has relaxed but for exp(-10)): four sigma of 60 000 spins."""
    weight = [quad(lambda z: (1 - z * z) ** k * np.exp(delta * (z * z - 1)), 0, 1)[0] for k in range(2)]
    exact = delta * weight[1] / weight[0]
    assert abs(exact - expected) < 6e-4
    run = integrate(uniaxial(delta), 0.0, 5 * TAU, 60_000, rng(611), dt=step / (GAMMA * B_K), m0=(0, 0, 1))
    across = delta * np.sum(run.final[:, :2] ** 2, axis=1)
    assert abs(across.mean() - exact) < 4 * across.std() / np.sqrt(across.size)


@pytest.mark.parametrize(("anisotropy", "field", "start"), [
    ((0.0, 0.0, 0.2), (0.0, 0.0, 0.0), (0, 0, -1)), ((0.0, 0.0, 0.2), (0.0, 0.0, -0.05), (0, 0, 1)),
    ((0.0, -0.3, 0.15), (0.02, 0.01, 0.0), (0, 0, 1)), ((0.05, 0.0, -1.0), (0.0, 0.02, 0.0), (-1, 0, 0)),
    ((0.0, 0.0, 0.0), (0.1, 0.2, 0.3), (0, 0, 1)), ((0.0, 0.0, 0.2), (0.15, 0.0, 0.0), (0, 0, 1)),
    ((0.0, 0.0, 0.001), (0.0, 0.0, 0.0), (0, 0, 1))])
def test_start_is_the_boltzmann_distribution_of_its_hemisphere(anisotropy: Any, field: Any, start: Any) -> None:
    """Means of m and m^2 against quadrature in the hemisphere around the minimum: five sigma of 40 000 (42 comparisons)."""
    spin = uniaxial(40.0, anisotropy=anisotropy, field=field)
    m = boltzmann(spin, start, 40_000, make_streams(40_000, rng(29)))
    cold = boltzmann(replace(spin, temperature=0.0), start, 1, make_streams(1, rng(30)))[0]
    torque = np.cross(cold, np.asarray(anisotropy) * cold + field)
    assert np.abs(torque).max() < 1e-9
    assert np.all(m @ cold >= 0)
    helper = np.cross(cold, [0.3, 0.5, 0.8])
    frame = np.array([helper, np.cross(cold, helper), cold * np.linalg.norm(helper)]) / np.linalg.norm(helper)
    beta = 1 / float(spin.thermal_field)
    ground = cold @ (np.asarray(anisotropy) * cold) / 2 + cold @ np.asarray(field)

    nodes, weights = np.polynomial.legendre.leggauss(400)
    z, phi = (nodes + 1) / 2, np.arange(400) * np.pi / 200
    grid = np.stack(np.broadcast_arrays(np.sqrt(1 - z * z)[:, None] * np.cos(phi), np.sqrt(1 - z * z)[:, None] * np.sin(phi),
                                        z[:, None]), axis=-1) @ frame
    density = weights[:, None] * np.exp(beta * (grid ** 2 @ np.asarray(anisotropy) / 2 + grid @ np.asarray(field) - ground))
    for power in (1, 2):
        exact = np.sum(density[..., None] * grid ** power, axis=(0, 1)) / density.sum()
        sigma = np.std(m ** power, axis=0) / np.sqrt(len(m))
        assert np.all(np.abs(np.mean(m ** power, axis=0) - exact) < 5 * sigma + 1e-9)


def test_a_start_that_is_no_well_is_refused() -> None:
    for changes in ({"anisotropy": (0.0, 0.0, -0.1)}, {"field": (0.0, 0.0, -0.15)}):
        with pytest.raises(DataError, match="m0"):
            integrate(uniaxial(40.0, **changes), 0.0, 1e-10, 4, rng(3))


@pytest.mark.slow
def test_equilibrium_is_kept() -> None:
    """Superparamagnet of Delta 3 over 20 tau_D, started in one well: <m_z^2> of both, four sigma of 100 000."""
    weight = [quad(lambda z: z ** k * np.exp(3 * z * z), 0, 1)[0] for k in (0, 2)]
    z = integrate(uniaxial(3.0), 0.0, 20 * TAU, 100_000, rng(17)).m_z[-1]
    assert abs(np.mean(z ** 2) - weight[1] / weight[0]) < 4 * np.std(z ** 2) / np.sqrt(z.size)


# Deterministic limits

def test_precession_frequency() -> None:
    """gamma B / (2 pi (1 + alpha^2)), to the scheme's error (gamma B dt)^2 / 6."""
    alpha, b, periods = 0.01, 0.5, 20
    frequency = GAMMA * b / (2 * np.pi * (1 + alpha ** 2))
    spin = uniaxial(alpha=alpha, anisotropy=(0.0, 0.0, 0.0), field=(0.0, 0.0, b))
    run = integrate(spin, 0.0, periods / frequency, 1, rng(5), m0=tilted(0.5), frames=40 * periods)
    angle = np.unwrap(np.arctan2(run.m[:, 0, 1], run.m[:, 0, 0]))
    assert abs(angle[-1] / (2 * np.pi * periods) - 1) < 1.5e-4


def test_energy_falls_at_the_rate_of_the_damping() -> None:
    """Without torque tan(theta) falls as exp(-t / tau_D), whatever theta; the energy never rises."""
    run = integrate(uniaxial(), 0.0, 3 * TAU, 2, rng(5), m0=[tilted(0.05), tilted(1.5)], frames=200)
    across = np.linalg.norm(run.m[..., :2], axis=-1)
    assert np.all(np.diff(across, axis=0) < 0)
    tangent = across / run.m_z
    exact = np.tan([0.05, 1.5]) * np.exp(-run.time / TAU)[:, None]
    assert np.allclose(tangent, exact, rtol=1e-3)


@pytest.mark.parametrize(("state", "sign"), [(1, -1), (-1, 1)])
def test_critical_current(state: int, sign: int) -> None:
    """Small tilts grow where |I| > I_c0 of the junction's parameters and decay below: to 1 %, by bisection over 64 currents."""
    p = MTJParams()
    spin = replace(junction_macrospin(p), temperature=0.0)
    currents = sign * float(p.i_c0(state)) * np.linspace(0.9, 1.1, 64)
    run = integrate(spin, currents, 10 * float(np.asarray(p.tau_d)), 64, rng(9), m0=np.array(tilted(1e-3)) * state)
    growth = np.log(np.linalg.norm(run.final[:, :2], axis=1) / 1e-3)
    low, high = 0, 63
    assert growth[low] < 0 < growth[high]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if growth[middle] > 0 else (middle, high)
    assert abs(currents[high] / (sign * float(p.i_c0(state))) - 1) < 0.01


def test_voltage_drives_the_junctions_own_current() -> None:
    """Under a voltage the current follows the conductance: tilts grow 1 % above the critical voltage of `parameters` and decay
    1 % below, at a temperature that does not matter."""
    p = MTJParams(temperature=1e-6)
    for state, sign in ((1, -1), (-1, 1)):
        v = sign * float(p.v_c0(state)) * np.array([0.99, 1.01])
        run = simulate_llgs(p, v, 10 * float(np.asarray(p.tau_d)), 2, rng(8), m0=np.array(tilted(0.01)) * state)
        across = np.linalg.norm(run.final[:, :2], axis=1)
        assert across[0] < 0.98 * 0.01 and across[1] > 1.02 * 0.01
    spin = uniaxial(polarizers=(Polarizer(torque=1.0, asymmetry=0.4),))
    # I = I0 + I1 m.p with I1 = asymmetry I0 cancels the angle of the torque: the same as a constant torque
    wave = integrate(spin, Drive(currents=(-0.05,), slopes=(-0.02,)), 2 * TAU, 1, rng(1), m0=tilted(0.3))
    plain = integrate(uniaxial(), -0.05, 2 * TAU, 1, rng(1), m0=tilted(0.3), dt=wave.dt)
    assert np.allclose(wave.final, plain.final, atol=1e-12)


def test_voltage_controlled_anisotropy() -> None:
    """The small-angle frequency follows B_k - 2 xi v / (t_ox t M_s): to 1e-3, next to no current and 1 mK."""
    p = MTJParams(temperature=1e-3, xi=60e-15, ra=9.8e-7, diameter=50e-9, alpha=1e-3)
    v = 0.7
    softer = float(p.b_k - 2 * np.asarray(p.xi) * v / (np.asarray(p.t_ox) * p.thickness * p.magnetization))
    assert softer < 0.97 * float(p.b_k)
    turns = 10
    run = simulate_llgs(p, v, turns * 2 * np.pi / (GAMMA * softer), 1, rng(2), m0=tilted(0.02), frames=400)
    angle = np.unwrap(np.arctan2(run.m[:, 0, 1], run.m[:, 0, 0]))
    assert abs(angle[-1] / (2 * np.pi * turns) - 1) < 1e-3
    with pytest.raises(DataError, match="xi"):
        simulate_llgs(p, None, 1e-10, 1, rng(2), current=1e-6)


# Two polarizers

@pytest.mark.parametrize("second", [False, True])
def test_pulse_from_the_equator_is_a_hyperbolic_tangent(second: bool) -> None:
    """p = z, m_0 = x, B = 0: m_z = tanh u, |m_perp| = sech u, u = gamma a T / (1 + alpha^2); with p_2 = x and m_0 = z alike."""
    u = np.linspace(-3, 3, 13)
    duration = 1e-9
    a = u * (1 + ALPHA ** 2) / (GAMMA * duration)
    idle = Polarizer(direction=(0, 1, 0), torque=1.0)
    along = Polarizer(direction=(1, 0, 0), torque=2.0) if second else Z
    spin = uniaxial(anisotropy=(0, 0, 0), polarizers=(idle, along) if second else (along,))
    drive = Drive(currents=(0.0, a / 2) if second else (a,))
    run = integrate(spin, drive, duration, 13, rng(4), m0=(0, 0, 1) if second else (1, 0, 0))
    axis = 0 if second else 2
    assert np.allclose(run.final[:, axis], np.tanh(u), atol=2e-4)
    assert np.allclose(np.linalg.norm(np.delete(run.final, axis, 1), axis=1), 1 / np.cosh(u), atol=2e-4)


def test_static_field_like_torque() -> None:
    """Bias field B_x: m_z = u / sqrt(1 + u^2), m_x = 1 / sqrt(1 + u^2), u = b / B_x, after relaxation."""
    u = np.array([-3.0, -1.0, 0.2, 0.5, 2.0])
    ratio, b_x = 1e7, 0.1
    spin = uniaxial(alpha=0.5, anisotropy=(0, 0, 0), field=(b_x, 0, 0), polarizers=(Polarizer(torque=1.0, field_like=ratio),))
    run = integrate(spin, u * b_x / ratio, 30 / (0.5 * GAMMA * b_x), 5, rng(4), m0=(0, 0.6, 0.8))
    assert np.allclose(run.final[:, 2], u / np.sqrt(1 + u ** 2), atol=1e-4)
    assert np.allclose(run.final[:, 0], 1 / np.sqrt(1 + u ** 2), atol=1e-4)


def test_two_polarizers_add() -> None:
    """Two equal ones do what one with their sum does."""
    one = integrate(uniaxial(30.0), -0.05, TAU, 50, rng(12))
    half = Polarizer(torque=0.5)
    two = integrate(uniaxial(30.0, polarizers=(half, half)), Drive(currents=(-0.05, -0.05)), TAU, 50, rng(12), dt=one.dt)
    assert np.allclose(one.final, two.final, atol=1e-9)


# Orders of convergence

@pytest.mark.parametrize("current", [-0.03, lambda t: -0.05 * np.sin(2e10 * t)], ids=["constant", "varying"])
def test_second_order_without_noise(current: Any) -> None:
    finals = [integrate(uniaxial(field=(0.02, 0, 0)), current, 2e-10, 1, rng(1), m0=tilted(0.7), dt=2e-10 / k).final
              for k in (160, 320, 640, 1280)]
    errors = [np.linalg.norm(b - a) for a, b in zip(finals, finals[1:], strict=False)]
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(order - 2) < 0.1)


@pytest.mark.parametrize(("axes", "least", "most"), [((1, 0, 0), 0.9, 1.2), ((1, 1, 1), 0.4, 0.8)])
def test_strong_order(axes: tuple[int, ...], least: float, most: float) -> None:
    """One Brownian path per spin, seen with 64 to 1024 steps against 16384: order 1 for noise along one axis, which commutes
    with itself, 1/2 for three axes (Rumelin, SIAM J. Numer. Anal. 19, 604 (1982)). 640 spins, slope to some 0.05."""
    rows = np.array([0.0, 0.2, 0.05, -0.02, 0.0, 0.04, 0.02, 0.03, 0.0])[:, None]  # rate, alpha, c, b, sigma
    time, strength, finest = 5.0, 1.2, 16384
    steps = [64, 128, 256, 512, 1024]
    error = np.zeros(len(steps))
    for block in range(20):
        fine = rng(300 + block).standard_normal((finest, 3, LANES)) * np.array(axes)[:, None]

        def final(count: int, fine: Array = fine) -> Array:
            path = fine.reshape(count, finest // count, 3, LANES).sum(1) / np.sqrt(finest // count)
            par = np.repeat(rows, LANES, axis=1)
            par[0], par[SIGMA] = 10 * time / count, strength / 10 * np.sqrt(count / time)
            state, drive, one = (np.zeros(rows * LANES) for rows in (STATES, DRIVES, 6))
            state[:LANES], state[2 * LANES:3 * LANES] = 0.6, 0.8
            for noise in path.reshape(count, -1):
                heun_step(state, par.ravel(), one, None, noise, drive, drive)
            return state[:3 * LANES]

        reference = final(finest)
        error += [np.abs(final(count) - reference).mean() for count in steps]
    order = -np.polyfit(np.log(steps), np.log(error), 1)[0]
    assert least < order < most


# The run

def test_length_and_bookkeeping() -> None:
    run = integrate(uniaxial(30.0), 0.0, 3e-10, 70, rng(23), frames=6)
    assert run.m.shape == (7, 70, 3) and run.m_z.shape == (7, 70) and np.array_equal(run.final, run.m[-1])
    assert np.abs(np.linalg.norm(run.m, axis=-1) - 1).max() < 5e-16
    assert np.allclose(run.time, np.linspace(0, 3e-10, 7))
    assert GAMMA * B_K * run.dt <= 0.02 * (1 + 1e-12)
    assert (3e-10 / run.dt) == pytest.approx(round(3e-10 / run.dt / 12) * 12)


def test_latch_counts_and_times_flips() -> None:
    spin, period = uniaxial(), 40 * TAU

    def current(t: float) -> float:
        return 0.1 if 0.25 * period < t <= 0.75 * period else -0.1

    run = integrate(spin, current, period, 3, rng(2), m0=[tilted(0.1), tilted(0.1 + np.pi), [1.0, 0.0, 0.0]], frames=4000)
    assert run.flips.tolist() == [3, 2, 2]
    assert run.switched.tolist() == [True, False, False]
    first = run.time[np.argmax(run.m_z[:, 0] < -0.5)]
    assert abs(run.switching_time[0] - first) <= period / 4000
    still = integrate(uniaxial(), 0.0, TAU, 2, rng(2), m0=tilted(0.1))
    assert np.all(np.isnan(still.switching_time)) and not still.switched.any() and not still.flips.any()


@pytest.mark.skipif(numba.get_num_threads() < 2, reason="needs two threads")
def test_same_bits_for_any_number_of_threads() -> None:
    finals = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        finals.append(integrate(uniaxial(30.0), -0.05, TAU, 500, rng(41)).final)
    assert np.array_equal(finals[0], finals[1])


def test_trajectories_do_not_depend_on_their_number_nor_on_frames() -> None:
    def run(n: int, frames: int = 1, **changes: Any) -> Array:
        return integrate(uniaxial(30.0, **changes), -0.05, TAU, n, rng(41), frames=frames, dt=TAU / 1600).final

    many = run(130)
    assert np.array_equal(run(1), many[:1])
    assert np.array_equal(run(37), many[:37])
    assert np.array_equal(run(130, frames=8), many)
    alpha = np.linspace(0.05, 0.2, 130)
    mixed = run(130, alpha=alpha)
    assert np.array_equal(run(130, alpha=alpha[77])[77], mixed[77])


def test_a_function_of_time_is_what_its_values_are() -> None:
    p = MTJParams(ra=np.linspace(8e-12, 12e-12, 60), diameter=50e-9)
    v = np.linspace(-0.8, -0.5, 60)
    runs = [simulate_llgs(p, wave, 1e-10, 60, rng(6)) for wave in (v, lambda t: v)]
    assert np.array_equal(runs[0].m, runs[1].m)
    single = MTJParams()
    runs = [simulate_llgs(single, wave, 1e-10, 60, rng(6)) for wave in (-0.6, lambda t: -0.6, np.full(60, -0.6))]
    assert np.array_equal(runs[0].m, runs[1].m) and np.array_equal(runs[0].m, runs[2].m)


def test_junctions_that_vary() -> None:
    """Each trajectory of varied junctions is that of its own junction alone."""
    diameter, k_i = np.linspace(40e-9, 60e-9, 40), np.linspace(1.08e-3, 1.1e-3, 40)
    varied = MTJParams(diameter=diameter, k_i=k_i)
    run = simulate_llgs(varied, -0.7, 2e-10, 40, rng(19), dt=5e-13, b_ext=(0, 0.01, 0.005), field_like=0.1)
    for k in (0, 33):
        alone = simulate_llgs(MTJParams(diameter=diameter[k], k_i=k_i[k]), -0.7, 2e-10, 40, rng(19), dt=5e-13,
                              b_ext=(0, 0.01, 0.005), field_like=0.1)
        assert np.allclose(alone.final[k], run.final[k], atol=1e-9)


def test_start_states_per_trajectory() -> None:
    state = np.array([1, -1, 1, -1])
    run = simulate_llgs(MTJParams(), 0.0, 1e-11, 4, rng(77), state=state)
    assert np.array_equal(np.sign(run.m_z[0]), state)


def test_switches_as_fokker_planck_says() -> None:
    """The axial equation of the same junction at i = 2 after 2.5 tau_D, in its own finite volumes: four sigma of 20 000."""
    from crossbar.mtj.fokker_planck import evolve
    delta, i, s = 20.0, 2.0, 2.5
    exact = float(evolve(i, delta, [s]).error[0, 0])
    run = integrate(uniaxial(delta), -i * ALPHA * B_K, s * TAU, 20_000, rng(88))
    assert abs(np.mean(run.m_z[-1] > 0) - exact) < 4 * np.sqrt(exact * (1 - exact) / 20_000)


# Refusals

@pytest.mark.parametrize(("changes", "message"), [
    ({"n": 0}, "at least 1"), ({"n": 2.5}, "whole number"), ({"duration": 0.0}, "duration"), ({"duration": np.nan}, "duration"),
    ({"duration": -1e-9}, "duration"), ({"dt": 0.0}, "dt"), ({"dt": 1e-11}, "at most .* recommended"), ({"state": 0}, "state"),
    ({"frames": 0}, "frames"), ({"threshold": 1.0}, "threshold"), ({"m0": (0, 0, 0)}, "m0"), ({"m0": np.ones((4, 3))}, "m0"),
    ({"m0": (0, np.nan, 1)}, "m0"), ({"voltage": np.nan}, "finite"), ({"voltage": np.zeros(4)}, "shape"),
    ({"voltage": lambda t: np.nan if t > 5e-11 else 0.0}, "t = .* finite"), ({"voltage": lambda t: np.zeros(2)}, "shape"),
    ({"voltage": "1"}, "real numbers"), ({"current": 1e-6}, "either"), ({"voltage": None}, "either"),
    ({"b_ext": (0, 0)}, "b_ext"), ({"b_ext": (0, 0, np.inf)}, "finite"), ({"field_like": np.zeros(2)}, "2 trajectories"),
    ({"p": MTJParams(r_p=5e3)}, "needs diameter"), ({"p": MTJParams(diameter=np.full(4, 5e-8))}, "4 trajectories"),
    ({"p": MTJParams(diameter=np.full((1, 3), 5e-8))}, "shape"),
    ({"dt": 1e-12, "voltage": lambda t: 20.0 if 5.09e-11 < t < 5.11e-11 else 0.0, "threshold": 0.1}, "after t")])
def test_refusals(changes: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = dict(p=MTJParams(), voltage=0.0, duration=1e-10, n=3, rng=rng(1)) | changes
    with pytest.raises(DataError, match=message):
        simulate_llgs(**given)


@pytest.mark.parametrize(("changes", "message"), [
    ({"alpha": -0.1}, "alpha"), ({"volume": 0.0}, "volume"), ({"magnetization": np.nan}, "finite"),
    ({"field": (0.0, 0.0)}, "three"),
    ({"temperature": -1.0}, "temperature"), ({"alpha": np.full(3, 0.1), "volume": np.full(2, VOLUME)}, "disagree"),
    ({"polarizers": (Z, Z, Z)}, "at most two")])
def test_macrospin_refusals(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        uniaxial(**changes)


def test_other_refusals() -> None:
    for bad in ({"direction": (0, 0, 0)}, {"asymmetry": 1.0}, {"torque": np.inf}):
        with pytest.raises(DataError):
            Polarizer(**bad)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="polarizers"):
        integrate(uniaxial(), Drive(currents=(0.0, 0.0)), 1e-10, 1, rng(1))
    with pytest.raises(SizeError):
        integrate(uniaxial(), 0.0, 1e-9, 10 ** 6, rng(1), frames=10 ** 6)


def test_no_bar_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    integrate(uniaxial(), 0.0, 1e-10, 1, rng(1), m0=tilted(0.1))
    assert capfd.readouterr() == ("", "")
