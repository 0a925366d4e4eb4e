"""The numbers behind each plot, their bytes, and what stands where there is nothing to draw."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gaussian_kde
from sklearn import metrics as peer
from sklearn.calibration import calibration_curve

from cohortflow.evaluation.calibration import reliability
from cohortflow.evaluation.counts import confusion_matrix
from cohortflow.evaluation.curves import precision_recall_curve, roc_curve
from cohortflow.evaluation.statistics import bland_altman, ranking_stability
from cohortflow.report.blocks import Figure, Note
from cohortflow.report.plots.bland_altman import bland_altman_plot
from cohortflow.report.plots.calibration import calibration_plot
from cohortflow.report.plots.confusion import confusion_plot
from cohortflow.report.plots.forest import ForestRow, forest_plot
from cohortflow.report.plots.operating_curves import Operating, precision_recall_plot, roc_plot
from cohortflow.report.plots.overlap_volume import OfLabel, overlap_volume_plot
from cohortflow.report.plots.parts import Plot, ink, number, thinned
from cohortflow.report.plots.raincloud import Cloud, density, raincloud_plot
from cohortflow.report.plots.ranking import ranking_plot
from cohortflow.report.render import plain
from tests.report.plots import gallery

NOTHING = np.empty(0)
values = st.lists(
    st.floats(-1e6, 1e6) | st.just(float("nan")) | st.just(float("inf")), max_size=12
).map(lambda found: np.array(found, np.float64))


def figure(plot: Plot) -> Figure:
    assert isinstance(plot, Figure)
    return plot


def note(plot: Plot) -> str:
    assert isinstance(plot, Note)
    return plot.text


def texts(plot: Plot) -> list[str]:
    root = ElementTree.fromstring(figure(plot).svg)
    return ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]


@pytest.mark.slow
def test_every_plot_repeats_byte_by_byte_and_can_be_told() -> None:
    for one, other in zip(gallery.gallery(), gallery.gallery(), strict=True):
        drawn = figure(one)
        assert drawn.svg == figure(other).svg
        assert drawn.alt.endswith(".")
        assert re.search(r"\bn\b|cases", drawn.caption)
        assert drawn.data
        assert plain(dict(drawn.data))
        assert not re.search(r"#0[1-7]a2b3", drawn.svg)


def test_a_plot_repeats_byte_by_byte() -> None:
    one, other = (raincloud_plot("r", gallery.clouds(9), value="Dice") for _ in range(2))
    assert figure(one).svg == figure(other).svg


def test_what_is_hard_is_drawn_or_says_why_not() -> None:
    found = gallery.hard()
    reasons = [plot.text for plot in found if isinstance(plot, Note)]
    assert all(re.fullmatch(r".+ not shown: .+\.", text) for text in reasons)
    assert len(reasons) == 12, reasons


def test_a_raincloud_counts_lost_cases_at_their_worst() -> None:
    measured = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
    cloud = Cloud("liver", measured, np.zeros(2))
    data = figure(raincloud_plot("r", [cloud], value="Dice")).data["liver"]
    counted = np.r_[measured, 0.0, 0.0]
    assert data["quartiles"] == pytest.approx(np.quantile(counted, (0.25, 0.5, 0.75)))
    assert data["mean"] == pytest.approx(counted.mean())
    assert (data["n"], data["measured"], data["lost"]) == (8, 6, 2)
    assert "n 8, 2 lost" in texts(raincloud_plot("r", [cloud], value="Dice"))
    at, heights = density(measured)
    assert heights == pytest.approx(gaussian_kde(measured, "scott")(at))
    assert note(raincloud_plot("r", [Cloud("a", NOTHING, np.full(2, np.inf))], value="HD")) == (
        "Distribution of HD not shown: every case counts as infinite."
    )


@given(values, values)
@settings(max_examples=12, deadline=None)
def test_whatever_is_given_stays_inside(measured: Any, lost: Any) -> None:
    for plot in (
        raincloud_plot("r", [Cloud("a", measured, lost)], value="x"),
        bland_altman_plot("b", measured, measured[::-1] / 2.0, unit="ml", what="x"),
    ):
        if isinstance(plot, Note):
            continue
        root = ElementTree.fromstring(plot.svg)
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        for node in root.iter("{http://www.w3.org/2000/svg}use"):
            assert 0.0 <= float(node.attrib.get("x", 0)) <= width
            assert 0.0 <= float(node.attrib.get("y", 0)) <= height


def test_many_cases_are_thinned_and_it_is_said() -> None:
    cloud = figure(raincloud_plot("r", gallery.clouds(5000), value="Dice"))
    assert "1,600 of 40,000 points are drawn, evenly by rank" in cloud.caption
    scatter = figure(overlap_volume_plot("v", gallery.of_labels(5000), value="Dice"))
    assert "of 40,000 points are drawn" in scatter.caption
    assert all(len(plot.svg) < 400_000 for plot in (cloud, scatter))
    assert cloud.data["aorta"]["n"] == 5000, "numbers are of all"
    column = np.random.default_rng(0).normal(size=999)
    places = thinned(column, 50)
    assert len(places) == 50
    assert {int(column.argmin()), int(column.argmax())} <= set(places.tolist())
    assert (thinned(column, 1000) == np.arange(999)).all()


def test_limits_of_agreement_are_those_of_the_statistic() -> None:
    volume, _ = gallery.dice(30)
    other = np.r_[volume[:29] * 1.1, np.nan]
    plot = figure(bland_altman_plot("b", other, volume, unit="ml", what="liver", lost=1))
    known = bland_altman(other[:29], volume[:29], unit="ml")
    assert plot.data["limits"] == [known.lower, known.upper]
    assert plot.data["bias_interval"] == known.bias_interval
    assert (plot.data["n"], plot.data["lost"]) == (29, 2)
    assert "2 cases lack one of the two" in plot.caption


def test_curves_carry_scikit_learns_numbers() -> None:
    cases = gallery.classified(40)
    truth = [case.truth == "MCI" for case in cases.cases]
    ranks = [case.probability for case in cases.cases]
    roc = figure(roc_plot("r", gallery.operating(roc_curve, cases))).data["MCI"]
    x, y, _ = peer.roc_curve(truth, ranks, drop_intermediate=False)
    assert np.allclose([roc["x"], roc["y"]], [x, y])
    pr = figure(precision_recall_plot("p", gallery.operating(precision_recall_curve, cases)))
    precision, recall, _ = peer.precision_recall_curve(truth, ranks, drop_intermediate=False)
    assert np.allclose(pr.data["MCI"]["y"], precision[:-1][::-1])
    assert np.allclose(pr.data["MCI"]["x"], recall[:-1][::-1])
    assert "prevalence" in pr.caption


@pytest.mark.parametrize("make", [roc_curve, precision_recall_curve])
def test_a_curve_of_many_cases_is_drawn_through_some_of_its_points_and_says_so(make: Any) -> None:
    cases = gallery.classified(4000)
    (one,) = gallery.operating(make, cases)
    plot = figure((roc_plot if make is roc_curve else precision_recall_plot)("r", [one]))
    found = plot.data["MCI"]
    assert "at most 150 of its up to 4,00" in plot.caption
    assert len(found["x"]) <= 150 < found["points"] == len(one.curve.x)
    whole = {*zip(one.curve.x, one.curve.y, strict=True)}
    drawn = [*zip(found["x"], found["y"], strict=True)]
    assert set(drawn) <= whole
    assert drawn[0] == (one.curve.x[0], one.curve.y[0])
    assert drawn[-1] == (one.curve.x[-1], one.curve.y[-1])
    # Between neighbours the curve goes no further than a step of a 149th of its way, and a point.
    way = np.abs(np.diff(one.curve.x)) + np.abs(np.diff(one.curve.y))
    steps = np.abs(np.diff(found["x"])) + np.abs(np.diff(found["y"]))
    assert steps.max() <= way.sum() / 148 + 2 * way.max()
    few = gallery.operating(make, gallery.classified(40))
    plot = figure((roc_plot if make is roc_curve else precision_recall_plot)("r", few))
    assert "of its up to" not in plot.caption


def test_a_class_that_is_not_drawn_is_named() -> None:
    few = Operating("AD", roc_curve([False, False], [0.1, 0.2], seed=0), np.nan, np.nan, np.nan)
    drawn = gallery.operating(roc_curve, gallery.classified(20))
    assert "Not drawn: AD (cases of one class only)" in figure(roc_plot("r", [*drawn, few])).caption
    assert note(roc_plot("r", [few])) == "ROC curve not shown: AD: cases of one class only."


def test_calibration_is_scikit_learns() -> None:
    cases = gallery.classified(300)
    data = figure(calibration_plot("c", reliability(cases))).data
    confidence = [max(case.probabilities or ()) for case in cases.cases]
    right = [case.correct for case in cases.cases]
    share, mean = calibration_curve(right, confidence, n_bins=10)
    kept = np.asarray(data["count"]) > 0
    assert np.asarray(data["accuracy"])[kept] == pytest.approx(share)
    assert np.asarray(data["confidence"])[kept] == pytest.approx(mean)
    assert data["bins"] == 10


def test_confusion_is_scikit_learns_with_the_lost_apart() -> None:
    cases = gallery.classified(30, ("A", "B", "C"), lost=4)
    data = figure(confusion_plot("c", confusion_matrix(cases))).data
    kept = [case for case in cases.cases if case.prediction]
    known = peer.confusion_matrix([c.truth for c in kept], [c.prediction for c in kept])
    assert (data["counts"] == known).all()
    assert data["missing"].sum() == 4
    assert np.nansum(data["shares"], axis=1) == pytest.approx(1.0)
    assert "none" in texts(confusion_plot("c", confusion_matrix(cases)))


def test_ranks_are_those_of_the_statistic() -> None:
    scores = np.random.default_rng(3).normal([0.7, 0.9, 0.8], 0.2, (20, 3))
    found = ranking_stability(scores, ["a", "b", "c"], better="higher", seed=0)
    data = figure(ranking_plot("r", found)).data
    assert np.array(list(data["shares"].values())) == pytest.approx(found.share_of_ranks())
    assert list(data["ranks"].values()) == found.ranks.tolist()
    assert (data["n"], data["resamples"]) == (20, 1000)


def test_volumes_of_nothing_stand_at_the_edge() -> None:
    label = OfLabel("a", np.array([0.0, 1.0, 9.0]), np.array([0.0, 0.8, 0.9]), np.array([1, 0, 0]))
    data = figure(overlap_volume_plot("v", [label], value="Dice")).data
    assert (data["n"], data["lost"], data["without_volume"]) == (3, 1, 1)


def test_a_forest_says_what_stands_behind_each_value() -> None:
    rows = [ForestRow("a", 0.5, 0.4, 0.6, 40, 2), ForestRow("b", np.nan, np.nan, np.nan, 0)]
    plot = forest_plot("f", rows, value="Dice", interval="BCa")
    assert {"0.500 [0.400, 0.600], n 40, 2 lost", "no value, n 0"} <= set(texts(plot))
    assert figure(plot).data["a"]["high"] == 0.6


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9, "0.900"), (-0.00123, "−0.00123"), (123.4, "123"), (1234.5, "1,234"), (0.0, "0"),
     (np.inf, "∞"), (np.nan, "—")],
)  # fmt: skip
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_nine_lines_are_told_apart() -> None:
    assert len({ink(place) for place in range(9)}) == 9


@pytest.mark.parametrize("make", [roc_curve, precision_recall_curve])
def test_a_curve_of_other_seeds_has_no_band(make: Callable[..., Any]) -> None:
    classes = gallery.operating(make, gallery.classified(20), seeds=3)
    plot = roc_plot if make is roc_curve else precision_recall_plot
    assert "Thin lines: other seeds" in figure(plot("x", classes)).caption
    assert figure(plot("x", classes)).svg.count("PolyCollection") == 1
