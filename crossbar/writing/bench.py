"""An array on which cells are written one at a time: errors, disturbance and energy of pulses that are tried.

The hardest to write are taken to be at its corners or in its middle, farthest from whatever drives the
lines; the easiest to disturb are those in the state that what they see opposes.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar

from crossbar import mtj
from crossbar.elements.base import Array, Mask
from crossbar.errors import ConvergenceError, DataError
from crossbar.mtj.fokker_planck import cumulative_hazard
from crossbar.writing.junctions import Junctions, Solution, States
from crossbar.writing.pulses import DIRECTIONS
from crossbar.writing.schemes import Selection, WritableArray, as_write_scheme

STATE_NAMES = {1: "P", -1: "AP"}  # of what a direction writes

_CLOSE = 1e-3   # relative misfit of a compensated voltage
_ROUNDS = 30    # of compensation
_LEAST = 1e-300  # error rates below are as good
_NEVER = 1e3     # energy [J] that stands for what cannot be done
_FAR = 20.0      # breakdown voltages beyond which no amplitude is tried
_FINE = 1e-3    # of ln(width)


class Trial(NamedTuple):
    """A pulse of one direction."""

    volts: float
    width: float
    energy: float   # [J]
    disturb: float


class Bench:
    """An array on which cells are tried one at a time."""

    def __init__(self, array: WritableArray, scheme: Any) -> None:
        self.array, self.scheme, self.junctions = array, as_write_scheme(scheme, array), Junctions(array)
        m, n = array.shape
        fixed = self.junctions.fixed
        self.sound = np.ones((m, n), bool) if fixed is None else ~fixed
        if not self.sound.any():
            raise DataError("no cell of this array can be written: all are stuck, open or short")
        sound = np.argwhere(self.sound)
        places = ((0, 0), (0, n - 1), (m - 1, 0), (m - 1, n - 1), (m // 2, n // 2))
        self.rows, self.columns = np.unique([sound[np.abs(sound - place).sum(axis=1).argmin()] for place in places], axis=0).T

    @property
    def states(self) -> States:
        return self.junctions.states

    def of(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> mtj.MTJParams:
        """Parameters (k,) of some junctions."""
        return self.junctions.p.select(self.array.shape, rows * self.array.shape[1] + columns)

    def alone(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], direction: int, volts: Array,
              around: States) -> tuple[Solution, States]:
        """k arrays, cell (rows, columns) of each selected at volts (k,), in the state it should leave; the others as `around`."""
        k, drives = np.arange(rows.size), []
        states = np.array(np.broadcast_to(around, (rows.size, *self.array.shape)))
        states[k, rows, columns] = -direction
        for at in k:
            chosen = np.zeros((1, self.array.shape[1]), bool)
            chosen[0, columns[at]] = True
            drives.append(self.scheme.drives(self.array, Selection(
                int(rows[at]), chosen, direction, np.full(self.array.shape[1], volts[at]))))
        return self.array.solve(**_stacked(drives), states=states), states  # type: ignore[arg-type]

    def corners(self, direction: int, volts: float, around: int = 1) -> tuple[Solution, States]:
        """The cells at corners and in the middle, one at a time, all else in one state."""
        return self.alone(self.rows, self.columns, direction, np.full(self.rows.size, volts),
                          np.full(self.array.shape, around, np.int8))

    def volts(self, solution: Solution, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Array:
        """Voltages (k,) across the selected junctions."""
        return self.junctions.volts(solution)[np.arange(rows.size), rows, columns]

    def error(self, solution: Solution, states: States, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp],
              width: npt.ArrayLike) -> Array:
        """Write-error rates (k,) of the selected junctions."""
        return mtj.write_error_rate(self.volts(solution, rows, columns), width, self.of(rows, columns),
                                    states[np.arange(rows.size), rows, columns])

    def amplitude(self, direction: int, width: float, error: float, breakdown: float) -> float:
        """Amplitude [V] at which the worst corner fails with this probability. Raises DataError where there is none."""
        def trial(volts: float) -> tuple[float, float]:
            """ln of the worst error over the wanted one, and the highest voltage on a junction [V]."""
            solution, states = self.corners(direction, volts)
            worst = float(self.error(solution, states, self.rows, self.columns, width).max())
            return float(np.log(max(worst, _LEAST) / error)), float(np.abs(self.volts(solution, self.rows, self.columns)).max())
        low = high = float(np.max(self.junctions.p.v_c0(-direction)))
        while trial(low)[0] < 0:
            low *= 0.7
            if low < 1e-4:
                raise DataError(f"within {width:.3g} s these junctions switch by themselves more often than {1 - error:.3g}")
        while (found := trial(high))[0] > 0 and found[1] < breakdown and high < _FAR * breakdown:
            low, high = high, 1.2 * high
        if found[1] > breakdown:
            if trial(0.5 * low)[1] > breakdown:
                raise DataError(
                    f"the breakdown limit of {breakdown:g} V is far below what writes the corners in "
                    f"{width:.3g} s with an error of {error:.3g}"
                )
            high = float(brentq(lambda volts: trial(volts)[1] - breakdown, 0.5 * low, high, xtol=1e-5))
            found = trial(high)
            if found[0] > 0:
                raise DataError(f"no voltage below the breakdown limit of {breakdown:g} V writes the corners in {width:.3g} s "
                                f"with an error of {error:.3g}; a longer pulse may")
            low = min(low, high)
        if found[0] > 0:
            raise DataError(f"an amplitude of {high:.3g} V does not write the corners in {width:.3g} s with an error of "
                            f"{error:.3g}: the voltage does not reach them; look at wires, drivers, transistors")
        return high if found[0] == 0 else float(brentq(lambda volts: trial(volts)[0], low, high, xtol=1e-5))

    def width(self, direction: int, volts: float, error: float, breakdown: float) -> float:
        """Width [s] with which this amplitude [V] fails on the worst corner with this probability.
        Raises DataError where there is none."""
        if error < 1e-15:
            raise DataError(f"an error rate of {error:.3g} is found by amplitude only: give width")
        solution, _ = self.corners(direction, volts)
        seen = self.volts(solution, self.rows, self.columns)
        if np.abs(seen).max() > breakdown:
            raise DataError(
                f"a junction would see {np.abs(seen).max():.4g} V, beyond the breakdown limit of "
                f"{breakdown:g} V"
            )
        return float(
            np.max(mtj.pulse_width(1 - error, seen, self.of(self.rows, self.columns), -direction))
        )

    def cheapest(self, direction: int, error: float, widths: tuple[float, float], breakdown: float,
                 bound: float) -> Trial:
        """The pulse of least energy that fails with `error` and disturbs with no more than
        `bound`."""
        def spend(log_width: float) -> tuple[float, float]:
            """Amplitude [V] and energy [J]; _NEVER where a pulse is too short for what a junction
            bears."""
            width = float(np.exp(log_width))
            try:
                volts = self.amplitude(direction, width, error, breakdown)
            except DataError:
                return np.nan, _NEVER
            return volts, float(self.corners(direction, volts)[0].power["sources"].mean()) * width

        def trial(log_width: float) -> Trial | None:
            (volts, energy), width = spend(log_width), float(np.exp(log_width))
            if energy == _NEVER:
                return None
            return Trial(volts, width, energy, self.worst_disturb(direction, volts, width))

        low, high = np.log(widths)
        longest = trial(high)
        if longest is None:
            raise DataError(
                f"no pulse of {widths[0]:.3g} to {widths[1]:.3g} s writes with an error of "
                f"{error:.3g} below the breakdown limit of {breakdown:g} V"
            )
        if longest.disturb > bound:
            raise DataError(
                f"all pulses of {widths[0]:.3g} to {widths[1]:.3g} s that write "
                f"{STATE_NAMES[direction]} with an error of {error:.3g} disturb: that of "
                f"{longest.width:.3g} s flips a cell that is not selected with a probability of "
                f"{longest.disturb:.3g}, more than disturb={bound:g}; allow longer pulses, more "
                "errors or more disturb, or take another scheme"
            )

        def allowed(log_width: float) -> bool:
            pulse = trial(log_width)
            return pulse is not None and pulse.disturb <= bound

        # At one error rate the longer pulse has the lower voltage and disturbs less: the shortest
        # one that is allowed.
        if not allowed(low):
            forbidden, low = low, high
            while low - forbidden > _FINE:
                middle = (forbidden + low) / 2
                forbidden, low = (forbidden, middle) if allowed(middle) else (middle, low)
        grid = np.linspace(low, high, 9)
        best = int(np.argmin([spend(x)[1] for x in grid]))
        places = [grid[best]]
        if high - low > _FINE:
            ends = grid[max(best - 1, 0)], grid[min(best + 1, 8)]
            places.append(minimize_scalar(lambda x: spend(x)[1], bounds=ends, method="bounded",
                                          options={"xatol": _FINE}).x)
        pulses = [pulse for pulse in map(trial, places) if pulse is not None]
        return min(pulses, key=lambda pulse: pulse.energy)

    def worst_disturb(self, direction: int, volts: float, width: float) -> float:
        """Largest probability that a pulse flips a cell that is not selected, whatever state it is
        in."""
        return max(self.disturb(direction, volts, width, state)[0] for state in DIRECTIONS)

    def disturb(self, direction: int, volts: float, width: float, state: int) -> tuple[float, float]:
        """Largest probability that a cell flips while one of the corners is written, all cells in one state; and the hazard of
        the cell most in danger, by those that share a line with the selected one and those that don't, over a whole write."""
        solution, states = self.corners(direction, volts, state)
        flips, stays = self.junctions.switched(solution, width, states)
        hazard, (m, n) = cumulative_hazard(flips, stays), self.array.shape
        row, column = (np.arange(k) == at[:, None] for k, at in ((m, self.rows), (n, self.columns)))
        both = row[:, :, None] & column[:, None, :]
        shared = (row[:, :, None] | column[:, None, :]) & ~both
        worst = [float(hazard.max(where=mask, initial=0.0)) for mask in (shared, ~shared & ~both)]
        return float(flips.max(where=~both, initial=0.0)), (m + n - 2) * worst[0] + (m - 1) * (n - 1) * worst[1]

    def lifted(self, row: int, columns: npt.NDArray[np.intp], direction: int, aim: Array) -> Array:
        """Amplitudes (k,) with which the junctions of these columns, selected together, see `aim` (k,) [V]."""
        chosen: Mask = np.zeros((1, self.array.shape[1]), bool)
        chosen[0, columns] = True
        states, last = self.states[None], None
        states[0, row, columns] = -direction
        volts = np.full(self.array.shape[1], aim[0])
        volts[columns] = aim
        for _ in range(_ROUNDS):
            drives = self.scheme.drives(self.array, Selection(row, chosen, direction, volts))
            last = self.array.solve(**drives, states=states, start=last)  # type: ignore[arg-type]
            seen = np.abs(self.junctions.volts(last)[0, row, columns])
            if not (np.abs(seen - aim) > _CLOSE * aim).any():
                return volts[columns]
            volts[columns] *= np.clip(aim / np.maximum(seen, 1e-9), 0.5, 2.0)
        worst = int(np.abs(seen - aim).argmax())
        raise ConvergenceError(f"cell [{row},{columns[worst]}] sees {seen[worst]:.4g} V of the {aim[worst]:.4g} V wanted at an "
                               f"amplitude of {volts[columns[worst]]:.4g} V, and no more: it is beyond reach")


def _stacked(drives: list[dict[str, Any]]) -> dict[str, Any]:
    """Drives of single inputs as those of a batch."""
    def along(values: list[Any]) -> Any:
        return values[0] if values[0] is None or np.ndim(values[0]) == 0 else np.ma.concatenate(
            [np.ma.atleast_2d(v) for v in values])
    return {side: along([d[side] for d in drives]) for side in drives[0]}
