"""Plots of the field: each a pure function from arrays to a figure, or a note why there is none."""
