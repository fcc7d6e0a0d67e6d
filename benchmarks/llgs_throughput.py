"""How many macrospin steps a second, against cmtj on the same moment, torque, temperature and step?

    python benchmarks/llgs_throughput.py                        # about a minute; needs `pip install cmtj`
    python benchmarks/llgs_throughput.py --trajectories 500 --repeats 3

The junction is the default one (Delta 60, alpha 0.03) at 300 K, its damping-like torque constant. Two ensembles from m = z:

    pulse          a = -3 alpha B_k for 2.5 ns: timed, and the share that ends with m_z < 0
    equilibrium    no torque for 4 ns: Delta <m_x^2 + m_y^2>, 1.009 in the Boltzmann distribution

cmtj runs one Junction with one layer and SolverMode.Heun per trajectory, in one process, with a single entry in its log;
timed are its calls of runSimulation alone, none of the set-up. Of crossbar the whole call of `integrate` is timed, after a
first one that compiles, on 20 times as many trajectories: so that it takes about a second, too. The repeats are interleaved
and the medians printed. cmtj's gyromagnetic ratio is 1.7577e11 rad/(s T) (220880 m/(A s)), 0.13 % below crossbar's, which is
far below the errors of the ensembles.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import scipy
from harness import cpu

from crossbar.mtj import MTJParams
from crossbar.mtj.llgs import integrate, junction_macrospin
from crossbar.mtj.macrospin import Macrospin, Polarizer
from crossbar.units import MU_0

Array = npt.NDArray[np.float64]
Solver = Callable[[float, float, int], tuple[Array, float]]  # torque [T], duration [s], seed -> final m (n, 3), time taken [s]
PULSE, REST = 2.5e-9, 4e-9  # [s]
MORE = 20  # trajectories of crossbar per one of cmtj
CLAIMS = {1: 2.5, 2: 5.0}   # threads: times faster than cmtj, at least


def crossbar_solver(spin: Macrospin, n: int, dt: float, threads: int) -> Solver:
    def run(torque: float, duration: float, seed: int) -> tuple[Array, float]:
        numba.set_num_threads(threads)
        start = time.perf_counter()
        final = integrate(spin, torque, duration, n, np.random.default_rng(seed), dt=dt, m0=(0, 0, 1), progress=False).final
        return final, time.perf_counter() - start
    run(0.0, 10 * dt, 1)
    return run


def cmtj_solver(cmtj: Any, p: MTJParams, n: int, dt: float) -> Solver:
    constant = cmtj.ScalarDriver.getConstantDriver
    thickness = float(np.asarray(p.thickness))
    demag = [cmtj.CVector(*row) for row in np.diag([p.n_x, p.n_y, p.n_z]).tolist()]

    def junction(torque: float, seed: int) -> Any:
        layer = cmtj.Layer.createSOTLayer(
            id="free", mag=cmtj.CVector(0, 0, 1), anis=cmtj.CVector(0, 0, 1), Ms=float(MU_0 * p.magnetization),
            thickness=thickness, cellSurface=float(p.area), demagTensor=demag, damping=p.alpha, fieldLikeTorque=0.0,
            dampingLikeTorque=torque / MU_0)  # [A/m], per unit of the current driver
        layer.setReferenceLayer(cmtj.CVector(0, 0, 1))
        made = cmtj.Junction([layer])
        made.setLayerAnisotropyDriver("free", constant(float(p.interface_anisotropy) / thickness))
        made.setLayerCurrentDriver("free", constant(1.0))
        made.setLayerTemperatureDriver("free", constant(p.temperature))
        made.setLayerSeed("free", seed)
        return made

    def run(torque: float, duration: float, seed: int) -> tuple[Array, float]:
        final, taken = np.empty((n, 3)), 0.0
        for k in range(n):
            made = junction(torque, 100_003 * seed + k)
            start = time.perf_counter()
            made.runSimulation(duration, dt, duration, False, False, cmtj.SolverMode.Heun)
            taken += time.perf_counter() - start
            m = made.getLayerMagnetisation("free")
            final[k] = m.x, m.y, m.z
        return final, taken
    return run


def mean(values: Array) -> str:
    return f"{values.mean():.4f} ± {values.std() / np.sqrt(values.size):.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dt", type=float, default=5e-13, help="time step [s]")
    args = parser.parse_args()
    try:
        import cmtj
    except ImportError:
        sys.exit("cmtj is not installed: pip install cmtj")
    p, n, dt = MTJParams(), args.trajectories, args.dt
    spin = replace(junction_macrospin(p), polarizers=(Polarizer(torque=1.0),))  # its current is the torque [T]
    torque = -3 * float(np.asarray(p.alpha) * p.b_k)
    solvers: dict[str, Solver] = {"cmtj": cmtj_solver(cmtj, p, n, dt)}
    solvers |= {f"crossbar, {k} thread{'s' * (k > 1)}": crossbar_solver(spin, MORE * n, dt, k)
                for k in range(1, min(2, numba.get_num_threads()) + 1)}
    times: dict[str, list[float]] = {name: [] for name in solvers}
    switched: dict[str, list[Array]] = {name: [] for name in solvers}
    for repeat in range(args.repeats):
        for name, solver in solvers.items():
            final, taken = solver(torque, PULSE, 7001 + repeat)
            times[name].append(taken)
            switched[name].append(np.where(final[:, 2] < 0, 1.0, 0.0))
    print(f"{cpu()}, Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, numba "
          f"{numba.__version__}, cmtj {getattr(cmtj, '__version__', '?')}; {n} trajectories of cmtj, dt {dt:g} s, "
          f"median of {args.repeats}\n")
    print("| solver | trajectory-steps / s | against cmtj | switched | Δ⟨m_x² + m_y²⟩ |\n|---|---|---|---|---|")
    rate = {name: switched[name][0].size * PULSE / dt / float(np.median(t)) for name, t in times.items()}
    for name, solver in solvers.items():
        rest = solver(0.0, REST, 6007)[0]
        across = float(np.asarray(p.delta)) * np.sum(rest[:, :2] ** 2, axis=1)
        print(f"| {name} | {rate[name]:.3g} | {rate[name] / rate['cmtj']:.1f} | {mean(np.concatenate(switched[name]))} | "
              f"{mean(across)} |")
    for threads, claim in CLAIMS.items():
        name = f"crossbar, {threads} thread{'s' * (threads > 1)}"
        if name in rate:
            print(f"\n{name}: at least {claim} times cmtj: {'yes' if rate[name] >= claim * rate['cmtj'] else 'NO'}")


if __name__ == "__main__":
    main()
