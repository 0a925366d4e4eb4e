"""A report and what was stored with it, beside the same computed again."""

from __future__ import annotations

from dataclasses import dataclass

from cohortflow.cohort.cohort import Cohort
from cohortflow.pipeline.model import Pipeline
from cohortflow.reproduction.block import Report
from cohortflow.reproduction.code import code_version, environment
from cohortflow.reproduction.manifest import Code, Environment, Manifest
from cohortflow.reproduction.numbers import compare_report
from cohortflow.reproduction.outcome import Outcome, compare_results, told
from cohortflow.reproduction.shown import compare_pages
from cohortflow.reproduction.stored import compare_stored
from cohortflow.reproduction.verdicts import DIFFERS, Line


@dataclass(frozen=True)
class Again:
    """What was computed again: its report, pipeline and cohort.

    ``computed`` results were made in it, from ``carried`` ingested entries.
    """

    report: Report
    pipeline: Pipeline
    cohort: Cohort
    computed: int
    carried: int


def compared(report: Report, again: Again, original: Cohort, *, seconds: float = 0.0) -> Outcome:
    """All that the report says and ``original`` has stored beside ``again``; both are only read.

    Tolerances are those of this version's stages, never what the report says of them.
    """
    tolerances = {step.id: float(step.stage.tolerance) for step in again.pipeline.steps}
    loosest = max(tolerances.values(), default=0.0)
    urls = [original.url, again.cohort.url]
    then, now = ({"verdict": r.verdict, "sections": r.sections} for r in (report, again.report))
    lines, left_out = compare_report(then, now, loosest, urls)
    page, of_page = compare_pages(report.page, again.report.page, loosest, urls)
    rows = [row for row in again.cohort.run(again.pipeline.slug).rows if row.state == "done"]
    stored, absent = compare_stored(original, again.cohort, rows, tolerances)
    own = report.manifest.cohort == original.id
    if absent and own:
        stored.append(
            Line("stored results", "how many", "number", DIFFERS, len(rows) - absent, len(rows))
        )
    return Outcome(
        manifest=report.manifest,
        computed=again.computed,
        carried=again.carried,
        report=lines,
        page=page,
        results=compare_results(report.manifest, again.report.manifest),
        stored=stored,
        left_out=[*left_out, *of_page],
        code=this_code(),
        environment=Environment.model_validate(environment()),
        seconds=seconds,
        notes=_notes(report.manifest, absent=absent, own=own),
    )


def this_code() -> Code:
    """The code that is running."""
    return Code.model_validate(code_version())


def _notes(manifest: Manifest, *, absent: int, own: bool) -> list[str]:
    notes = []
    if not own:
        notes.append("The report is of another cohort, which held the same recordings.")
    if absent and own:
        notes.append(f"{absent} results that the report stands on are gone from its cohort.")
    elif absent:
        notes.append(
            f"{absent} results are not stored in this cohort: they were computed, and there is "
            "nothing stored to compare them with."
        )
    notes += [
        f"{one.results} results stood before the run of the report, computed by "
        f"{told(one.code)}, not by its code."
        for one in manifest.earlier
    ]
    return notes
