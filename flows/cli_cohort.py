"""Commands that look at a cohort or look after its store; none runs a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.console import dump, err, say, table, tell_export
from flows.options import AtOption, CohortArgument, JsonOption, SubjectsOption, listed, points

app = typer.Typer()


@app.command()
def status(
    cohort: CohortArgument,
    disk: Annotated[
        bool, typer.Option("--disk", help="Also the disk use of each step; walks the store.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Also as a page, written to this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Units by state and step, failures by cause, age of what was trained."""
    from cohortflow.cohort.cohort import open_cohort
    from flows.status_lines import tell_status
    from tasks.status import cohort_status

    opened = open_cohort(cohort)
    found = cohort_status(opened, disk=disk)
    if html is not None:
        from tasks.cohort_pages import save_cohort_page

        save_cohort_page(opened, found, html)
    if as_json:
        dump(found)
    else:
        tell_status(found, table, say)


@app.command()
def runs(cohort: CohortArgument, as_json: JsonOption = False) -> None:
    """Runs on this cohort, the newest last."""
    from cohortflow.cohort.cohort import open_cohort
    from flows.looking import list_runs, pages_of_runs

    opened = open_cohort(cohort)
    rows = list_runs(opened)
    if as_json:
        dump(rows)
    else:
        table(
            ["pipeline", "index", "run", "started", "ended", "units"],
            [list(r.values()) for r in rows],
        )
        for page in pages_of_runs(opened):
            say(f"page: {page}")


@app.command()
def report(
    cohort: CohortArgument,
    pipeline: Annotated[
        str | None, typer.Option(help="Whose report; needed where several ran.")
    ] = None,
) -> None:
    """Render the report of the newest run again."""
    from cohortflow.cohort.cohort import open_cohort
    from flows.looking import render_again

    say(render_again(open_cohort(cohort), pipeline))


@app.command()
def replay(
    cohort: CohortArgument, key: Annotated[str, typer.Argument(help="Key, or its start.")]
) -> None:
    """Run one unit again, in this process."""
    from cohortflow.cohort.cohort import open_cohort
    from flows.looking import replay_unit

    outcome = replay_unit(open_cohort(cohort), key)
    say(f"{outcome['step']} {outcome['subject'] or 'cohort'}: {outcome['state']}")
    if outcome["state"] != "done":
        err.print(f"{outcome['error']['code']}: {outcome['error']['message']}", markup=False)
        raise typer.Exit(3)


@app.command()
def export(
    cohort: CohortArgument,
    out: Annotated[Path, typer.Argument(help="A new folder, or an earlier export to bring up.")],
    as_: Annotated[str, typer.Option("--as", help="nifti, bids, dicom-seg, ome-zarr or table")],
    pipeline: Annotated[
        str | None, typer.Option(help="Whose results; needed where several ran.")
    ] = None,
    step: Annotated[list[str], typer.Option(help="Only this step; repeatable.")] = [],  # noqa: B006
    entry: Annotated[
        str | None, typer.Option(help="An ingested entry instead of results, such as image.")
    ] = None,
    subjects: SubjectsOption = None,
    at: AtOption = [],  # noqa: B006
    grid: Annotated[
        str, typer.Option(help="source: back on the original image's grid; own: as computed")
    ] = "source",
    allow_index_space: Annotated[
        bool, typer.Option("--allow-index-space", help="Also what has no known spacing.")
    ] = False,
    dicom_from: Annotated[
        Path | None, typer.Option(help="Folder of the DICOM series, a folder per subject.")
    ] = None,
    authors: Annotated[
        str | None, typer.Option(help="Of a BIDS data set, as 'A. Meier; B. Okafor'.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write results, or what was taken in, as files that other programs read."""
    from flows.export import ExportRequest, export_cohort

    report = export_cohort(
        ExportRequest(
            cohort,
            out,
            as_,
            pipeline,
            tuple(step),
            entry,
            listed(subjects),
            points(at),
            {
                "grid": grid,
                "allow_index_space": allow_index_space,
                "dicom_from": dicom_from,
                "authors": _authors(authors, as_),
            },
        )
    )
    if as_json:
        dump(report.to_json())
    else:
        tell_export(report, out)
    if report.missing:
        raise typer.Exit(3)


def _authors(given: str | None, format_name: str) -> tuple[str, ...]:
    from cohortflow.errors import UsageError

    if given is None:
        return ()
    named = tuple(name.strip() for name in given.split(";") if name.strip())
    if format_name != "bids" or not named:
        raise UsageError(
            f"--authors {given!r}",
            expected="names, ';' between them, with --as bids",
            found=f"--as {format_name}",
        )
    return named


@app.command()
def rate(
    cohort: CohortArgument,
    ratings: Annotated[Path, typer.Argument(help="A ratings.json, as pages of subjects write it.")],
    leave_out_unknown: Annotated[
        bool,
        typer.Option("--leave-out-unknown", help="Take the rest where some subjects are not here."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep what a person said of subjects, beside what others said."""
    from flows.rate import rate_cohort

    stored = rate_cohort(cohort, ratings, leave_out_unknown=leave_out_unknown)
    if as_json:
        dump(vars(stored))
        return
    kept = "kept" if stored.new else "kept already"
    say(f"{stored.ratings} ratings of {stored.pipeline} by {stored.rater}: {kept}")
    if stored.superseded:
        say(f"{stored.superseded} of them follow an earlier rating, which stays in the history")
    if stored.left_out:
        say(f"{stored.left_out} left out: their subjects are not here")
    say(f"cohortflow report {cohort} --pipeline {stored.pipeline} shows them")


# --- looking after the store ----------------------------------------------------------------------


@app.command()
def fsck(
    cohort: CohortArgument,
    deep: Annotated[bool, typer.Option(help="Check the digest of every file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for what is broken or belongs to nothing."""
    from cohortflow.cohort.cohort import open_cohort
    from cohortflow.cohort.maintenance import fsck as check

    problems = check(open_cohort(cohort), deep=deep)
    if as_json:
        dump([vars(problem) for problem in problems])
    else:
        for problem in problems:
            say(str(problem))
        say(f"{len(problems)} problems")
    if problems:
        raise typer.Exit(1)


@app.command()
def gc(
    cohort: CohortArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove what no kept index or selection names, a day after it was first seen so."""
    from cohortflow.cohort.cohort import open_cohort
    from cohortflow.cohort.maintenance import gc as collect

    result = collect(open_cohort(cohort), dry_run=dry_run)
    if as_json:
        dump(vars(result))
    else:
        say(str(result))


@app.command()
def forget(
    cohort: CohortArgument, who: Annotated[str, typer.Argument(help="A patient or a subject.")]
) -> None:
    """Remove what names a patient or a subject."""
    from cohortflow.cohort.cohort import open_cohort
    from cohortflow.cohort.maintenance import forget as remove

    say(str(remove(open_cohort(cohort), who)))
