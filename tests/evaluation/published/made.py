"""Small files of printed tables, made for one test each."""

from __future__ import annotations

from typing import Any

import yaml

from cohortflow.evaluation.published import Paper, read_paper

FILE = """
system: synergynet
title: "A made paper"
year: 2024
flags: {odd: "odd"}
tables:
  - id: table1
    printed_in: "Table 1"
    about: "scores"
    metrics:
      A: {unit: percent, better: higher, definition: dice}
      B: {unit: mm, better: lower, why: "not defined"}
    columns: [A, B]
    rows:
      - {method: "old", proposed: false, A: 80.10, B: 3.0}
      - {method: "new", proposed: true, A: 81.30, B: 2.5, flags: {A: odd}}
"""


def made(text: str = FILE) -> Paper:
    return read_paper(text.encode(), "synergynet")


def paper_of(columns: dict[str, list[Any]], **more: Any) -> Paper:
    """One table: numbers as text, so that their digits stay; all columns in percent."""
    count = len(next(iter(columns.values())))
    rows = []
    for position in range(count):
        cells = ", ".join(f"{key}: {values[position]}" for key, values in columns.items())
        proposed = "true" if position == count - 1 else "false"
        rows.append(f"      - {{method: m{position}, proposed: {proposed}, {cells}}}")
    percent = {"unit": "percent", "better": "higher", "why": "made"}
    table = {"metrics": dict.fromkeys(columns, percent), "columns": list(columns), **more}
    body = yaml.safe_dump(table, sort_keys=False, default_flow_style=None)
    head = "system: synergynet\ntitle: t\nyear: 2024\nflags: {odd: odd}\ntables:\n"
    head += "  - id: table1\n    printed_in: Table 1\n    about: made\n"
    text = head + "".join(f"    {line}\n" for line in body.splitlines())
    return made(
        text.replace("&id001 ", "").replace("*id001", str(percent))
        + "    rows:\n"
        + "\n".join(rows)
    )
