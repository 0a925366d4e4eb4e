"""Looking after a store: check it, collect what nothing names, forget a person, see its size."""

from cohortflow.cohort.forget import ForgetResult, forget
from cohortflow.cohort.fsck import Problem, fsck
from cohortflow.cohort.gc import GcResult, gc
from cohortflow.cohort.usage import disk_usage

__all__ = ["ForgetResult", "GcResult", "Problem", "disk_usage", "forget", "fsck", "gc"]
