"""Tests of two systems on the same cases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cohortflow.errors import EmptyInput, NotLabels, ShapeMismatch, UsageError
from cohortflow.evaluation.masked import refuse_masked
from cohortflow.evaluation.statistics.samples import columns_of, too_few

EQUAL = "the two are equal in every case"


@dataclass(frozen=True)
class PairedTest:
    """A two-sided test; p is NaN with a ``reason`` where there is none.

    ``n``: pairs; ``used``: those that say something, as they differ.
    """

    test: str
    statistic: float
    p: float
    n: int
    used: int
    reason: str = ""


def wilcoxon_test(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Signed-rank test of first - second (case); pairs that are equal are left out.

    The p-value is exact for up to 50 differing pairs without ties, as scipy does it.
    Source: Wilcoxon 1945, Biometrics Bulletin 1, 80–83.
    """
    from scipy.stats import wilcoxon

    a, b = columns_of(first, second)
    differences = (a - b)[a != b]
    name = "Wilcoxon signed-rank"
    reason = EQUAL if differences.size == 0 else too_few(differences.size, "pairs that differ")
    if reason:
        return _none(name, a.size, differences.size, reason)
    found = wilcoxon(differences)
    return PairedTest(name, float(found.statistic), float(found.pvalue), a.size, differences.size)


def permutation_test(
    first: ArrayLike, second: ArrayLike, *, seed: int, resamples: int = 9999
) -> PairedTest:
    """Sign-flip test of the mean of first - second (case): exact where there are no more flips
    than ``resamples``, else of so many random ones.

    Source: Fisher 1935, The Design of Experiments, section 21; Phipson and Smyth 2010 for the
    p-value of random flips, which is never 0.
    """
    from scipy.stats import permutation_test as scipy_test

    a, b = columns_of(first, second)
    differences = a - b
    used = int((differences != 0.0).sum())
    reason = EQUAL if used == 0 else too_few(used, "pairs that differ")
    if reason:
        return _none("paired permutation", a.size, used, reason)
    found = scipy_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=resamples,
        vectorized=True,
        batch=max(1, 2_000_000 // differences.size),
        rng=np.random.default_rng(seed),
    )
    return PairedTest(
        "paired permutation", float(found.statistic), float(found.pvalue), a.size, used
    )


def mcnemar_test(
    first: ArrayLike, second: ArrayLike, method: Literal["exact", "mid-p"] = "exact"
) -> PairedTest:
    """Test of two classifiers by the cases (booleans: right or not) in which one alone is right.

    The statistic is the number in which the first alone is; exact is conditional on their sum.
    Source: McNemar 1947, Psychometrika 12, 153–157; Fagerland, Lydersen and Laake 2013, BMC
    Medical Research Methodology 13:91, for mid-p.
    """
    from scipy.stats import binom, binomtest

    if method not in ("exact", "mid-p"):
        raise UsageError("no such test of McNemar", expected="exact or mid-p", found=method)
    refuse_masked(first, second)
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.ndim != 1:
        raise ShapeMismatch("columns are not (case) of one length", found=f"{a.shape}, {b.shape}")
    if a.dtype != bool or b.dtype != bool:
        raise NotLabels("right or wrong is no boolean", found=f"{a.dtype}, {b.dtype}")
    if a.size == 0:
        raise EmptyInput("there is no case")
    alone, other = int((a & ~b).sum()), int((~a & b).sum())
    name = f"McNemar, {method}"
    if alone + other == 0:
        return _none(name, a.size, 0, EQUAL)
    p = float(binomtest(alone, alone + other, 0.5).pvalue)
    if method == "mid-p":
        # Of equal numbers the two tails share the middle, which p counts once.
        share = 0.5 if alone == other else 1.0
        p -= share * float(binom.pmf(alone, alone + other, 0.5))
    return PairedTest(name, float(alone), p, a.size, alone + other)


def _none(test: str, n: int, used: int, reason: str) -> PairedTest:
    return PairedTest(test, math.nan, math.nan, n, used, reason)
