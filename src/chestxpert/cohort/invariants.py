"""What is always true of a cohort, checked when one is made and each time one is loaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.errors import CohortError
from chestxpert.labels import LabelSpace

_SHOWN = 3


def check_table(table: pd.DataFrame, label_space: LabelSpace, columns: Sequence[str], splits: Sequence[str]) -> None:
    """Raise CohortError if `table` breaks an invariant of a cohort; the message names the first offenders."""
    _check_columns(table, label_space, columns)
    _check_ids(table)
    unknown = sorted(set(table["split"].unique()) - set(splits))
    if unknown:
        raise CohortError(f"The split of every image must be one of {', '.join(splits)}, but got {unknown[:_SHOWN]}.")
    check_patients_apart(table["patient_id"], table["split"])
    _check_no_finding(table, label_space)
    _check_copies(table)


def boolean_array(columns: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Label columns as an array of their shape, False where a label is unknown."""
    values = columns.to_numpy()
    return values if values.dtype == np.bool_ else columns.to_numpy(dtype=np.bool_, na_value=False)


def missing_array(columns: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Where label columns hold nothing, as an array of their shape."""
    missing = np.zeros(columns.shape, dtype=np.bool_)
    for position, dtype in enumerate(columns.dtypes):
        if dtype != np.bool_:
            missing[:, position] = columns.iloc[:, position].isna()
    return missing


def check_patients_apart(patients: pd.Series, split: pd.Series) -> None:
    """Raise CohortError if a patient has images in two splits.

    Parameters
    ----------
    patients, split : pandas.Series
        Patient id and split of N images.
    """
    sides = pd.DataFrame({"patient": patients.to_numpy(), "split": split.to_numpy()}).drop_duplicates()
    twice = sides["patient"][sides["patient"].duplicated()].unique()
    if len(twice):
        raise CohortError(
            f"{len(twice)} patients have images in more than one split, for example patient {_some(twice)}. "
            "Figures from such a split would be too good. Split by patient: 'chestxpert data prepare --split random'."
        )


def _check_columns(table: pd.DataFrame, label_space: LabelSpace, columns: Sequence[str]) -> None:
    expected = [*columns, *label_space.labels]
    if list(table.columns) != expected:
        missing = [name for name in expected if name not in table.columns]
        problem = f"it lacks {missing[:_SHOWN]}" if missing else f"it has {list(table.columns)}"
        raise CohortError(f"A cohort over '{label_space.name}' has the columns {expected}, in this order; {problem}.")
    wrong = [label for label in label_space.labels if table[label].dtype not in (np.bool_, pd.BooleanDtype())]
    if wrong:
        raise CohortError(
            f"Label columns must be boolean, but '{wrong[0]}' is {table[wrong[0]].dtype}. Prepare the data set again."
        )
    if not pd.api.types.is_float_dtype(table["age"]):
        raise CohortError(f"The column 'age' must hold numbers (NaN where unknown), but is {table['age'].dtype}.")


def _check_ids(table: pd.DataFrame) -> None:
    for column in (name for name in ("image_id", "patient_id", "view", "sex", "split", "source", "origin")):
        if table[column].isna().any() or not pd.api.types.is_string_dtype(table[column]):
            raise CohortError(f"The column '{column}' must hold text in every row. Prepare the data set again.")
    for column in ("image_id", "patient_id"):
        if (table[column] == "").any():
            raise CohortError(f"{int((table[column] == '').sum())} rows have an empty '{column}'. Every row needs one.")
    twice = table["image_id"][table["image_id"].duplicated()].unique()
    if len(twice):
        raise CohortError(f"{len(twice)} image ids stand more than once, for example {_some(twice)}. Ids are unique.")


def _check_no_finding(table: pd.DataFrame, label_space: LabelSpace) -> None:
    """No Finding is true only without a finding, false only with one (or one unknown), unknown only without one."""
    if label_space.no_finding is None:
        return
    image_ids, findings = table["image_id"].to_numpy(), table[list(label_space.findings)]
    none = boolean_array(table[[label_space.no_finding]])[:, 0]
    unknown = missing_array(table[[label_space.no_finding]])[:, 0]
    any_finding, any_unknown = boolean_array(findings).any(axis=1), missing_array(findings).any(axis=1)
    unsaid = image_ids[any_finding & unknown]
    if len(unsaid):
        raise CohortError(
            f"'{label_space.no_finding}' is unknown for {len(unsaid)} images that carry a finding, for example "
            f"{_some(unsaid)}. A finding makes it false: correct the label table."
        )
    wrong = image_ids[np.where(any_finding, none, ~none & ~unknown & ~any_unknown)]
    if len(wrong):
        raise CohortError(
            f"'{label_space.no_finding}' must be true exactly where no finding is, but {len(wrong)} images say "
            f"otherwise, for example {_some(wrong)}. Correct the label table."
        )


def _check_copies(table: pd.DataFrame) -> None:
    """An augmented copy and the image it came from are both in train."""
    copies = table.loc[table["origin"] != ""]
    if copies.empty:
        return
    train = set(table["image_id"][table["split"] == "train"])
    astray = copies["image_id"][(copies["split"] != "train") | ~copies["origin"].isin(train)].to_numpy()
    if len(astray):
        raise CohortError(
            f"{len(astray)} augmented images, or the images they were made from, are not in train, for example "
            f"{_some(astray)}. Augment after splitting, training rows only."
        )


def _some(values: npt.NDArray[np.object_] | Sequence[str]) -> str:
    """Return the first few values, for a message."""
    shown = ", ".join(str(value) for value in list(values)[:_SHOWN])
    return shown + (", ..." if len(values) > _SHOWN else "")
