"""Who to look at: every subject with a link to its page, the farthest out first; verdicts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.report.blocks import Block, Column, Heading, Note, Section, Table, Text, not_run
from cohortflow.report.outliers import LEAST_SUBJECTS, OUTLYING
from cohortflow.report.source import ReportSource
from cohortflow.report.subjects.book import SubjectBook, SubjectRow

if TYPE_CHECKING:
    from cohortflow.cohort.ratings import Rating

TITLE = "Subjects"
_SHOWN = 200
_NAMED = 60


def subjects(source: ReportSource) -> Section:
    """Subjects with links to their pages, and what was said of them."""
    book = source.subjects
    if book is None:
        return not_run("subjects", TITLE, "pages of subjects are kept beside a run's report only.")
    return subjects_section(book, "../subjects/")


def subjects_section(book: SubjectBook, pages: str) -> Section:
    """The same from another place. ``pages``: the folder of the pages, seen from there."""
    blocks: list[Block] = [_said(book)]
    raters = _raters(book.ratings)
    blocks.append(_table(book, raters, pages))
    blocks += _verdicts(book, raters)
    return Section("subjects", TITLE, blocks)


def _said(book: SubjectBook) -> Block:
    if not book.rows:
        return Note("No subject: nobody can stand out.", "absent")
    if book.known < LEAST_SUBJECTS:
        return Note(
            f"Outliers are not sought among {book.known} subjects with numbers: it takes at least "
            f"{LEAST_SUBJECTS}. Those that failed come first."
        )
    flagged = sum(row.flagged > 0 for row in book.rows)
    out = sum(row.score > OUTLYING and not row.flagged for row in book.rows)
    broken = sum(row.broken > 0 for row in book.rows)
    return Text(
        f"{broken} of {len(book.rows)} subjects have a unit that failed or was blocked, {flagged} "
        f"a structure that was missed or invented, and {out} others stand more than {OUTLYING} "
        "robust standard deviations out in one of their numbers. They come first."
    )


def _table(book: SubjectBook, raters: dict[str, dict[str, Rating]], pages: str) -> Table:
    rows = [_row(row, raters, pages) for row in book.rows]
    columns = [
        Column("subject", "Subject", "code", link="page"),
        Column("score", "Distance", "number", "robust SD", "of the number that is farthest out"),
        Column("reason", "Of"),
        Column("open", "Not done", "names"),
        Column("warnings", "Warnings", "integer"),
        *(Column(f"rater_{n}", rater) for n, rater in enumerate(raters)),
    ]
    caption = "Every subject; its page has pictures, numbers and steps"
    return Table("subjects", caption, columns, rows, shown=_SHOWN)


def _row(row: SubjectRow, raters: dict[str, dict[str, Rating]], pages: str) -> dict[str, Any]:
    told = {
        f"rater_{n}": found[row.subject].verdict
        + ("" if found[row.subject].page in ("", row.version[:16]) else " (page changed since)")
        for n, found in enumerate(raters.values())
        if row.subject in found
    }
    return {
        "subject": row.subject,
        "page": pages + row.address,
        "score": row.score or None,
        "reason": row.reason,
        "open": [f"{count} {state}" for state, count in row.states.items() if state != "done"],
        "warnings": row.warnings,
        **told,
    }


# --- verdicts -------------------------------------------------------------------------------------


def _raters(ratings: Sequence[Rating]) -> dict[str, dict[str, Rating]]:
    """Rater → subject → the rating that holds, raters in the order of their codes."""
    from cohortflow.cohort.ratings import current

    found: dict[str, dict[str, Rating]] = {}
    for rating in current(ratings):
        found.setdefault(rating.rater, {})[rating.subject] = rating
    return dict(sorted(found.items()))


def _verdicts(book: SubjectBook, raters: dict[str, dict[str, Rating]]) -> list[Block]:
    here = {row.subject for row in book.rows}
    if not raters:
        return [
            Note(
                f"Nobody has rated any of {len(here)} subjects.",
                "absent",
                hint="Pages take verdicts by keyboard; cohortflow rate COHORT ratings.json keeps "
                "them.",
            )
        ]
    blocks: list[Block] = [Heading("Verdicts"), _by_rater(book, raters, here)]
    blocks += _agreements(raters)
    comments = _comments(raters)
    if comments.rows:
        blocks.append(comments)
    unrated = [
        row.subject for row in book.rows if not any(row.subject in r for r in raters.values())
    ]
    if unrated:
        some = ", ".join(unrated[:_NAMED]) + (" …" if len(unrated) > _NAMED else "")
        have = "subject has" if len(unrated) == 1 else "subjects have"
        blocks.append(Note(f"{len(unrated)} {have} not been rated: {some}", "warning"))
    else:
        blocks.append(Text("Every subject has been rated."))
    return blocks


def _by_rater(book: SubjectBook, raters: dict[str, dict[str, Rating]], here: set[str]) -> Table:
    from cohortflow.cohort.ratings import VERDICTS

    rows = []
    for rater, found in raters.items():
        verdicts = [rating.verdict for subject, rating in found.items() if subject in here]
        given = sum(rating.rater == rater for rating in book.ratings)
        rows.append(
            {
                "rater": rater,
                "rated": [len(verdicts), len(here)],
                **{verdict: verdicts.count(verdict) for verdict in VERDICTS},
                "superseded": given - len(found),
            }
        )
    columns = [
        Column("rater", "Rater", "code"),
        Column("rated", "Rated", "fraction"),
        *(Column(verdict, verdict.capitalize(), "integer") for verdict in VERDICTS),
        Column("superseded", "Superseded", "integer", about="earlier verdicts, which are kept"),
    ]
    return Table("verdicts", "Verdicts by rater; of several of a rater the latest", columns, rows)


def _agreements(raters: dict[str, dict[str, Rating]]) -> list[Block]:
    rows = [_agreement(a, b, raters) for a, b in itertools.combinations(raters, 2)]
    if not rows:
        return []
    columns = [
        Column("raters", "Raters", "names"),
        Column("n", "Rated by both", "integer"),
        Column("share", "Agree", "share"),
        Column("kappa", "Cohen's kappa", "number"),
        Column("interval", "95 % interval", "ends"),
        Column("reason", "Why there is none", "prose"),
    ]
    caption = "Agreement of raters: unweighted kappa, BCa bootstrap interval over subjects"
    return [Table("agreement", caption, columns, rows)]


def _agreement(a: str, b: str, raters: dict[str, dict[str, Rating]]) -> dict[str, Any]:
    from cohortflow.evaluation.statistics.kappa import cohen_kappa

    both = sorted(raters[a].keys() & raters[b].keys())
    if not both:
        return {"raters": [a, b], "n": 0, "reason": "no subject that both rated"}
    found = cohen_kappa(*([raters[who][subject].verdict for subject in both] for who in (a, b)))
    reason = found.interval.reason
    if math.isnan(found.kappa):
        reason = "both gave one and the same verdict to all: there is no agreement beyond chance"
    ends = [found.interval.low, found.interval.high]
    return {
        "raters": [a, b],
        "n": found.n,
        "share": found.share,
        "kappa": found.kappa,
        "interval": None if reason or any(map(math.isnan, ends)) else ends,
        "reason": reason,
    }


def _comments(raters: dict[str, dict[str, Rating]]) -> Table:
    rows = [
        {
            "subject": rating.subject,
            "rater": rater,
            "verdict": rating.verdict,
            "comment": rating.comment,
        }
        for rater, found in raters.items()
        for rating in found.values()
        if rating.comment
    ]
    columns = [
        Column("subject", "Subject", "code"),
        Column("rater", "Rater", "code"),
        Column("verdict", "Verdict"),
        Column("comment", "Comment", "prose"),
    ]
    rows.sort(key=lambda row: (row["subject"], row["rater"]))
    return Table("comments", "Comments", columns, rows, folded=len(rows) > 12)
