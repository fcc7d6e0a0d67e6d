"""Netlists: text -> Deck -> Circuit, and Circuit -> text."""

from crossbar.netlist.deck import Deck, parse_netlist, read_netlist
from crossbar.netlist.writer import to_spice

__all__ = ["Deck", "parse_netlist", "read_netlist", "to_spice"]
