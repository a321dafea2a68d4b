"""What a recipe may choose from: losses, draws of training rows, mixes of images and routings, with their settings.

Nothing here loads a network library, so that a recipe is checked, and its methods are listed, at once. The functions
themselves stand in `chestxpert.imbalance`; a test holds their keyword arguments against these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Method:
    """One method of the field.

    Parameters
    ----------
    summary : str
        What it does, in a line.
    source : str
        Paper, venue and year, with the equation; "" for what needs none.
    settings : mapping of str to float
        Its settings and their defaults.
    """

    summary: str
    source: str = ""
    settings: Mapping[str, float] = field(default_factory=dict)


LOSSES: Mapping[str, Method] = {
    "bce": Method("binary cross-entropy on logits"),
}

DRAWS: Mapping[str, Method] = {
    "instance": Method("every training row once an epoch"),
}

MIXES: Mapping[str, Method] = {
    "none": Method("images as they are"),
}

ROUTINGS: Mapping[str, Method] = {
    "soft": Method(
        "a flat model's own probabilities; in a hierarchy their product along the path",
        "Redmon and Farhadi, YOLO9000, CVPR 2017, section 4; Chen et al., MIDL 2019, equation 1",
    ),
    "gated": Method("each finding's probability times (1 - P(No Finding))^alpha", settings={"alpha": 1.0}),
}
