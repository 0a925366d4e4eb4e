"""Intervals, paired tests, effect sizes, rankings and agreement, on values of cases."""

from cohortflow.evaluation.statistics.agreement import BlandAltman, bland_altman
from cohortflow.evaluation.statistics.bootstrap import Interval, bca_interval
from cohortflow.evaluation.statistics.compare import Comparison, compare_systems
from cohortflow.evaluation.statistics.delong import DeLong, delong_test
from cohortflow.evaluation.statistics.effects import (
    Effect,
    cliffs_delta,
    cohens_dz,
    hodges_lehmann,
    matched_rank_biserial,
)
from cohortflow.evaluation.statistics.multiplicity import adjusted_p_values
from cohortflow.evaluation.statistics.paired import (
    PairedTest,
    mcnemar_test,
    permutation_test,
    wilcoxon_test,
)
from cohortflow.evaluation.statistics.ranking import RankingStability, ranking_stability

__all__ = [
    "BlandAltman",
    "Comparison",
    "DeLong",
    "Effect",
    "Interval",
    "PairedTest",
    "RankingStability",
    "adjusted_p_values",
    "bca_interval",
    "bland_altman",
    "cliffs_delta",
    "cohens_dz",
    "compare_systems",
    "delong_test",
    "hodges_lehmann",
    "matched_rank_biserial",
    "mcnemar_test",
    "permutation_test",
    "ranking_stability",
    "wilcoxon_test",
]
