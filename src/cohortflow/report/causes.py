"""What went wrong, grouped by step, state and code: one row a cause,
whatever the number of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.report.blocks import Column, Note, Section, Table

NAMED, FEW = 25, 8
NOTHING_FAILED = "Nothing failed, nothing is quarantined or blocked, no subject was refused."


class Causes:
    """Add every unit that did not come out; ``rows`` are in the order in which causes were met."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], dict[str, Any]] = {}

    def add(
        self, step: str, state: str, error: Mapping[str, Any], who: str, *, pipeline: str = ""
    ) -> None:
        """One unit: its ``error`` as recorded, and who or what it was for."""
        code = str(error.get("code") or ("blocked" if state == "blocked" else "unknown"))
        # What is blocked has no code of its own: what blocks it tells the causes apart.
        why = str(error.get("message") or "") if state == "blocked" else ""
        row = self._rows.setdefault(
            (pipeline, step, state, code, why),
            {
                "pipeline": pipeline,
                "step": step,
                "state": state,
                "code": code,
                "units": 0,
                "message": str(error.get("message") or ""),
                "hint": str(error.get("hint") or ""),
                "subjects": [],
                "replay": str(error.get("replay") or ""),
            },
        )
        row["units"] += 1
        if len(row["subjects"]) < NAMED:
            row["subjects"].append(who)
        elif len(row["subjects"]) == NAMED:
            row["subjects"].append("…")

    def rows(self) -> list[dict[str, Any]]:
        return list(self._rows.values())


def causes_section(
    rows: Sequence[Mapping[str, Any]], caption: str, nothing: str, *, named: int = NAMED
) -> Section:
    """Causes as a table naming so many subjects each, and how to run one unit of each again."""
    if not rows:
        return Section("failures", "Failures", [Note(nothing)])
    columns = [
        Column("step", "Step", "code"),
        Column("state", "State"),
        Column("code", "Cause", "code"),
        Column("units", "Units", "integer"),
        Column("message", "First message", "prose"),
        Column("hint", "What to do", "prose"),
        Column("subjects", "Subjects", "names"),
    ]
    replays = [
        f"Replay one of {row['step']}, {row['code']}: {row['replay']}"
        for row in rows
        if row["replay"]
    ]
    shown = [{**row, "subjects": _some(row, named)} for row in rows]
    table = Table("failures", caption, columns, shown, notes=replays)
    return Section("failures", "Failures", [table])


def _some(row: Mapping[str, Any], named: int) -> list[str]:
    subjects = list(row["subjects"])
    return subjects if len(subjects) <= named + 1 else [*subjects[:named], "…"]
