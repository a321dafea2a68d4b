"""What a recipe may choose from: losses, draws of training rows and mixes of images, with their settings.

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
    needs_images : bool
        Whether it works on pixels alone, and so not on the features of a frozen backbone.
    """

    summary: str
    source: str = ""
    settings: Mapping[str, float] = field(default_factory=dict)
    needs_images: bool = False


LOSSES: Mapping[str, Method] = {
    "bce": Method("binary cross-entropy on logits"),
}

_CHARTE = "Charte et al., Addressing imbalance in multilabel classification, Neurocomputing 163, 2015"
_KANG = "Kang et al., Decoupling representation and classifier for long-tailed recognition, ICLR 2020"

DRAWS: Mapping[str, Method] = {
    "instance": Method("every training row once an epoch"),
    "repeat-factor": Method(
        "rows with a label below a share of all rows are repeated",
        "Gupta et al., LVIS, CVPR 2019, repeat factor sampling in the appendix",
        {"threshold": 0.05},
    ),
    "class-balanced": Method("a label, each as likely as any other, then a row that carries it", f"{_KANG}, q = 0"),
    "square-root": Method("a label by the root of its rows, then a row that carries it", f"{_KANG}, q = 1/2"),
    "progressive": Method("from instance to class-balanced over the epochs", f"{_KANG}, progressively-balanced"),
    "ml-ros": Method("copies of rows with a minority label", f"{_CHARTE}, ML-ROS", {"percent": 25.0}),
    "ml-rus": Method("rows without a minority label are dropped", f"{_CHARTE}, ML-RUS", {"percent": 25.0}),
}

MIXES: Mapping[str, Method] = {
    "none": Method("images as they are"),
    "mixup": Method(
        "two images and their labels are averaged",
        "Zhang et al., mixup, ICLR 2018, equation 1; on features, Verma et al., Manifold mixup, ICML 2019",
        {"alpha": 0.2},
    ),
    "balanced-mixup": Method(
        "each image takes a little of one drawn class-balanced",
        "Galdran et al., Balanced-MixUp for highly imbalanced medical image classification, MICCAI 2021",
        {"alpha": 0.2},
    ),
    "cutmix": Method(
        "a rectangle of another image is pasted, labels by share of the area",
        "Yun et al., CutMix, ICCV 2019, equation 1",
        {"alpha": 1.0},
        needs_images=True,
    ),
    "balanced-cutmix": Method(
        "a rectangle of an image drawn class-balanced is pasted",
        "Park et al., The majority can help the minority (CMO), CVPR 2022",
        {"alpha": 1.0},
        needs_images=True,
    ),
}
