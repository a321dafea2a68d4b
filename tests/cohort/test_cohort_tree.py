import numpy as np

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.cohort.tree import cohort_taxonomy, training_counts
from chestxpert.labels import NIH15


def test_only_original_training_images_decide_what_is_frequent() -> None:
    train = ["Hernia"] * 4 + ["Fibrosis"] * 3 + ["Mass"] * 2
    other = ["Edema"] * 9
    names = [*train, *["Mass"] * 6, *other]
    origins = [*[""] * len(train), *["8.png"] * 6, *[""] * len(other)]
    ids = [f"{number}.png" for number in range(len(names))]
    split = ["train"] * (len(train) + 6) + ["test"] * len(other)
    patients = [origin or name for origin, name in zip(origins, ids, strict=True)]
    labels = np.array([NIH15.encode([name]) for name in names])
    table = make_table(ids, patients, labels, NIH15, split=split, source="nih").assign(origin=origins)
    cohort = Cohort(table, NIH15)
    counts = training_counts(cohort)
    assert {name: count for name, count in counts.items() if count} == {"Hernia": 4, "Fibrosis": 3, "Mass": 2}
    assert cohort.counts("train")["Mass"] == 8
    assert cohort_taxonomy("majority-2", cohort).decisions[1].children == ("Fibrosis", "Hernia", "minority")


def test_an_unknown_label_counts_for_no_finding() -> None:
    labels = np.array([NIH15.encode([name]) for name in ("Hernia", "Hernia", "Mass", "Mass")])
    known = np.ones_like(labels)
    known[0, NIH15.index("Hernia")] = known[0, NIH15.index("No Finding")] = False
    ids = ["1.png", "2.png", "3.png", "4.png"]
    cohort = Cohort(make_table(ids, ids, labels, NIH15, known=known, split=["train"] * 4, source="nih"), NIH15)
    assert training_counts(cohort)["Hernia"] == 1
    assert cohort_taxonomy("majority-1", cohort).decisions[1].children == ("Mass", "minority")
