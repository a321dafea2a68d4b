"""The usual place knows nothing of the patient it is held against."""

from __future__ import annotations

import numpy as np

from chestxpert.evaluation.localization.cases import Case
from chestxpert.evaluation.localization.detect import BoxRule, sweep_rules
from chestxpert.evaluation.localization.geometry import coverage
from chestxpert.evaluation.localization.measure import COLUMNS, Settings, measure_points, measure_usual
from chestxpert.evaluation.localization.usual_place import HALVINGS, SIDE, UsualPlace


def case(number: int, patient: str, box: tuple[float, float, float, float], finding: str = "Mass") -> Case:
    return Case(f"{number}.png", finding, patient, "test", np.array([box]))


SETTINGS = Settings(BoxRule.parse("share=0.5"))
RULES = sweep_rules(SETTINGS.rule)
LEFT, RIGHT = (0.0, 0.0, 0.25, 0.25), (0.5, 0.5, 1.0, 1.0)


def test_a_map_is_the_mean_of_the_other_halfs_boxes() -> None:
    cases = [case(n, f"p{n % 7}", (n / 20, 0, n / 20 + 0.3, 0.5)) for n in range(12)]
    usual = UsualPlace(cases, seed=1)
    for each in cases:
        keys = usual.keys_for(each)
        assert len(keys) == HALVINGS
        for key in keys:
            number, side, _ = key
            others = [o for o in cases if (number, side, "Mass") not in usual.keys_for(o)]
            assert each.patient not in {o.patient for o in others}
            expected = np.mean([coverage(o.boxes, SIDE, SIDE) for o in others], axis=0)
            np.testing.assert_allclose(usual[key], expected)


def test_an_own_box_far_from_all_others_is_never_hit() -> None:
    cases = [case(n, f"p{n}", LEFT) for n in range(9)] + [case(n, "odd", RIGHT) for n in (20, 21, 22)]
    line = measure_usual(cases, UsualPlace(cases, 0), SETTINGS, RULES)
    pointing = line.values[:, COLUMNS.index("pointing")]
    assert (pointing[9:] == 0).all(), "three boxes of one patient are not other patients' boxes"
    assert (pointing[:9] > 0.5).all()
    assert (line.values[9:, COLUMNS.index("energy")] == 0).all()


def test_a_finding_of_one_patient_has_no_usual_place() -> None:
    cases = [case(0, "p0", LEFT), case(1, "p0", RIGHT), case(2, "p1", LEFT, "Nodule")]
    usual = UsualPlace(cases, 0)
    assert [usual.keys_for(each) for each in cases] == [[], [], []]
    line = measure_usual(cases, usual, SETTINGS, RULES)
    assert np.isnan(line.values).all()
    assert np.isnan(line.sweep).all()


def test_the_seed_decides_the_halves_and_nothing_else_does() -> None:
    cases = [case(n, f"p{n}", (n / 20, 0, n / 20 + 0.3, 0.5)) for n in range(12)]
    first, again, other = (UsualPlace(order, seed) for order, seed in ((cases, 0), (cases[::-1], 0), (cases, 1)))
    assert all(first.keys_for(each) == again.keys_for(each) for each in cases)
    assert any(first.keys_for(each) != other.keys_for(each) for each in cases)


def test_points_that_look_at_nothing() -> None:
    cases = [case(0, "p0", LEFT), case(1, "p1", (0.4, 0.4, 0.6, 0.6))]
    lines = measure_points(cases, rules=2, tolerance=0)
    column = COLUMNS.index("pointing")
    np.testing.assert_allclose(lines["chance"].values[:, column], [1 / 16, 0.04])
    assert lines["centre"].values[:, column].tolist() == [0, 1]
    assert np.isnan(lines["chance"].values[:, COLUMNS.index("iou@0.5")]).all()
