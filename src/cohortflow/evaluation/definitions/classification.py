"""Metric ids of classification with one class, or several labels, a case."""

from __future__ import annotations

from cohortflow.evaluation.definitions.definition import Definition

_COUNTED = "Sokolova and Lapalme 2009, Information Processing and Management 45, 427–437"
_RANKED = "Hanley and McNeil 1982, Radiology 143, 29–36; ties count half"
_PRECISION_RECALL = "scikit-learn's average_precision_score: no interpolation"
_BRIER = "Brier 1950, Monthly Weather Review 78, 1–3"


def _higher(name: str, about: str, source: str) -> Definition:
    return Definition(name, about, "1", "higher", 0.0, source)


CLASSIFICATION = (
    _higher("accuracy", "correct cases of all judged ones", _COUNTED),
    _higher(
        "majority_accuracy",
        "accuracy of always naming the commonest class of these very cases",
        _COUNTED,
    ),
    _higher(
        "balanced_accuracy",
        "mean over classes of the recall of each",
        "Brodersen et al. 2010, ICPR, 3121–3124",
    ),
    _higher("sensitivity", "recall of the positive class, by the prediction", _COUNTED),
    _higher("specificity", "recall of the class that is not positive, by the prediction", _COUNTED),
    _higher(
        "sensitivity@<threshold>",
        "positive cases whose probability is at least the threshold",
        _COUNTED,
    ),
    _higher(
        "specificity@<threshold>",
        "negative cases whose probability is below the threshold",
        _COUNTED,
    ),
    _higher("precision", "of what is called positive, what is; 0 where nothing is", _COUNTED),
    _higher("precision/class", "precision of each class against all others", _COUNTED),
    _higher("precision/macro", "mean over classes of the precision of each", _COUNTED),
    _higher("recall/class", "of the cases of each class, those called so", _COUNTED),
    _higher("f1", "2 TP / (2 TP + FP + FN) of the positive class", _COUNTED),
    _higher("f1/class", "2 TP / (2 TP + FP + FN) of each class against all others", _COUNTED),
    _higher("f1/macro", "mean over classes of the F1 of each", _COUNTED),
    _higher("f1/micro", "F1 of counts summed over classes; one class a case: accuracy", _COUNTED),
    _higher("auc", "area under the ROC curve of the positive class", _RANKED),
    _higher("auc/class", "area under the ROC curve of each class against all others", _RANKED),
    _higher("auc/macro", "mean over classes of the area of each against all others", _RANKED),
    _higher("auprc", "average precision of the positive class", _PRECISION_RECALL),
    _higher("auprc/class", "average precision of each class against all others", _PRECISION_RECALL),
    _higher("auprc/macro", "mean over classes of the average precision", _PRECISION_RECALL),
    Definition(
        "brier",
        "mean of (probability of the positive class - truth)²; two classes, 0 … 1",
        "1",
        "lower",
        1.0,
        _BRIER,
    ),
    Definition(
        "brier/sum",
        "mean over cases of the sum over classes of (probability - truth)²; 0 … 2",
        "1",
        "lower",
        2.0,
        _BRIER,
    ),
    Definition(
        "ece@<bins>",
        "expected calibration error of the likeliest class: so many bins of equal width over "
        "(0, 1], closed above; mean over bins of |accuracy - confidence| by their cases",
        "1",
        "lower",
        1.0,
        "Guo et al. 2017, ICML, equation 3",
    ),
)

MULTILABEL = (
    _higher("map", "mean over labels of the average precision", _PRECISION_RECALL),
    _higher("map/label", "average precision of each label over cases", _PRECISION_RECALL),
    _higher("auc/label", "area under the ROC curve of each label", _RANKED),
    _higher("auc/labels", "mean over labels of the area of each", _RANKED),
)
