"""Splits: always by patient, validation stratified over findings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.nih import OfficialLists
from chestxpert.errors import CohortError

DEFAULT_VAL_FRACTION = 0.2
"""Share of the train_val patients kept for validation, as in the original study."""

RANDOM_TEST_FRACTION = 0.2
"""Share of all patients that a random split keeps for testing."""

Text = npt.NDArray[np.object_]


def hold_out(
    patients: Text, labels: npt.NDArray[np.bool_], fraction: float, rng: np.random.Generator, stay: int = 1
) -> npt.NDArray[np.bool_]:
    """Choose patients to hold out, alike in findings and in images a patient to those who stay.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the Stratification of Multi-Label Data, ECML PKDD
    2011) over patients. A patient carries a finding if any of the patient's images does, and belongs to a band
    of number of images: 1, 2-3, 4-7, and so on.

    Parameters
    ----------
    patients : object array of shape (N,)
        Patient id of every image.
    labels : bool array of shape (N, K)
        Findings of every image, False where a label is unknown: what nobody knows cannot be shared out evenly.
    fraction : float
        Share of the patients to hold out, between 0 and 1.
    rng : numpy.random.Generator
        Decides ties. The result does not depend on the order of the rows.
    stay : int
        Patients who are not held out, at the least.

    Returns
    -------
    bool array of shape (N,)
        True for every image of a held-out patient.

    Raises
    ------
    CohortError
        If there are too few patients to leave some on either side.
    """
    # Here, not above: it brings scikit-learn, half a second that whoever only opens a data set need not wait for.
    from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

    if not 0 < fraction < 1:
        raise CohortError(f"The share of patients to hold out must lie between 0 and 1, but is {fraction}.")
    codes, names = pd.factorize(patients, sort=True)
    traits = _traits(codes, labels, len(names))
    if len(names) < stay + 1:
        raise CohortError(
            f"{len(names)} patients are too few to hold out {fraction:.0%} of them. Give more images, or other lists."
        )
    count = min(max(1, round(fraction * len(names))), len(names) - stay)
    splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=count, random_state=int(rng.integers(2**31)))
    held = np.zeros(len(names), dtype=np.bool_)
    held[next(splitter.split(traits, traits))[1]] = True
    # Stratifying a handful of patients may leave a side short of what was asked for, or empty.
    if not held.any():
        held[rng.integers(len(names))] = True
    surplus = stay - np.count_nonzero(~held)
    if surplus > 0:
        held[rng.choice(np.flatnonzero(held), surplus, replace=False)] = False
    return np.asarray(held[codes])


def _traits(codes: npt.NDArray[np.intp], labels: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    """What patients are to be alike in, shape (patients, K + bands): any finding, and band of number of images."""
    any_label = np.zeros((count, labels.shape[1]), dtype=np.bool_)
    rows, columns = np.nonzero(labels)
    any_label[codes[rows], columns] = True
    band = np.log2(np.bincount(codes, minlength=count)).astype(np.int64)
    bands = band[:, None] == np.arange(band.max(initial=0) + 1)
    return np.hstack([any_label, bands])


def cut_validation(sides: Text, patients: Text, labels: npt.NDArray[np.bool_], val_fraction: float, seed: int) -> Text:
    """Split ``train_val`` rows into train and val by patient; ``test`` stays test.

    Parameters
    ----------
    sides : object array of shape (N,)
        "train_val" or "test" for every image.
    patients, labels : arrays of shape (N,) and (N, K)
        Patient and findings of every image.
    val_fraction : float
        Share of the train_val patients that become validation.
    seed : int
        Same seed, same split.

    Returns
    -------
    object array of shape (N,)
        "train", "val" or "test".

    Raises
    ------
    CohortError
        If a patient is on both sides already, a side is empty, or there are too few patients.
    """
    check_sides(sides, patients)
    inside = np.flatnonzero(sides == "train_val")
    held = hold_out(patients[inside], labels[inside], val_fraction, np.random.default_rng(seed))
    split = np.where(sides == "test", "test", "train").astype(object)
    split[inside[held]] = "val"
    return split


def check_sides(sides: Text, patients: Text) -> None:
    """Raise CohortError if "train_val" or "test" has no image, or a patient is on both sides."""
    for side in ("train_val", "test"):
        if not (sides == side).any():
            raise CohortError(
                f"None of the {len(sides)} images that are there is on the {side} side of the official lists. "
                "Add images of that side, or split at random ('--split random')."
            )
    both = set(patients[sides == "test"]) & set(patients[sides == "train_val"])
    if both:
        raise CohortError(
            f"The lists put {len(both)} patients into training and into testing, for example {min(both)}. "
            "Correct the lists, or split at random by patient ('--split random')."
        )


def random_split(patients: Text, labels: npt.NDArray[np.bool_], val_fraction: float, seed: int) -> Text:
    """Split at random by patient, stratified: a fifth of the patients to test, then validation from the rest.

    Parameters and result are those of `cut_validation`, but no sides are given.
    """
    rng = np.random.default_rng(seed)
    split = np.full(len(patients), "train", dtype=object)
    split[hold_out(patients, labels, RANDOM_TEST_FRACTION, rng, stay=2)] = "test"
    rest = np.flatnonzero(split == "train")
    split[rest[hold_out(patients[rest], labels[rest], val_fraction, rng)]] = "val"
    return split


def official_sides(image_ids: Text, lists: OfficialLists) -> Text:
    """Side of every image by the official lists: "train_val", "test", or "" where it stands in neither."""
    side = dict.fromkeys(lists.train_val, "train_val") | dict.fromkeys(lists.test, "test")
    return np.array([side.get(name, "") for name in image_ids], dtype=object)
