"""Post-hoc corrections: other predictions from stored ones, without a network and without an image.

A correction works on what a run states itself (`inference.answers_of`): the probability of each label, or in a
hierarchy of each node given its parent. A hierarchy's probabilities are multiplied along the path again afterwards, so
no finding is ever likelier than a node above it.
"""

from chestxpert.evaluation.posthoc.correct import correct_run
from chestxpert.evaluation.posthoc.fitted import Fitted, fit

__all__ = ["Fitted", "correct_run", "fit"]
