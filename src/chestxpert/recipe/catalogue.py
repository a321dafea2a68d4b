"""What a recipe may choose from: losses, draws of training rows, mixes of images, second stages and routings.

`POSTHOC` lists what a comparison may make of a run's stored predictions afterwards.

Nothing here loads a network library, so that a recipe is checked, and its methods are listed, at once. The functions
themselves stand in `chestxpert.imbalance`; a test holds their keyword arguments against these tables.
"""

from __future__ import annotations

import math
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
    limits : mapping of str to (float, float)
        Least and largest value of those settings that have any.
    takes_weight : bool
        Of a loss: whether a weight of positives means anything in it.
    needs_images : bool
        Of a mix: whether it works on pixels alone, and so not on the features of a frozen backbone.
    aliases : tuple of str
        Short names that a recipe may use too; what is stored is the name.
    """

    summary: str
    source: str = ""
    settings: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    takes_weight: bool = True
    needs_images: bool = False
    aliases: tuple[str, ...] = ()


_TINY, _ANY = 1e-6, math.inf  # above 0; without end
_ASYMMETRIC = {"gamma_pos": (0.0, _ANY), "gamma_neg": (0.0, _ANY), "margin": (0.0, 0.999)}


LOSSES: Mapping[str, Method] = {
    "bce": Method("binary cross-entropy on logits"),
    "focal": Method(
        "cross-entropy with less weight on what is already right",
        "Lin et al., Focal loss for dense object detection, ICCV 2017, equation 5",
        {"gamma": 2.0, "alpha": 0.25},
        {"gamma": (0.0, _ANY), "alpha": (-1.0, 1.0)},
    ),
    "asymmetric": Method(
        "ASL: easy negatives are focused away harder than positives, the easiest dropped",
        "Ridnik et al., Asymmetric loss for multi-label classification, ICCV 2021, equations 5 and 7",
        {"gamma_pos": 0.0, "gamma_neg": 4.0, "margin": 0.05},
        _ASYMMETRIC,
        aliases=("asl",),
    ),
    "robust_asymmetric": Method(
        "RAL: ASL with another polynomial for positives, and negatives held back that look positive",
        "Park et al., Robust asymmetric loss for multi-label long-tailed learning, ICCV workshop CVAMD 2023",
        {"gamma_pos": 0.0, "gamma_neg": 4.0, "margin": 0.05, "hill": 1.5, "first": 1.0, "second": -2.5},
        {**_ASYMMETRIC, "hill": (1.0, _ANY), "first": (-_ANY, 1.0), "second": (-_ANY, 1.0)},
        aliases=("ral",),
    ),
    "distribution_balanced": Method(
        "DB: weights that know which findings come together, and negatives whose gradient fades sooner",
        "Wu et al., Distribution-balanced loss for multi-label classification in long-tailed datasets, ECCV 2020",
        {"map_alpha": 0.1, "map_beta": 10.0, "map_mu": 0.3, "negative_scale": 5.0, "bias": 0.05, "gamma": 2.0},
        {
            "map_alpha": (0.0, _ANY),
            "map_beta": (0.0, _ANY),
            "negative_scale": (_TINY, _ANY),
            "bias": (0.0, _ANY),
            "gamma": (0.0, _ANY),
        },
        aliases=("db",),
    ),
    "ldam": Method(
        "LDAM: positives must be right by a margin, the wider the rarer the finding",
        "Cao et al., Learning imbalanced datasets with label-distribution-aware margin loss, NeurIPS 2019, "
        "equations 12 and 13",
        {"max_margin": 0.5, "scale": 30.0},
        {"max_margin": (0.0, _ANY), "scale": (_TINY, _ANY)},
    ),
    "aucm": Method(
        "AUC margin loss of LibAUC: scores of positives and of negatives apart by a margin, each close together",
        "Yuan et al., Large-scale robust deep AUC maximization, ICCV 2021",
        {"margin": 1.0, "memory": 32.0},
        {"margin": (_TINY, 1.0), "memory": (1.0, _ANY)},
        takes_weight=False,
    ),
    "average_precision": Method(
        "smooth average precision over the batch and the rows before it, mixed with cross-entropy",
        "Brown et al., Smooth-AP: Smoothing the path towards large-scale image retrieval, ECCV 2020, equations 5 and 7",
        {"temperature": 1.0, "memory": 512.0, "bce": 0.5},
        {"temperature": (_TINY, _ANY), "memory": (0.0, 1e6), "bce": (0.0, 1.0)},
        aliases=("ap", "smooth-ap"),
    ),
}

_CHARTE = "Charte et al., Addressing imbalance in multilabel classification, Neurocomputing 163, 2015"
_KANG = "Kang et al., Decoupling representation and classifier for long-tailed recognition, ICLR 2020"

DRAWS: Mapping[str, Method] = {
    "instance": Method("every training row once an epoch"),
    "repeat-factor": Method(
        "rows with a label below a share of all rows are repeated",
        "Gupta et al., LVIS, CVPR 2019, repeat factor sampling in the appendix",
        {"threshold": 0.05},
        aliases=("rfs",),
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
        aliases=("cmo",),
    ),
}

ROUTINGS: Mapping[str, Method] = {
    "soft": Method(
        "a flat model's own probabilities; in a hierarchy their product along the path",
        "Redmon and Farhadi, YOLO9000, CVPR 2017, section 4; Chen et al., MIDL 2019, equation 1",
    ),
    "gated": Method("each finding's probability times (1 - P(No Finding))^alpha", settings={"alpha": 1.0}),
}

_EPOCHS, _RATE = (1.0, 10_000.0), (_TINY, _ANY)

STAGES: Mapping[str, Method] = {
    "none": Method("the network stays as its training left it"),
    "crt": Method(
        "the last layer is drawn anew and trained class-balanced, all before it stands still",
        f"{_KANG}, section 4, classifier re-training (cRT)",
        {"epochs": 4.0, "rate": 1.0},
        {"epochs": _EPOCHS, "rate": _RATE},
    ),
    "tau-norm": Method(
        "the last layer's weights are divided by a power of their length; nothing is trained",
        f"{_KANG}, section 4, tau-normalized classifier",
        {"bias": 1.0},
        {"bias": (0.0, 1.0)},
    ),
    "unconditional": Method(
        "all heads are trained on, on the probability of each node along its whole path",
        "Chen et al., Deep hierarchical multi-label classification applied to chest X-ray abnormality taxonomies, "
        "Medical Image Analysis 66, 2020; first in Chen et al., MIDL 2019",
        {"epochs": 4.0, "rate": 0.1},
        {"epochs": _EPOCHS, "rate": _RATE},
    ),
}

POSTHOC: Mapping[str, Method] = {
    "logit-adjustment": Method(
        "logits minus tau times the log-odds of the training prevalence",
        "Menon et al., Long-tail learning via logit adjustment, ICLR 2021, equation 9",
        {"tau": 1.0},
        {"tau": (_TINY, _ANY)},
    ),
    "temperature": Method(
        "logits divided by one number, fitted on val",
        "Guo et al., On calibration of modern neural networks, ICML 2017, section 4.2",
    ),
    "platt": Method(
        "logits times a slope plus an intercept, fitted on val",
        "Platt, Probabilistic outputs for support vector machines, 1999; Lin, Lin and Weng, A note on Platt's "
        "probabilistic outputs for support vector machines, Machine Learning 68, 2007",
    ),
    "isotonic": Method(
        "the non-decreasing curve nearest to the answers on val",
        "Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability estimates, KDD 2002",
    ),
    "beta": Method(
        "a slope for ln p, one for -ln(1 - p), and an intercept, fitted on val",
        "Kull, Silva Filho and Flach, Beta calibration, AISTATS 2017",
    ),
    "em": Method(
        "Platt scaling, then the prevalence that the unlabelled test images make likeliest",
        "Saerens, Latinne and Decaestecker, Adjusting the outputs of a classifier to new a priori probabilities, "
        "Neural Computation 14, 2002, equations 2.4 and 2.9; Alexandari, Kundaje and Shrikumar, ICML 2020",
        {"alpha": 1.0},
        {"alpha": (_TINY, 1.0)},
    ),
}
"""Of a finding each, or of a decision's answer each."""
