"""What differs in data and protocol between a paper and a run, in plain statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.evaluation.published import PublishedTable, published_choices, published_protocol
from cohortflow.report.blocks import Column, Table
from cohortflow.report.cells import Cell
from cohortflow.report.methods import chosen_text
from cohortflow.report.source import ReportSource, steps_of_stage


def differences(
    source: ReportSource,
    system: str,
    tables: Sequence[PublishedTable],
    found: Sequence[Cell],
) -> Table:
    """Data, subjects, split, what is quoted, model: the paper on one side, the run on the other."""
    datasets = dict.fromkeys(table.dataset for table in tables[:1])
    rows = [
        {"what": "Data", "paper": ", ".join(datasets), "run": _data(source)},
        {
            "what": "Protocol",
            "paper": published_protocol(system),
            "run": f"{_split(found)}; last epoch, mean ± sd over {_most_seeds(found)}, interval of "
            "the first seed",
        },
        {"what": "Subjects tested", "paper": "see protocol", "run": _tested(found)},
        *_choices(source, published_choices(system)),
    ]
    columns = [Column("what", "What"), Column("paper", "Published"), Column("run", "Here")]
    return Table("differences", "What differs in data and protocol", columns, rows)


def _data(source: ReportSource) -> str:
    people = source.participants
    names: list[str] = people["group"].astype(str).tolist() if "group" in people.columns else []
    groups = ", ".join(f"{name} {n}" for name, n in sorted(Counter(names).items()))
    times = sorted({i["facts"]["tr_s"] for i in source.ingested if i["facts"].get("tr_s")})
    repetition = f"; TR {', '.join(f'{tr:g}' for tr in times)} s" if times else ""
    return f"this cohort: {len(people)} subjects ({groups}){repetition}"


def _tested(found: Sequence[Cell]) -> str:
    sizes = sorted({cell.seeds[0].n for cell in found})
    left_out = sorted({name for cell in found for s in cell.seeds for name in s.left_out})
    size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}, by cell"
    return f"{size} per seed" + (f"; left out somewhere: {', '.join(left_out)}" if left_out else "")


def _split(found: Sequence[Cell]) -> str:
    folds = max(round(cell.units / max(1, len(cell.seeds))) for cell in found)
    if folds > 1:
        return f"{folds} folds; every subject is tested once per seed, all folds joined"
    return "one part held out; every seed is tested on the same subjects"


def _most_seeds(found: Sequence[Cell]) -> str:
    most = max(len(cell.seeds) for cell in found)
    return f"{most} seed" if most == 1 else f"{most} seeds"


def _choices(source: ReportSource, choices: Mapping[str, str]) -> list[dict[str, Any]]:
    """Parameters that the paper speaks of, as it says and as they ran."""
    rows = []
    for name, paper in choices.items():
        stage, _, parameter = name.partition(".")
        for step in steps_of_stage(source, stage)[:1]:
            if parameter in step.get("parameters", {}):
                run = chosen_text(step, parameter)
                rows.append({"what": f"{step['id']}.{parameter}", "paper": paper, "run": run})
    return rows
