"""Which taxonomy a name means: one that comes with ChestXpert, one that is computed, or a file of the user's own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from chestxpert.errors import LabelError
from chestxpert.labels import LabelSpace
from chestxpert.taxonomy.computed import majority_count, majority_taxonomy
from chestxpert.taxonomy.parse import parse_taxonomy
from chestxpert.taxonomy.tree import Taxonomy

COMPUTED = "majority-COUNT"
SUFFIXES = (".yaml", ".yml")


def taxonomies_folder() -> Path:
    """Folder of the taxonomies that come with ChestXpert: in the package, or beside it in a checkout."""
    packaged = Path(__file__).parents[1] / "taxonomies"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "taxonomies"


def builtin_taxonomies() -> dict[str, Path]:
    """The taxonomies that come with ChestXpert as files, by name; the study's first."""
    files = {path.stem: path for path in taxonomies_folder().glob("*.yaml")}
    return {name: files[name] for name in sorted(files, key=lambda name: (name != "study", name))}


def taxonomy(name: str, label_space: LabelSpace, counts: Mapping[str, int] | None = None) -> Taxonomy:
    """Taxonomy called `name` over `label_space`.

    Parameters
    ----------
    name : str
        ``study``, ``clinical``, ``majority-COUNT``, or the path of a YAML file, which ends in .yaml or .yml.
    label_space : LabelSpace
    counts : mapping of finding to int, optional
        Training images known to carry each finding; only ``majority-COUNT`` needs them.

    Raises
    ------
    LabelError
        If there is none of that name, it cannot be read, or it does not fit the label space.
    """
    count = majority_count(name)
    if count is not None:
        if counts is None:
            raise LabelError(
                f"The taxonomy '{name}' is split by how often findings occur in training images, so it needs a data "
                "set: give one with --data."
            )
        return majority_taxonomy(label_space, counts, count)
    path = Path(name)
    if path.suffix in SUFFIXES:
        return parse_taxonomy(_read(path), label_space, origin=str(path))
    builtin = builtin_taxonomies()
    if name in builtin:
        return parse_taxonomy(_read(builtin[name]), label_space, origin=f"Taxonomy '{name}'")
    near = difflib.get_close_matches(name, [*builtin, COMPUTED], n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"There is: {', '.join([*builtin, COMPUTED])}, or FILE.yaml."
    raise LabelError(f"There is no taxonomy '{name}'. {hint}")


def study_taxonomy(label_space: LabelSpace) -> Taxonomy:
    """Tree of the original study: A finding or none; B five frequent findings or 'minority'; C the other findings."""
    return taxonomy("study", label_space)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f"The taxonomy {path} cannot be read as text ({error}). Is the path right?") from error
