"""Where maps look, held against boxes: stored heat maps of any tool, measured without a model or an image."""

from chestxpert.evaluation.localization.localize import localize
from chestxpert.evaluation.localization.maps import HeatMaps, read_maps
from chestxpert.evaluation.localization.maps_writer import write_maps

__all__ = ["HeatMaps", "localize", "read_maps", "write_maps"]
