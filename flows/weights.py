"""Weights for ``apply``: a file, or those of a cohort."""

from __future__ import annotations

from pathlib import Path

from cohortflow.cohort.cohort import Cohort, open_cohort
from cohortflow.cohort.entries import EntryRef
from cohortflow.cohort.indexes import slugs
from cohortflow.errors import UsageError

WEIGHTS = "weights.safetensors"


def weights_file(given: str, name: str, folder: Path) -> Path:
    """The file that a pipeline declares as ``name``: the one given, or a copy in ``folder``.

    Of a cohort, the weights taken in under that name, else the only ones that its runs trained.
    Raises :class:`NotACohort`, and :class:`UsageError` where none are there, or several.
    """
    if "://" not in given and not Path(given).is_dir():
        return Path(given)
    cohort = open_cohort(given)
    copy = folder / f"{name}.safetensors"
    copy.write_bytes(cohort.entries.open(_of(cohort, name)).read_file(WEIGHTS))
    return copy


def _of(cohort: Cohort, name: str) -> EntryRef:
    taken = cohort.ingested.files.get(name)
    if taken is not None and taken.kind == "weights":
        return taken.ref
    trained = {
        row.ref: f"{slug}/{row.step} " + ",".join(f"{k}={v}" for k, v in row.point.items())
        for slug in slugs(cohort.storage)
        for row in cohort.run(slug).rows
        if row.kind == "weights" and row.state == "done"
    }
    if len(trained) != 1:
        raise UsageError(
            f"a cohort with {len(trained)} trained weights, none of them taken in as {name!r}",
            where=cohort.url,
            expected="one",
            found="; ".join(sorted(text.strip() for text in trained.values())[:9]),
            hint=f"Name the {WEIGHTS} of one, or cohortflow ingest - COHORT --file {name}=FILE.",
        )
    return next(iter(trained))
