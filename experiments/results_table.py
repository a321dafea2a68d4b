"""The table of a study as Markdown, for a page of results.

Run: python experiments/results_table.py STUDY [STUDY ...]

Reads comparison.json alone. A row a recipe, in the order of the study: macro AUROC, average precision and F1 over the
findings (No Finding left out) with 95 % intervals over patients; average precision of head, medium and tail findings;
and by how much macro average precision (over all labels, the study's primary metric) exceeds the baseline's, with
interval and the p-value adjusted by Holm's method. What is not defined is a dash.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from chestxpert.cohort.frequency import GROUPS
from chestxpert.report.results import Results
from chestxpert.report.scales import p_value, signed
from chestxpert.report.stored_values import Contrast

FINDINGS = {"macro_auroc_findings": "AUROC", "macro_ap_findings": "AP", "macro_f1_findings": "F1"}
DASH = "-"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def results_table(results: Results) -> str:
    """A row a recipe."""
    baseline = str(results.comparison["baseline"])
    groups = [f"AP {group}" for group in GROUPS]
    header = ["recipe", *FINDINGS.values(), *groups, f"AP of all labels, minus {baseline}", "p"]
    return markdown(header, [_row(results, name, baseline) for name in results.recipes])


def _row(results: Results, name: str, baseline: str) -> list[str]:
    cells = [results.metric(name, metric).words() for metric in FINDINGS]
    for group in GROUPS:
        estimate = results.metric(name, f"macro_ap_{group}")
        cells.append(estimate.words() if estimate.mean is not None else DASH)
    contrast = _against(results, name, baseline)
    if contrast is None or contrast.difference is None:
        return [name, *cells, DASH, DASH]
    difference = f"{signed(contrast.difference)} [{signed(contrast.low)}, {signed(contrast.high)}]"
    return [name, *cells, f"**{difference}**" if contrast.clear else difference, p_value(contrast.p_adjusted)]


def _against(results: Results, name: str, baseline: str) -> Contrast | None:
    """The contrast of a recipe with the baseline on the primary metric, whatever other comparison it also is."""
    found = (c for c in results.contrasts if (c.a, c.b, c.metric) == (name, baseline, results.primary))
    return next(found, None)


def about(results: Results) -> str:
    """One line on what the table was measured on."""
    comparison = results.comparison
    images, patients = comparison["cohort"]["images"], comparison["cohort"]["patients"]
    members: dict[str, list[str]] = {group: [] for group in GROUPS}
    for finding, group in comparison["cohort"]["groups"].items():
        members[group].append(finding)
    told = "; ".join(f"{group}: {', '.join(names) or 'none'}" for group, names in members.items())
    drawn = "Simulated images, no radiographs. " if comparison["cohort"]["simulated"] else ""
    sides = ", ".join(f"{images[split]:,} {split}" for split in images)
    return (
        f"{drawn}Images: {sides}; {patients['test']:,} test patients; {comparison['bootstrap']['draws']:,} draws. "
        f"{told}. In bold: a difference shown."
    )


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables of the studies named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", metavar="STUDY", type=Path, help="folder that 'chestxpert compare' made")
    for study in parser.parse_args(words).studies:
        path = study / "comparison.json"
        if not path.is_file():
            parser.exit(1, f"{study} holds no comparison. Make one with 'chestxpert compare'.\n")
        results = Results(json.loads(path.read_text(encoding="utf-8")))
        print(f"{about(results)}\n\n{results_table(results)}\n")


if __name__ == "__main__":
    main()
