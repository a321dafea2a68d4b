"""Calibration: curves from probs to calibrated_probs, one a column, fitted on validation rows.

Every curve is non-decreasing. All but the isotonic one are strictly increasing: they never change the order of the
images, and so neither AUROC nor average precision of the column.
"""

from chestxpert.evaluation.calibration.columns import FITS, apply_curves, fit_curves
from chestxpert.evaluation.calibration.curve import Curve, Identity, Line

__all__ = ["FITS", "Curve", "Identity", "Line", "apply_curves", "fit_curves"]
