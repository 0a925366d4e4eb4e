"""Who stands out of a cohort, over all its pipelines: in which number, how far, why flagged."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from cohortflow.report.blocks import Block, Column, Note, Section, Table, Text
from cohortflow.report.cohort_known import CohortKnown
from cohortflow.report.outliers import LEAST_SUBJECTS, OUTLYING, deviations

SHOWN = 25


def outliers_section(known: CohortKnown, subjects: list[str]) -> Section:
    """Subjects with something missed first, then the farthest out; says where nobody can be."""
    rows = _rows(known, set(subjects))
    judged = max([len(lines) for lines in known.lines.values()] + [_with_numbers(known)], default=0)
    blocks: list[Block] = [_said(len(subjects), judged, rows)]
    if rows:
        columns = [
            Column("subject", "Subject", "code", link="page"),
            Column("distance", "Distance", "number", "robust SD"),
            Column("reason", "Of which number"),
            Column("why", "Why"),
            Column("pipeline", "Pipeline", "code"),
        ]
        caption = "Subjects that stand out, each in the number that is farthest out"
        more = [f"{len(rows) - SHOWN} more stand out."] if len(rows) > SHOWN else []
        table = Table("outliers", caption, columns, rows[:SHOWN], shown=SHOWN, notes=more)
        blocks.append(table)
    return Section("outliers", "Who stands out", blocks)


def _with_numbers(known: CohortKnown) -> int:
    return sum(bool(numbers) for numbers in known.numbers.values())


def _said(subjects: int, judged: int, rows: list[dict[str, Any]]) -> Block:
    if not subjects:
        return Note("The cohort has no subject: nobody can stand out.", "absent")
    if not judged:
        return Note(
            "No number of any subject is known, so nobody stands out.",
            "absent",
            hint="Pipelines whose report lists subjects leave the numbers of their results here.",
        )
    if judged < LEAST_SUBJECTS:
        are = "subject has" if judged == 1 else "subjects have"
        return Note(
            f"{judged} {are} numbers: outliers are not sought among fewer than {LEAST_SUBJECTS}.",
            "absent",
        )
    if not rows:
        return Text(
            f"Nobody of {subjects:,} subjects stands more than {OUTLYING} robust standard "
            "deviations from the median in any number."
        )
    return Text(
        f"{len(rows):,} of {subjects:,} subjects stand out: a structure missed or invented, or "
        f"more than {OUTLYING} robust standard deviations from the median, on the side that is "
        "worse where one is."
    )


def _rows(known: CohortKnown, here: set[str]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for slug, lines in known.lines.items():
        for subject, line in lines.items():
            if line["flagged"] or line["score"] > OUTLYING:
                row = _row(subject, slug, line["score"], line["reason"], line["flagged"])
                _keep_farther(found, row, here)
    for subject, apart in deviations(known.numbers).items():
        if apart.score > OUTLYING:
            _keep_farther(found, _row(subject, "", apart.score, apart.reason, 0), here)
    pages, within = known.pages_of(list(found))
    for digit, row in zip(within, found.values(), strict=True):
        if digit != "-":
            folder = f"{row['pipeline']}/subjects/" if row["pipeline"] else pages[int(digit, 36)]
            row["page"] = f"{folder}{quote(row['subject'], safe='')}.html"
    return sorted(found.values(), key=lambda row: (*_first(row), row["subject"]))


def _row(subject: str, slug: str, score: float, reason: str, flagged: int) -> dict[str, Any]:
    found = ["missed, invented or failed"] if flagged else []
    found += ["far from the median"] if score > OUTLYING else []
    why = "; ".join(found)
    return {
        "subject": subject,
        "pipeline": slug or None,
        "flagged": flagged,
        "distance": score or None,
        "reason": reason,
        "why": why if slug else "far from the median when it was taken in",
    }


def _first(row: dict[str, Any]) -> tuple[int, float]:
    return -row["flagged"], -(row["distance"] or 0.0)


def _keep_farther(found: dict[str, dict[str, Any]], row: dict[str, Any], here: set[str]) -> None:
    known = found.get(row["subject"])
    if row["subject"] in here and (known is None or _first(row) < _first(known)):
        found[row["subject"]] = row
