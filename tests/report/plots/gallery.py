"""Every plot on made numbers: usual ones, hard ones, and many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cohortflow.evaluation.calibration import reliability
from cohortflow.evaluation.cases import Case, Cases
from cohortflow.evaluation.counts import confusion_matrix
from cohortflow.evaluation.curves import precision_recall_curve, roc_curve
from cohortflow.evaluation.statistics import ranking_stability
from cohortflow.report.plots.bland_altman import bland_altman_plot
from cohortflow.report.plots.calibration import calibration_plot
from cohortflow.report.plots.confusion import confusion_plot
from cohortflow.report.plots.forest import ForestRow, forest_plot
from cohortflow.report.plots.operating_curves import Operating, precision_recall_plot, roc_plot
from cohortflow.report.plots.overlap_volume import OfLabel, overlap_volume_plot
from cohortflow.report.plots.parts import Plot
from cohortflow.report.plots.raincloud import Cloud, raincloud_plot
from cohortflow.report.plots.ranking import ranking_plot

ORGANS = (
    "aorta", "gallbladder", "kidney_left", "kidney_right", "liver", "pancreas", "spleen", "stomach",
)  # fmt: skip


def classified(
    n: int, classes: tuple[str, ...] = ("HC", "MCI"), lost: int = 0, seed: int = 0
) -> Cases:
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % len(classes)
    logit = rng.normal(size=(n, len(classes))) + 1.5 * np.eye(len(classes))[truth]
    p = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    made = [
        Case(f"s{i:04d}", classes[t], classes[int(row.argmax())], row[-1], "scored", tuple(row))
        for i, (t, row) in enumerate(zip(truth, p, strict=True))
    ]
    made[:lost] = [Case(c.subject, c.truth, None, None, "missing") for c in made[:lost]]
    return Cases(tuple(made), classes, classes[-1])


def operating(make: Callable[..., Any], cases: Cases, seeds: int = 2) -> list[Operating]:
    named = cases.classes[-1:] if len(cases.classes) == 2 else cases.classes
    found = []
    for name in named:
        truth = np.array([case.truth == name for case in cases.cases])
        ranks = np.array([cases.of_class(c, name) or 0.0 for c in cases.cases])
        rng = np.random.default_rng(1)
        others = [
            make(truth, ranks + rng.normal(0, 0.1, len(ranks)), seed=s, resamples=2)
            for s in range(1, seeds)
        ]
        found.append(Operating(name, make(truth, ranks, seed=0), 0.823, 0.71, 0.91, others))
    return found


def dice(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Volumes and Dice of cases: larger structures overlap better."""
    rng = np.random.default_rng(seed)
    volume = np.exp(rng.normal(3.0, 1.2, n))
    return volume, np.clip(1 - 0.5 / np.sqrt(volume) - rng.gamma(2, 0.02, n), 0, 1)


def clouds(n: int, labels: tuple[str, ...] = ORGANS, worst: float = 0.0) -> list[Cloud]:
    return [
        Cloud(name, dice(n, seed)[1], np.full(seed % 3, worst)) for seed, name in enumerate(labels)
    ]


def of_labels(n: int, labels: tuple[str, ...] = ORGANS) -> list[OfLabel]:
    made = []
    for seed, name in enumerate(labels):
        volume, value = dice(n, seed)
        lost = np.arange(n) < seed % 3
        volume[n - 1 :] = 0.0 if seed == 2 else volume[n - 1 :]
        made.append(OfLabel(name, volume, np.where(lost, 0.0, value), lost))
    return made


def agreement(n: int, **more: Any) -> Plot:
    volume, _ = dice(n)
    other = volume * np.random.default_rng(2).normal(0.97, 0.05, n)
    return bland_altman_plot("bland", other, volume, unit="ml", what="liver, volume", **more)


def ranked(methods: int, n: int = 40) -> Plot:
    rng = np.random.default_rng(3)
    scores = rng.normal(0.8 + 0.01 * np.arange(methods), 0.05, (n, methods))
    names = [f"method {i}" for i in range(methods)]
    return ranking_plot(
        f"ranking{methods}", ranking_stability(scores, names, better="higher", seed=0)
    )


def forest(n: int) -> Plot:
    rows = [
        ForestRow(f"organ {i}", 0.9 - 0.01 * i, 0.85 - 0.01 * i, 0.94 - 0.01 * i, 40, i % 3)
        for i in range(n)
    ]
    rows.append(ForestRow("nowhere", np.nan, np.nan, np.nan, 0, 0, "in no case"))
    return forest_plot(f"forest{n}", rows, value="mean Dice", interval="BCa bootstrap, 95 %")


