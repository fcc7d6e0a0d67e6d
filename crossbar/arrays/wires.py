"""Resistance of a wire segment from geometry, with the size effect of thin metal lines.

    R = rho pitch / (width thickness)
    rho / rho_0 = 1 / f(alpha) + [F(width / l) - 1] + [F(thickness / l) - 1]                       (1)
    f(alpha) = 3 [1/3 - alpha/2 + alpha^2 - alpha^3 ln(1 + 1/alpha)],  alpha = (l / grain) R / (1 - R)     (2)
    1 / F(k) = 1 - 3 (1 - p) / (2 k) int_1^inf (1/t^3 - 1/t^5) (1 - exp(-k t)) / (1 - p exp(-k t)) dt      (3)

l: mean free path of the bulk; p: share of electrons that the surfaces reflect specularly; R: reflection at a grain boundary.
(2) is the grain-boundary scattering of Mayadas and Shatzkes, Phys. Rev. B 1, 1382 (1970); (3) the surface scattering of
a film, Fuchs, Proc. Cambridge Philos. Soc. 34, 100 (1938), Sondheimer, Adv. Phys. 1, 1 (1952), eq. 25. (1) adds the
increments of both pairs of surfaces and of the grains (Matthiessen's rule, as Steinhoegl et al., Phys. Rev. B 66, 075414
(2002), eq. 5): without grains exact for a film, and to first order in l: 1 + 3/8 (1 - p) l (1/width + 1/thickness). The
exact square wire with p = 0 (Chambers, Proc. R. Soc. A 202, 378 (1950)) is within 0.05 % from width = 2 l on and has 0.4 %
more at l, 7 % at 0.3 l, 22 % at 0.1 l.

For a metal the product rho_0 l depends neither on temperature nor on impurities; `METALS` has it from first principles.
"""

from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from scipy.integrate import quad
from scipy.special import hyp2f1

from crossbar.checks import real_array
from crossbar.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Metal:
    """A bulk metal at room temperature."""

    rho0: float            # resistivity [ohm m]
    mean_free_path: float  # of the electrons [m]


#: Gall, J. Appl. Phys. 119, 085101 (2016), table I: resistivity at room temperature and mean free path from the calculated
#: rho_0 l. Of the hexagonal metals the values for currents in the basal plane, where l is the longer.
METALS = MappingProxyType({
    "Cu": Metal(rho0=1.678e-8, mean_free_path=39.9e-9),
    "Al": Metal(rho0=2.650e-8, mean_free_path=18.9e-9),
    "W": Metal(rho0=5.28e-8, mean_free_path=15.5e-9),
    "Co": Metal(rho0=6.2e-8, mean_free_path=11.8e-9),
    "Ru": Metal(rho0=7.8e-8, mean_free_path=6.59e-9),
})


@dataclass(frozen=True)
class Wire:
    """A line of rectangular cross-section: `PassiveArray(cells, r_word=Wire(20e-9, 40e-9, 50e-9).segment_resistance)`.

    rho0 and mean_free_path default to those of `metal`; of one alone the other follows, as their product is the metal's. The
    defaults of specularity and reflection are those of copper films, Sun et al., Phys. Rev. B 81, 155454 (2010); for other
    metals they are an assumption. Raises DataError for a value out of range or an unknown metal.
    """

    width: float      # of the metal, without liner [m]
    thickness: float  # [m]
    pitch: float      # length of a segment: from cell to cell along the line [m]
    metal: str = field(default="Cu", kw_only=True)
    rho0: float = field(default=None, kw_only=True)            # type: ignore[assignment]  # resistivity of the bulk [ohm m]
    mean_free_path: float = field(default=None, kw_only=True)  # type: ignore[assignment]  # in the bulk [m]
    specularity: float = field(default=0.52, kw_only=True)     # p: 0 diffuse, 1 mirrors [1]
    reflection: float = field(default=0.43, kw_only=True)      # R, at a grain boundary; below 1 [1]
    grain: float = field(default=None, kw_only=True)           # type: ignore[assignment]  # size [m]; the smaller side

    def __post_init__(self) -> None:
        if self.metal not in METALS:
            raise DataError(f"no metal {self.metal!r}; there are {', '.join(METALS)}. For another give rho0 [ohm m] and "
                            "mean_free_path [m]")
        known = METALS[self.metal]
        product = known.rho0 * known.mean_free_path
        for name, other in (("rho0", "mean_free_path"), ("mean_free_path", "rho0")):
            if getattr(self, name) is None:
                given = getattr(self, other)
                value = getattr(known, name) if given is None else product / _number(given, other)
                object.__setattr__(self, name, value)
        if self.grain is None:
            object.__setattr__(self, "grain", min(_number(x, "width and thickness") for x in (self.width, self.thickness)))
        for name in ("width", "thickness", "pitch", "rho0", "mean_free_path", "grain"):
            object.__setattr__(self, name, _number(getattr(self, name), name))
        for name in ("specularity", "reflection"):
            value = _number(getattr(self, name), name, least=0.0)
            if value > 1 or name == "reflection" and value == 1:
                raise DataError(f"{name} of a wire is a share, at least 0 and at most 1 (reflection below 1), got {value:g}")
            object.__setattr__(self, name, value)

    @property
    def resistivity(self) -> float:
        """Of the line [ohm m], equation (1)."""
        alpha = self.mean_free_path / self.grain * self.reflection / (1 - self.reflection)
        surfaces = sum(film_ratio(side / self.mean_free_path, self.specularity) - 1 for side in (self.width, self.thickness))
        return self.rho0 * (1 / grain_ratio(alpha) + surfaces)

    @property
    def segment_resistance(self) -> float:
        """Of the line from one cell to the next [ohm]."""
        return self.resistivity * self.pitch / (self.width * self.thickness)


def film_ratio(k: float, p: float) -> float:
    """rho / rho_0 of a film k mean free paths thick, equation (3); p : specularity.

    With u = 1/t and 1 = 3/2 int_0^1 (1 - u^2) du the integrand has no sign change, so that thin films lose no digits.
    """
    def integrand(u: float) -> float:
        x = k / u
        lost = -np.expm1(-x)
        return (1 - u * u) * ((1 - p) * (x - lost) + p * x * lost) / (x * (1 - p + p * lost))
    if p == 1:
        return 1.0
    edge = min(k, 0.5)  # below it the path to the surface is longer than the mean free path
    parts = (quad(integrand, a, b, epsabs=0.0, epsrel=1e-11, limit=200)[0] for a, b in ((0.0, edge), (edge, 1.0)))
    return 1 / (1.5 * sum(parts))


def grain_ratio(alpha: float) -> float:
    """f(alpha) = rho_0 / rho of a metal with grains, equation (2), which is 3 int_0^1 u^3 / (u + alpha) du."""
    if alpha < 0.1:
        return 1 - 1.5 * alpha + 3 * alpha ** 2 - (3 * alpha ** 3 * np.log1p(1 / alpha) if alpha else 0.0)
    return float(0.75 / alpha * hyp2f1(1, 4, 5, -1 / alpha))  # the same without cancellation


def _number(value: float, name: str, least: float = np.finfo(float).tiny) -> float:
    number = real_array(value, f"{name} of a wire")
    if number.ndim or not (least <= number < np.inf):
        raise DataError(f"{name} of a wire must be one {'' if least == 0 else 'positive '}finite number, got {value!r}")
    return float(number)
