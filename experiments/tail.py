"""Which methods help as the tail grows longer, and when a tree helps, where the truth is known.

Run: python experiments/tail.py --out studies/tail [--seeds 3] [--recipes flat-basic flat-asl ...]

Draws training sets with tails of different length (the simulator's exponent), all measured on one test set in which
every finding is equally frequent; trains every recipe on each, heads on cached features of the fixed backbone, with one
budget; and writes OUT/tail.md:

- macro average precision and AUROC of head, medium and tail findings, by recipe and exponent;
- what of the tail's loss from the mildest to the longest tail each recipe brings back;
- a tree whose siblings look alike to the backbone, one of the same shape whose siblings do not, and flat, side by side:
  with each exponent, with a quarter of the images, and with a share of the labels wrong.

Intervals are over test patients. Each training set is drawn once, so how figures would vary with another draw of it is
not in them. A call that was interrupted goes on when it is repeated. Everything is simulated: nothing here is a
statement about radiographs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tail_data import Condition, Size, make_dataset
from tail_measures import Measured, fixed_groups
from tail_tables import BASELINE, CROSSED, MATCHED, counts_table, group_table, recovery_table, trees_table
from tail_trees import cosines, grouped, likeness, read_groups, write_tree

from chestxpert.cli.progress import progress_on_stderr
from chestxpert.cohort.table import Cohort
from chestxpert.dataset import Dataset
from chestxpert.errors import UsageError
from chestxpert.files import write_text
from chestxpert.recipe import Recipe, load_recipe
from chestxpert.study.plan import StudyPlan, load_recipes
from chestxpert.study.run import run_study
from chestxpert.training.networks import NetworkKit

RECIPES = (
    BASELINE, "flat-weighted", "flat-class-balanced", "flat-asl", "flat-db", "flat-ldam-drw", "flat-repeat-factor",
    "flat-ml-ros", "flat-balanced-mixup", "flat-resampled", "flat-crt", "hierarchical-cascade",
    "hierarchical-cascade-balanced", "hierarchical-unconditional",
)  # fmt: skip
FEW, NOISE = 0.25, 0.2


def conditions(exponents: Sequence[float]) -> dict[str, Condition]:
    """A training set for each exponent, and two more with the longest tail: fewer images, and wrong labels."""
    whole = [Condition(f"t={exponent:g}", exponent) for exponent in exponents]
    longest = max(exponents)
    few = Condition(f"t={longest:g}, {FEW:.0%} of images".replace("%", " %"), longest, share=FEW)
    noisy = Condition(f"t={longest:g}, {NOISE:.0%} of labels wrong".replace("%", " %"), longest, label_noise=NOISE)
    return {condition.name: condition for condition in (*whole, few, noisy)}


def tree_files(out: Path) -> tuple[Path, Path]:
    """Where the matched and the crossed tree are."""
    return out.absolute() / "trees" / "matched.yaml", out.absolute() / "trees" / "crossed.yaml"


def trees(out: Path, data: Path, settings: Sequence[str]) -> tuple[Recipe, Recipe]:
    """The shared hierarchy along either tree: networks of one shape, which differ by who is whose sibling.

    The trees follow from the training images of `data`, unless they are there already.
    """
    recipe = load_recipe("hierarchical-shared", settings)
    matched, crossed = tree_files(out)
    if not crossed.is_file():
        dataset = Dataset.load(data)
        NetworkKit.create(recipe, dataset, progress_on_stderr()).source(recipe)
        alike = cosines(_features(data), dataset.cohort, ("train", "val"))
        write_tree(matched, grouped(alike))
        write_tree(crossed, grouped(-alike))
    return (
        replace(recipe, name=MATCHED, taxonomy=str(matched)),
        replace(recipe, name=CROSSED, taxonomy=str(crossed)),
    )


def _features(data: Path) -> npt.NDArray[np.float16]:
    """Features of the unchanged images of a dataset folder, of which there is one kind here."""
    features: npt.NDArray[np.float16] = np.load(next((data / "features").glob("*/plain.npy")), mmap_mode="r")
    return features


def train(arguments: argparse.Namespace, size: Size) -> dict[str, Path]:
    """Draw and train what is missing; returns the study folder of each condition."""
    out, progress = arguments.out, progress_on_stderr()
    settings = ["freeze=true", f"views={arguments.views}", *arguments.overrides]
    methods = load_recipes(arguments.recipes, settings, freeze=True)
    studies = {}
    for number, (name, condition) in enumerate(conditions(arguments.exponents).items()):
        progress.note(f"training set {name}")
        folder = out / "sets" / f"{number}"
        data = make_dataset(folder, condition, size, arguments.workers)
        if number == 0:
            pair = trees(out, data, settings)
        whole = number < len(arguments.exponents)
        recipes = (*(methods if whole else methods[:1]), *pair)
        plan = StudyPlan(data, recipes, tuple(range(arguments.seeds)), taxonomy=pair[0].taxonomy)
        studies[name] = folder / "study"
        run_study(plan, studies[name], resume=True, draws=arguments.draws, workers=arguments.workers, progress=progress)
    return studies


def tell(arguments: argparse.Namespace, size: Size, studies: dict[str, Path], seconds: float) -> str:
    """The page."""
    groups = fixed_groups(max(arguments.exponents))
    measured = Measured(studies, groups, arguments.draws)
    names = list(studies)[: len(arguments.exponents)]
    mild, longest = (names[arguments.exponents.index(pick(arguments.exponents))] for pick in (min, max))
    parts = [
        f"Simulated images, no radiographs: {size.size} px, difficulty {size.difficulty:g}; {arguments.seeds} seeds, "
        f"{arguments.draws:,} draws over {measured.test_patients:,} test patients; {seconds / 60:.0f} min.",
        f"## Training images with each finding\n\n{counts_table(measured, groups)}",
    ]
    for group in ("tail", "medium", "head"):
        for metric, words in (("ap", "average precision"), ("auroc", "AUROC")):
            table = group_table(measured, names, group, metric)
            parts.append(f"## Macro {words} of {group} findings ({', '.join(groups[group])})\n\n{table}")
    parts.append(f"## What the tail loses, and what comes back\n\n{recovery_table(measured, mild, longest)}")
    parts.append(f"## Trees\n\n{_trees(arguments.out, studies[names[0]].parent)}\n\n{trees_table(measured)}")
    return "\n\n".join(parts) + "\n"


def _trees(out: Path, first: Path) -> str:
    """Who is whose sibling, and how alike siblings look to the backbone on images that did not choose the tree."""
    data = next((first / "data").iterdir())
    alike = cosines(_features(data), Cohort.load(data / "cohort.parquet"), ["test"])
    lines = []
    for path in tree_files(out):
        groups = read_groups(path)
        names = "; ".join(", ".join(findings) for findings in groups.values())
        lines.append(
            f"- {path.stem}, mean cosine between siblings on the test images {likeness(alike, groups):.2f}: {names}"
        )
    return "\n".join(lines)


def check_design(out: Path, design: dict[str, object]) -> None:
    """Write down what is asked for; UsageError if `out` was begun with something else."""
    path = out / "design.json"
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != design:
        raise UsageError(f"{out} was begun with other arguments: see {path}. Repeat those, or choose another --out.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(design, indent=2) + "\n")


def main(words: Sequence[str] | None = None) -> None:
    """Draw, train, measure, write and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    parser.add_argument(
        "--exponents", type=float, nargs="+", default=[0.5, 1.0, 1.5], help="tails (default: %(default)s)"
    )
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), help="methods (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each recipe (default: %(default)s)")
    parser.add_argument("--images", type=int, default=4000, help="of a training set (default: %(default)s)")
    parser.add_argument("--test-images", type=int, default=2000, help="of the test set (default: %(default)s)")
    parser.add_argument("--size", type=int, default=128, help="side in pixels (default: %(default)s)")
    parser.add_argument("--difficulty", type=float, default=0.4, help="of the images, 0 to 1 (default: %(default)s)")
    parser.add_argument("--views", type=int, default=2, help="augmented views a training image (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=2000, help="bootstrap draws (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="processes (default: one for each core)")
    parser.add_argument(
        "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[], help="of every recipe"
    )
    arguments = parser.parse_args(words)
    if arguments.recipes[0] != BASELINE:
        parser.error(f"the first recipe is the one all are held against, and must be {BASELINE}")
    size = Size(arguments.images, arguments.test_images, arguments.size, arguments.difficulty)
    design = asdict(size) | {
        key: vars(arguments)[key] for key in ("exponents", "recipes", "seeds", "views", "overrides")
    }
    started = time.monotonic()
    check_design(arguments.out, design)
    page = tell(arguments, size, train(arguments, size), time.monotonic() - started)
    write_text(arguments.out / "tail.md", page)
    print(page)


if __name__ == "__main__":
    main()
