"""Parameters of junctions in four lines, whatever many they are of: the `repr` of MTJParams."""

from typing import Any

from crossbar.summaries import block, spread


def junctions(p: Any) -> str:
    """MTJParams `p` for people: without what is unknown, ranges of fields that are arrays."""
    def known(**units: str) -> str:
        values = {name: getattr(p, name) for name in units}
        return ", ".join(f"{name} {spread(value, units[name])}" for name, value in values.items()
                         if value is not None)
    head = f"MTJParams of shape {p.shape}" if p.shape else "MTJParams of one junction"
    rows = [known(r_p="ohm", tmr="", v_h="V", temperature="K"),
            known(delta="", tau_d="s", i_c0_p="A", i_c0_ap="A"),
            known(diameter="m", thickness="m", m_s="A/m", k_i="J/m^2", alpha="")]
    return block(head, *filter(None, rows))
