"""Figures and tables of what an evaluation says beyond the comparison: groups, subgroups, calibration, costs of errors.

Older comparisons have none of it, and newer ones not all: a figure of what is not there is None.
"""
