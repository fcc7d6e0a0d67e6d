"""Pulse-based stochastic writes on the solved array."""

from typing import TYPE_CHECKING

from crossbar import lazy

if TYPE_CHECKING:
    from crossbar.writing.design import (CheapestPulse, WriteWindow, cheapest_pulse, compensated, pulse_for_error,
                                         write_error_map, write_window)
    from crossbar.writing.programming import BREAKDOWN, program
    from crossbar.writing.pulses import Pulse
    from crossbar.writing.report import WriteEnergy, WriteReport
    from crossbar.writing.schemes import WRITE_SCHEMES, GatedScheme, LineScheme, Selection, WriteScheme
    from crossbar.writing.stepping import Stepping
    from crossbar.writing.update import UpdateReport, outer_product_update
    from crossbar.writing.verify import Verify

__getattr__, __dir__, __all__ = lazy.names(__name__, {  # once more, loaded when asked for
    "design": "CheapestPulse WriteWindow cheapest_pulse compensated pulse_for_error write_error_map write_window",
    "programming": "BREAKDOWN program",
    "pulses": "Pulse",
    "report": "WriteEnergy WriteReport",
    "schemes": "GatedScheme LineScheme Selection WRITE_SCHEMES WriteScheme",
    "stepping": "Stepping",
    "update": "UpdateReport outer_product_update",
    "verify": "Verify",
})
