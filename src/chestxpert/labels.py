"""LabelSpace: the ordered findings of one study, and the only owner of label order."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.errors import LabelError

NO_FINDING = "No Finding"


def _key(name: str) -> str:
    """Spelling that two names of one finding share: case, underscores and outer spaces do not count."""
    return " ".join(name.replace("_", " ").split()).casefold()


@dataclass(frozen=True)
class LabelSpace:
    """The findings of one study in a fixed order.

    Parameters
    ----------
    name : str
        Short name, for example ``nih15``.
    labels : tuple of str
        Canonical names; their order is the order of every label column and every network output.
    no_finding : str or None
        The label that means the absence of all others, if the space has one.
    aliases : mapping of str to str
        Other spellings found in files, each with its canonical name. Case and ``_`` against space never
        need an alias.

    Raises
    ------
    LabelError
        If a label stands twice, or an alias or `no_finding` names no label.
    """

    name: str
    labels: tuple[str, ...]
    no_finding: str | None = NO_FINDING
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        keys = [_key(label) for label in self.labels]
        if len(set(keys)) != len(keys) or not keys:
            raise LabelError(
                f"Label space '{self.name}' needs at least one label, each once, but got {list(self.labels)}."
            )
        for target in [*self.aliases.values(), *([self.no_finding] if self.no_finding else [])]:
            if target not in self.labels:
                raise LabelError(f"Label space '{self.name}' refers to '{target}', which is not a label of it.")

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    @property
    def findings(self) -> tuple[str, ...]:
        """The labels without `no_finding`, in order."""
        return tuple(label for label in self.labels if label != self.no_finding)

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any label, their order, or `no_finding`."""
        text = "\x1f".join([*self.labels, self.no_finding or ""])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def get(self, name: str) -> str | None:
        """Canonical name of `name`, or None if the space does not know it."""
        key = _key(name)
        for label in self.labels:
            if _key(label) == key:
                return label
        for alias, label in self.aliases.items():
            if _key(alias) == key:
                return label
        return None

    def canonical(self, name: str) -> str:
        """Canonical name of `name`.

        Raises
        ------
        LabelError
            If the space does not know it; the message names the nearest label.
        """
        found = self.get(name)
        if found is not None:
            return found
        near = difflib.get_close_matches(_key(name), [_key(label) for label in self.labels], n=1)
        hint = f" Did you mean '{self.get(near[0])}'?" if near else f" It has: {', '.join(self.labels)}."
        raise LabelError(f"'{name}' is not a finding of label space '{self.name}'.{hint}")

    def index(self, name: str) -> int:
        """Column of `name` in every label array of this space."""
        return self.labels.index(self.canonical(name))

    def parse(self, text: str, separator: str = "|") -> tuple[str, ...]:
        """Canonical names in a cell such as ``Effusion|Pleural_Thickening``: split whole, never by substring."""
        return tuple(self.canonical(part) for part in text.split(separator) if part.strip())

    def encode(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Boolean row of shape (K,), true where a name is given."""
        row = np.zeros(len(self.labels), dtype=np.bool_)
        for name in names:
            row[self.index(name)] = True
        return row

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads back, for JSON and parquet metadata."""
        return {
            "name": self.name,
            "labels": list(self.labels),
            "no_finding": self.no_finding,
            "aliases": dict(self.aliases),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LabelSpace:
        """Label space written by `to_dict`; LabelError if a part is missing."""
        try:
            return cls(
                name=str(values["name"]),
                labels=tuple(values["labels"]),
                no_finding=values["no_finding"],
                aliases=dict(values["aliases"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise LabelError(f"This is no stored label space ({error!r}). Was the file made elsewhere?") from error


_ALIASES = {"Infiltrate": "Infiltration", "Infiltrates": "Infiltration", "Normal": NO_FINDING}

NIH15 = LabelSpace(
    name="nih15",
    labels=(
        "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
        "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax", NO_FINDING,
    ),
    aliases=_ALIASES,
)  # fmt: skip
"""The 14 findings of NIH ChestX-ray14 (Wang et al., CVPR 2017) and No Finding, spelt as NIH's tables do."""

CXRLT20 = LabelSpace(
    name="cxrlt20",
    labels=(
        "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
        "Infiltration", "Mass", "Nodule", "Pleural Thickening", "Pneumonia", "Pneumothorax", "Pneumoperitoneum",
        "Pneumomediastinum", "Subcutaneous Emphysema", "Tortuous Aorta", "Calcification of the Aorta", NO_FINDING,
    ),
    aliases=_ALIASES,
)  # fmt: skip
"""NIH-CXR-LT's 19 findings and No Finding (Holste et al., DALI at MICCAI 2022), in its tables' order."""

LABEL_SPACES: Mapping[str, LabelSpace] = {space.name: space for space in (NIH15, CXRLT20)}


def label_space(name: str) -> LabelSpace:
    """Built-in label space called `name`; LabelError lists what there is."""
    try:
        return LABEL_SPACES[name]
    except KeyError:
        raise LabelError(f"There is no label space '{name}'. There are: {', '.join(LABEL_SPACES)}.") from None
