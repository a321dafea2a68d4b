"""What the tail study found, as Markdown: tables, and under each a sentence on what is shown and what is not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from results_table import DASH, markdown
from tail_measures import ALL, Estimate, Measured, adjusted

from chestxpert.report.scales import decimal, p_value, signed

BASELINE = "flat-basic"
MATCHED, CROSSED = "tree-matched", "tree-crossed"
TAIL = "tail"


def counts_table(measured: Measured, groups: dict[str, list[str]]) -> str:
    """How many training images each finding has, by condition, and how many test images."""
    conditions = list(measured.counts)
    rows = [
        [
            finding,
            group,
            *(f"{measured.counts[name][finding]:,}" for name in conditions),
            f"{measured.test_counts[finding]:,}",
        ]
        for group, findings in groups.items()
        if group != ALL
        for finding in sorted(findings, key=lambda f: -measured.counts[conditions[0]][f])
    ]
    total = ["images", "", *(f"{measured.images[name]:,}" for name in conditions), f"{measured.test_images:,}"]
    return markdown(["finding", "group", *conditions, "test"], [*rows, total])


def group_table(measured: Measured, conditions: Sequence[str], group: str, metric: str = "ap") -> str:
    """A row a recipe, a column a condition."""
    recipes = list(measured.scores[conditions[0]])
    rows = [
        [recipe, *(words(measured.value(name, recipe, group, metric)) for name in conditions)] for recipe in recipes
    ]
    return markdown(["recipe", *conditions], rows)


def recovery_table(measured: Measured, mild: str, extreme: str) -> str:
    """What the baseline's tail loses, and what of it each recipe brings back."""
    recipes = [name for name in measured.scores[extreme] if name != BASELINE]
    won = adjusted([measured.difference(extreme, name, BASELINE, TAIL) for name in recipes])
    rows = []
    for name, estimate in zip(recipes, won, strict=True):
        share = measured.recovered(mild, extreme, name, BASELINE, TAIL)
        spread = measured.seed_spread(extreme, name, TAIL)
        rows.append([name, difference(estimate), p_value(estimate.p), percent(share), decimal(none_if_nan(spread))])
    easy, hard = (measured.value(condition, BASELINE, TAIL) for condition in (mild, extreme))
    table = markdown(["recipe", f"minus {BASELINE}", "p", "share of the loss", "sd of seeds"], rows)
    lost = f"{BASELINE} loses {easy.mean - hard.mean:.3f}: {words(easy)} ({mild}) to {words(hard)} ({extreme})."
    return f"{lost}\n\n{table}\n\n{sentence(dict(zip(recipes, won, strict=True)), f'{BASELINE} at {extreme}')}"


def trees_table(measured: Measured) -> str:
    """Each condition: the tree whose siblings look alike and the one whose do not, against flat and each other."""
    pairs = ((MATCHED, BASELINE), (CROSSED, BASELINE), (MATCHED, CROSSED))
    cases = [(name, pair) for name in measured.scores for pair in pairs]
    parts = []
    for group in (ALL, TAIL):
        found = adjusted([measured.difference(name, *pair, group) for name, pair in cases])
        by_case = dict(zip(cases, found, strict=True))
        rows = [
            [name, words(measured.value(name, BASELINE, group)), *(difference(by_case[name, pair]) for pair in pairs)]
            for name in measured.scores
        ]
        header = ["training set", BASELINE, "matched - flat", "crossed - flat", "matched - crossed"]
        named = {f"{a} - {b} at {name}": estimate for (name, (a, b)), estimate in by_case.items()}
        title = "Over all findings" if group == ALL else "Over tail findings"
        parts.append(f"{title}:\n\n{markdown(header, rows)}\n\n{sentence(named, 'zero')}")
    return "\n\n".join(parts)


def sentence(estimates: dict[str, Estimate], against: str) -> str:
    """Which of some differences are shown."""
    above = [name for name, e in estimates.items() if e.clear and e.mean > 0]
    below = [name for name, e in estimates.items() if e.clear and e.mean < 0]
    if not above and not below:
        return f"No difference from {against} is shown for any of the {len(estimates)}."
    said = [f"Shown above {against}: {', '.join(above) or 'none'}", f"below: {', '.join(below) or 'none'}"]
    rest = len(estimates) - len(above) - len(below)
    return "; ".join([*said, f"no difference shown for the other {rest}"]) + "."


def words(estimate: Estimate) -> str:
    """For example ``0.312 [0.290, 0.331]``."""
    if math.isnan(estimate.mean):
        return DASH
    return f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def difference(estimate: Estimate) -> str:
    """For example ``+0.012 [-0.004, +0.027]``, in bold where it is shown."""
    if math.isnan(estimate.mean):
        return DASH
    told = f"{signed(estimate.mean)} [{signed(estimate.low)}, {signed(estimate.high)}]"
    return f"**{told}**" if estimate.clear else told


def percent(estimate: Estimate) -> str:
    """For example ``12 % [-3, 25]``."""
    if math.isnan(estimate.mean):
        return DASH
    return f"{estimate.mean:.0%} [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]".replace("%", " %")


def none_if_nan(value: float) -> float | None:
    """What `decimal` takes for undefined."""
    return None if math.isnan(value) else value
