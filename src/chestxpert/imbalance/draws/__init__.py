"""Draws of each epoch's rows, by the name that a recipe's ``sampling.draw.kind`` gives them.

Thinning and over-sampling decide once which rows a run has; a draw decides anew in each epoch how often each of them is
seen. It sees the labels of training rows alone.
"""

from chestxpert.imbalance.draws.build import FUNCTIONS, DrawFunction, draw_rows

__all__ = ["FUNCTIONS", "DrawFunction", "draw_rows"]
