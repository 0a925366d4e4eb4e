"""How old what was trained is, in words."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.report.blocks import Column, Section, Table


def age(row: Mapping[str, Any], now: datetime.datetime | None = None) -> str:
    """When the weights of a step were made; ``row``: of the status document's ``selections``."""
    if row["trained"]:
        first, last = row["trained"]
        since = f", the first {first[:10]}" if first[:10] != last[:10] else ""
        return f"trained {last[:10]} by run {row['index']}{since} ({_days(last, now)})"
    if row.get("before"):
        return f"trained before {row['before'][:10]}: the index of that run is not kept"
    return "not trained yet" if not row["weights"] else "trained nobody knows when"


def newer(row: Mapping[str, Any]) -> str:
    """Who came or changed since, such as ``2 new, 1 corrected``; empty where nobody did."""
    kinds = ("new", "changed", "corrected", "withdrawn")
    return ", ".join(f"{row[kind]} {kind}" for kind in kinds if row[kind])


def _days(told: str, now: datetime.datetime | None) -> str:
    then = datetime.datetime.fromisoformat(told)
    days = ((now or datetime.datetime.now(then.tzinfo)) - then).days
    return "today" if days <= 0 else f"{days} day{'s' if days > 1 else ''} ago"


def models_section(rows: Sequence[Mapping[str, Any]], now: str) -> Section | None:
    """What was trained, how old it is at ``now`` (ISO 8601), and who came since;
    None where nothing."""
    if not rows:
        return None
    at = datetime.datetime.fromisoformat(now)
    told = [{**row, "age": age(row, at), "since": newer(row) or "nobody"} for row in rows]
    columns = [
        Column("pipeline", "Pipeline", "code"),
        Column("step", "Step", "code"),
        Column("weights", "Weights", "integer"),
        Column("age", "Age"),
        Column("since", "Came or changed since"),
    ]
    caption = "What was trained stays as it is until somebody asks: --refresh STEP"
    return Section("models", "Trained steps", [Table("models", caption, columns, told)])
