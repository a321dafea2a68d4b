"""Remarks in a few lines for a person."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from chestxpert.cohort.table import Cohort
from chestxpert.errors import DataError
from chestxpert.quality.remarks import CHECKS, FILE

EXAMPLES = 3

_DUPLICATES = ("exact-duplicate", "near-duplicate")


def count_checks(quality: pd.DataFrame) -> dict[str, int]:
    """Number of remarks on images for each check that has any, in the order of `CHECKS`."""
    counts = quality.loc[quality["image_id"] != "", "check"].value_counts()
    return {check: int(counts[check]) for check in CHECKS if check in counts.index}


def leaks(quality: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Remarks on duplicates whose two images are in two splits."""
    split = cohort.table.set_index("image_id")["split"]
    pairs = quality.loc[quality["check"].isin(_DUPLICATES) & (quality["image_id"] != "")]
    one, other = (pairs[column].map(split).to_numpy(dtype=object) for column in ("image_id", "other"))
    found: pd.DataFrame = pairs.loc[one != other].reset_index(drop=True)
    return found


def leak_sentence(leaked: pd.DataFrame) -> str:
    """One sentence on what leaks, "" if nothing does."""
    if leaked.empty:
        return ""
    pairs = [f"{a} and {b}" for a, b in zip(leaked["image_id"][:EXAMPLES], leaked["other"][:EXAMPLES], strict=True)]
    more = ", ..." if len(leaked) > EXAMPLES else ""
    are = "pair of images is the same radiograph" if len(leaked) == 1 else "pairs of images are the same radiograph"
    return (
        f"LEAK: {len(leaked):,} {are} in two splits under two patient ids ({', '.join(pairs)}{more}). What is learned "
        "or chosen on one of them is judged on the other, so figures are too good: leave one of each pair out of the "
        "label table and prepare the data set anew."
    )


def require_no_leaks(quality: pd.DataFrame, cohort: Cohort, folder: Path) -> None:
    """Raise DataError if a radiograph is in two splits."""
    if leak := leak_sentence(leaks(quality, cohort)):
        raise DataError(f"{leak} All remarks: {folder / FILE}")


def notes(quality: pd.DataFrame, cohort: Cohort) -> tuple[str, ...]:
    """What someone who has just made a data set should know, in sentences."""
    counts = count_checks(quality)
    found = ", ".join(f"{check} {count:,}" for check, count in counts.items())
    labels = quality.loc[(quality["check"] == "label-version") & (quality["image_id"] == ""), "detail"]
    told = [leak_sentence(leaks(quality, cohort)), *labels]
    told.append(f"quality control found {found}; 'chestxpert data check' shows what." if found else "")
    return tuple(sentence for sentence in told if sentence)


def summarise(quality: pd.DataFrame, cohort: Cohort, folder: Path, examples: int = EXAMPLES) -> str:
    """Counts for each check with examples, what each means and what to do; leaks first.

    Parameters
    ----------
    quality : pandas.DataFrame
        Remarks, see `chestxpert.quality.read_quality`.
    cohort : Cohort
        Says which split an image is in.
    folder : Path
        Dataset folder, to be named.
    examples : int
        Remarks shown for each check.
    """
    counts = count_checks(quality)
    silent = [check for check in CHECKS if check not in set(quality["check"])]
    total = sum(counts.values())
    lines = [f"{len(cohort):,} images checked, {total:,} remark{'s' * (total != 1)}. Each is listed in {folder / FILE}"]
    if leak := leak_sentence(leaks(quality, cohort)):
        lines += ["", leak]
    for check in counts:
        lines += ["", *_about(check, counts[check], quality, examples)]
    general = quality[quality["image_id"] == ""]
    lines += [""] * bool(len(general))
    lines += [f"{check}: {detail}" for check, detail in zip(general["check"], general["detail"], strict=True)]
    if silent:
        lines += ["", f"Nothing found: {', '.join(silent)}"]
    return "\n".join(lines)


def _about(check: str, count: int, quality: pd.DataFrame, examples: int) -> list[str]:
    mine = quality[(quality["check"] == check) & (quality["image_id"] != "")].head(examples)
    shown = [
        f"  {image}{f' and {other}' if other else ''}: {detail}"
        for image, other, detail in zip(mine["image_id"], mine["other"], mine["detail"], strict=True)
    ]
    more = [f"  ... and {count - examples:,} more"] if count > examples else []
    return [f"{check}: {count:,}", f"  {CHECKS[check].meaning}", f"  What to do: {CHECKS[check].advice}", *shown, *more]
