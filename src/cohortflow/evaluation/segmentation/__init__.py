"""Metrics of label maps: one id, one formula.

``metrics`` parses ids, ``empties`` says what counts where a mask is empty, ``slow`` holds the
obvious formulas that every fast path is compared with.
"""