def gallery() -> list[Plot]:
    """Every plot as it is meant to look."""
    two, three = classified(60, lost=3), classified(90, ("CN", "MCI", "AD"))
    return [
        raincloud_plot("rain", clouds(60), value="Dice"),
        raincloud_plot("rain_mm", clouds(40, worst=np.inf), value="HD95", unit="mm"),
        overlap_volume_plot("overlap", of_labels(60), value="Dice"),
        forest(8),
        agreement(60, lost=2),
        ranked(4),
        roc_plot("roc", operating(roc_curve, two), "ROC, DMN H0"),
        precision_recall_plot(
            "pr", operating(precision_recall_curve, two), "Precision–recall, DMN H0"
        ),
        calibration_plot("calibration", reliability(two)),
        confusion_plot("confusion", confusion_matrix(two)),
        roc_plot("roc_three", operating(roc_curve, three)),
        precision_recall_plot("pr_three", operating(precision_recall_curve, three)),
        confusion_plot("confusion_three", confusion_matrix(three)),
        ranked(9),
    ]


def hard() -> list[Plot]:
    """One case, one class, all equal, NaN, nothing, very many: a picture or a reason."""
    one = np.array([0.5])
    nothing = np.empty(0)
    single = Cases((Case("s", "MCI", "MCI", 0.7, "scored", (0.3, 0.7)),), ("HC", "MCI"), "MCI")
    many = tuple(f"a long name of a structure {i}" for i in range(30))
    lost = replace_all(classified(12))
    return [
        raincloud_plot("one", [Cloud("a", one, nothing)], value="Dice"),
        raincloud_plot("equal", [Cloud("a", np.ones(30), nothing)], value="Dice"),
        raincloud_plot("lost", [Cloud("a", nothing, np.zeros(4))], value="Dice"),
        raincloud_plot("nan", [Cloud("a", np.array([np.nan, 0.5]), nothing)], value="Dice"),
        raincloud_plot(
            "infinite", [Cloud("a", nothing, np.full(3, np.inf))], value="HD", unit="mm"
        ),
        raincloud_plot("empty", [Cloud("a", nothing, nothing)], value="Dice"),
        raincloud_plot("none", [], value="Dice"),
        raincloud_plot("many", clouds(20, many), value="Dice"),
        overlap_volume_plot("vone", [OfLabel("a", one, one, np.array([False]))], value="Dice"),
        overlap_volume_plot(
            "vnone", [OfLabel("a", np.zeros(2), np.ones(2), np.zeros(2))], value="Dice"
        ),
        overlap_volume_plot("vmany", of_labels(20, many), value="Dice"),
        forest_plot("fone", [ForestRow("a", 0.5, np.nan, np.nan, 1)], value="Dice"),
        forest_plot("fnone", [], value="Dice"),
        forest_plot(
            "finf",
            [ForestRow("a", np.inf, np.nan, np.nan, 3, 1), ForestRow("b", 2.0, 1.0, 3.0, 3)],
            value="HD",
            unit="mm",
        ),
        forest(70),
        bland_altman_plot("bone", one, one, unit="ml", what="one"),
        bland_altman_plot("bequal", np.arange(5.0), np.arange(5.0) - 1.0, unit="ml", what="equal"),
        bland_altman_plot("bnan", np.array([np.nan]), one, unit="ml", what="nan"),
        bland_altman_plot("bnone", nothing, nothing, unit="ml", what="none"),
        confusion_plot("cone", confusion_matrix(single)),
        confusion_plot("cnone", confusion_matrix(Cases((), ("HC", "MCI"), "MCI"))),
        confusion_plot("clost", confusion_matrix(lost)),
        confusion_plot(
            "ctwelve", confusion_matrix(classified(200, tuple(f"class {i}" for i in range(12))))
        ),
        confusion_plot(
            "ctoo", confusion_matrix(classified(50, tuple(f"class {i}" for i in range(13))))
        ),
        calibration_plot("kone", reliability(single)),
        calibration_plot("klost", reliability(lost)),
        calibration_plot("kmany", reliability(classified(500), 20)),
        roc_plot(
            "rone", [Operating("MCI", roc_curve([True], one, seed=0), np.nan, np.nan, np.nan)]
        ),
        roc_plot(
            "rtwo",
            [Operating("MCI", roc_curve([True, False], [1.0, 0.0], seed=0), 1.0, np.nan, np.nan)],
        ),
        precision_recall_plot(
            "ptwo",
            [
                Operating(
                    "MCI",
                    precision_recall_curve([True, False], [0.0, 1.0], seed=0),
                    0.5,
                    np.nan,
                    np.nan,
                )
            ],
        ),
        roc_plot(
            "reight", operating(roc_curve, classified(80, tuple(f"class {i}" for i in range(8))))
        ),
        ranking_plot(
            "rank2", ranking_stability(np.zeros((2, 2)), ["a", "b"], better="higher", seed=0)
        ),
        ranking_plot(
            "ranktie", ranking_stability(np.zeros((9, 3)), ["a", "b", "c"], better="higher", seed=0)
        ),
    ]


def replace_all(cases: Cases) -> Cases:
    made = tuple(Case(c.subject, c.truth, None, None, "missing") for c in cases.cases)
    return Cases(made, cases.classes, cases.positive)
