"""Per-finding bars: the best flat and the best hierarchical recipe, findings ordered by frequency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chestxpert.report.canvas import Canvas
from chestxpert.report.external import whom
from chestxpert.report.figure import Figure, Key, Table, side_key, two_widths
from chestxpert.report.results import Results, finding_name
from chestxpert.report.rows import Mark, Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import UNDEFINED, Scale, decimal, domain, grouped
from chestxpert.report.shortcut import NAME, draw_floor, floor_keys, floor_words

METRIC_WORDS = {"auroc": "AUROC", "ap": "Average precision", "f1": "F1"}


def findings_figure(
    results: Results,
    findings: Sequence[str],
    positives: Mapping[str, int],
    prevalence: Mapping[str, float],
) -> Figure:
    """Bars with intervals by finding.

    Parameters
    ----------
    findings : sequence of str
        In the order shown, most frequent in training first.
    positives, prevalence : mappings of finding to its test images, and to their share of all test images
    """
    best = results.drawn
    floors = [results.floor("auroc", finding) for finding in findings]
    rows = [Row(finding_name(finding), note=grouped(positives[finding])) for finding in findings]
    panels = [
        Panel("AUROC", *_auroc_ends(results, findings, best), _bars(results, findings, best, "auroc", 0.5)),
        Panel(
            "Average precision", 0.0, _top(results, findings, best, "ap", prevalence),
            _bars(results, findings, best, "ap", 0.0, prevalence),
        ),
    ]  # fmt: skip
    return Figure(
        anchor="fig-findings",
        title="Finding by finding, from frequent to rare",
        caption=(
            f"Bars of {whom(results)} on the test split, with 95 % intervals. AUROC bars start at "
            "0.5, where guessing stands. Average precision starts at 0; the short upright line is what guessing "
            "reaches, the finding's share of the test images. Findings are ordered by their number of training "
            "images; the column gives their test images. Few test images, wide intervals; an arrow marks one "
            "that goes on beyond the axis."
            + floor_words(*floors)
        ),
        picture=two_widths(
            lambda frame: draw_rows(rows, panels, frame, note_title="test n"), _spoken(results, findings, best),
            max(28, 6 + 11 * len(best)),
        ),
        tables=[findings_table(results, findings, metric, positives) for metric in METRIC_WORDS],
        keys=[
            *(side_key(results.side(name), name) for name in best),
            Key("reference", "bar", "guessing"),
            *floor_keys(*floors),
        ],
    )  # fmt: skip


def _auroc_ends(results: Results, findings: Sequence[str], best: Sequence[str]) -> tuple[float, float]:
    """Ends that hold every mean; intervals of a few cases may run on below 0.3."""
    estimates = [results.label(name, finding, "auroc") for name in best for finding in findings]
    means = [estimate.mean for estimate in estimates]
    lows = [max(estimate.low, 0.3) for estimate in estimates if estimate.low is not None]
    return domain([0.4, 0.9, *means, *lows, *(estimate.high for estimate in estimates)], floor=0.0, ceiling=1.0)


def _top(
    results: Results, findings: Sequence[str], best: Sequence[str], metric: str, prevalence: Mapping[str, float]
) -> float:
    values = [v for n in best for f in findings for e in [results.label(n, f, metric)] for v in (e.mean, e.high)]
    return domain([0.0, 0.2, *values, *prevalence.values()], floor=0.0, ceiling=1.0)[1]


def _bars(
    results: Results,
    findings: Sequence[str],
    best: Sequence[str],
    metric: str,
    origin: float,
    prevalence: Mapping[str, float] | None = None,
) -> Mark:
    reach = max(12.0, 1 + 5.5 * len(best))  # to beyond the outermost bars

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        finding = findings[index]
        if all(results.label(name, finding, metric).mean is None for name in best):
            canvas.text(scale(origin) + 6, y + 4, UNDEFINED, "tick")
            return
        for place, name in enumerate(best):
            middle = y + (place - (len(best) - 1) / 2) * 11
            with canvas.about(name):
                _bar(canvas, scale, middle, origin, results, (name, finding, metric))
        if prevalence is not None:
            x = scale(prevalence[finding])
            canvas.line(x, y - reach, x, y + reach, "guess")
        draw_floor(canvas, scale, results.floor(metric, finding), y, reach)

    return mark


def _bar(canvas: Canvas, scale: Scale, y: float, origin: float, results: Results, what: tuple[str, str, str]) -> None:
    name, finding, metric = what
    estimate, side = results.label(name, finding, metric), results.side(name)
    if estimate.mean is None:
        canvas.text(scale(origin) + 4, y + 3.5, UNDEFINED, "tick")
        return
    left, right = sorted((scale(origin), scale(estimate.mean)))
    tip = f"{finding_name(finding)}, {name}: {METRIC_WORDS[metric]} {estimate.words()}"
    canvas.rect(left, y - 4, right - left, 8, f"bar {side}", tip=tip)
    draw_interval(canvas, scale, (estimate.low, estimate.high), y, f"thin {side}")
    canvas.marker(scale(estimate.mean), y, results.hierarchical(name), f"dot {side}", size=3.2, tip=tip)


def _spoken(results: Results, findings: Sequence[str], best: Sequence[str]) -> str:
    parts = [
        f"{finding_name(f)} " + " and ".join(f"{decimal(results.label(n, f, 'auroc').mean, 2)} ({n})" for n in best)
        for f in findings
    ]
    return f"AUROC by finding: {'; '.join(parts)}."


def findings_table(results: Results, findings: Sequence[str], metric: str, positives: Mapping[str, int]) -> Table:
    """One metric of every finding and every recipe, and what is reached without an image."""
    floors = any(results.floor(metric, finding) is not None for finding in findings)
    rows = [
        [
            finding_name(f), grouped(positives[f]), *([decimal(results.floor(metric, f))] if floors else []),
            *(results.label(name, f, metric).words() for name in results.members),
        ]
        for f in findings
    ]  # fmt: skip
    head = ["finding", "test n", *([NAME] if floors else []), *results.members]
    return Table(head, rows, note=METRIC_WORDS[metric])
