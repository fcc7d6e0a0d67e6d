"""Solvers of equations given as matrices and callables; they know nothing of devices."""
