"""Checks of what the tables say: ages, sexes, sizes and bit depths."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.table import Cohort
from chestxpert.pixels.store import ImageStore
from chestxpert.quality.remarks import about_check, remarks

OLDEST = 100


def undecodable(rejects: Iterable[Reject]) -> pd.DataFrame:
    """Remarks on files that could not be decoded."""
    lost = [reject for reject in rejects if reject.reason == "undecodable"]
    return remarks("undecodable", [reject.image_id for reject in lost], [reject.detail for reject in lost])


def ages(cohort: Cohort) -> pd.DataFrame:
    """Remarks on ages above 100 years or below 0; the value is the age."""
    age = cohort.table["age"].to_numpy(dtype=np.float64)
    odd = (age > OLDEST) | (age < 0)  # an unknown age, NaN, is neither
    details = [f"The table says {years:g} years." for years in age[odd]]
    return remarks("age", cohort.image_ids[odd], details, value=age[odd])


def sex_changes(cohort: Cohort) -> pd.DataFrame:
    """One remark for each patient who is M in some images and F in others."""
    known = cohort.table.loc[cohort.table["sex"] != "", ["image_id", "patient_id", "sex"]]
    both = known.groupby("patient_id", sort=False)["sex"].transform("nunique") > 1
    ids, others, details = [], [], []
    for patient, images in known[both].groupby("patient_id", sort=False):
        counts = images["sex"].value_counts().sort_index()
        rarer = counts.idxmin()
        ids.append(str(images.loc[images["sex"] == rarer, "image_id"].iloc[0]))
        others.append(str(images.loc[images["sex"] != rarer, "image_id"].iloc[0]))
        said = " and ".join(f"{sex} in {count} images" for sex, count in counts.items())
        details.append(f"Patient {patient} is {said}.")
    return remarks("sex-changes", ids, details, other=others)


def shapes(cohort: Cohort, store: ImageStore) -> pd.DataFrame:
    """Remarks on images whose file is not square; the value is width over height."""
    if not {"width", "height"} <= set(store.index.columns):
        return about_check("non-square", "Not made: the image store does not say how large the files were.")
    index = store.index.iloc[store.rows(cohort.image_ids)]
    width, height = (index[name].to_numpy(dtype=np.int64) for name in ("width", "height"))
    odd = width != height
    details = [f"The file has {w} x {h} pixels." for w, h in zip(width[odd], height[odd], strict=True)]
    return remarks("non-square", cohort.image_ids[odd], details, value=width[odd] / height[odd])


def bit_depths(cohort: Cohort, store: ImageStore) -> pd.DataFrame:
    """Remarks on files of another bit depth than most, or of fewer than 8 bits; the value is the number of bits."""
    if "bits" not in store.index.columns:
        why = "Not made: the image store was made before bit depths were kept. Prepare the data set anew to have it."
        return about_check("bit-depth", why)
    bits = store.index["bits"].iloc[store.rows(cohort.image_ids)].to_numpy(dtype=np.int64)
    depths, counts = np.unique(bits, return_counts=True)
    usual = depths[counts.argmax()]
    odd = (bits != usual) | (bits < 8)
    details = [f"The file stores {depth} bits a sample; most store {usual}." for depth in bits[odd]]
    return remarks("bit-depth", cohort.image_ids[odd], details, value=bits[odd].astype(np.float64))
