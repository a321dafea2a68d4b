"""The line that writes a data set's augmented copies again, from what a study records of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any


def oversample_command(settings: Mapping[str, Any]) -> tuple[str, str]:
    """Data set that the copies were made from, and the command that makes the study's data set of it.

    Parameters
    ----------
    settings : mapping
        Contents of ``study.yaml``.

    Returns
    -------
    (str, str)
        Both empty where the study's data set has no copies, or does not say how they were made.
    """
    prepared = settings.get("prepared")
    record = prepared.get("oversample") if isinstance(prepared, Mapping) else None
    if not isinstance(record, Mapping) or not settings.get("dataset"):
        return "", ""
    original, arguments = record.get("dataset"), record.get("arguments")
    if not original or not isinstance(arguments, Mapping):
        return "", ""
    into = str(settings["dataset"])
    words = ["chestxpert", "data", "oversample", str(original), "--out", f"{into}-images", "--dataset", into]
    return str(original), shlex.join([*words, *_options(arguments)])


def _options(arguments: Mapping[str, Any]) -> list[str]:
    if arguments.get("like_study"):
        options = ["--like-study"]
    elif arguments.get("target") is not None:
        options = ["--target", str(arguments["target"])]
    else:
        options = ["--copies", *_pairs(arguments.get("copies"))]
    for key in ("max_copies", "seed"):
        if arguments.get(key) is not None:
            options += [f"--{key.replace('_', '-')}", str(arguments[key])]
    return [*options, "--augment", *_pairs(arguments["augment"])] if arguments.get("augment") else options


def _pairs(values: Any) -> list[str]:
    """``key=value`` words that YAML reads back."""
    if not isinstance(values, Mapping):
        return []
    return [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in values.items()]
