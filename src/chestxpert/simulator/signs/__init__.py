"""One radiographic sign for each of the fourteen findings: the only place where a finding changes pixels.

A sign has two parts. `shape` changes the chest's geometry before anything is drawn (a large heart, a low
diaphragm); `paint` adds to the drawn chest (an opacity, a line). Both get the sign's strength, 1 where it is
plain and near 0 where it can hardly be seen, and `paint` gives the sign's boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from chestxpert.simulator.canvas import Box, Canvas
from chestxpert.simulator.geometry import Geometry
from chestxpert.simulator.signs import airspace, focal, interstitial, pleura, volume

Shape = Callable[[Geometry, float, np.random.Generator], Geometry]
Paint = Callable[[Canvas, float, np.random.Generator], list[Box]]


@dataclass(frozen=True)
class Sign:
    """How one finding shows: `paint` always, `shape` where the chest itself changes."""

    paint: Paint
    shape: Shape | None = None


SIGNS: Mapping[str, Sign] = {
    "Atelectasis": Sign(volume.paint_atelectasis, volume.shape_atelectasis),
    "Cardiomegaly": Sign(volume.paint_cardiomegaly, volume.shape_cardiomegaly),
    "Consolidation": Sign(airspace.paint_consolidation),
    "Edema": Sign(interstitial.paint_edema),
    "Effusion": Sign(pleura.paint_effusion),
    "Emphysema": Sign(volume.paint_emphysema, volume.shape_emphysema),
    "Fibrosis": Sign(interstitial.paint_fibrosis),
    "Hernia": Sign(focal.paint_hernia),
    "Infiltration": Sign(airspace.paint_infiltration),
    "Mass": Sign(focal.paint_mass),
    "Nodule": Sign(focal.paint_nodule),
    "Pleural_Thickening": Sign(pleura.paint_pleural_thickening),
    "Pneumonia": Sign(airspace.paint_pneumonia),
    "Pneumothorax": Sign(pleura.paint_pneumothorax),
}
"""The sign of every finding of the label space nih15, by its canonical name."""
