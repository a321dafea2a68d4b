"""Cards: what a model and a data set are, as Markdown that says what was measured and nothing else."""

from chestxpert.report.cards.data_card import build_data_card
from chestxpert.report.cards.model_card import build_model_card

__all__ = ["build_data_card", "build_model_card"]
