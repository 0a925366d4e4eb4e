"""What a printed column is by our own definitions: id, unit, and whether the two units meet."""

from __future__ import annotations

from dataclasses import dataclass

from cohortflow.evaluation.definitions import definition
from cohortflow.evaluation.published.schema import Metric, Task
from cohortflow.evaluation.published.tables import PublishedTable
from cohortflow.evaluation.published.units import UNITS, convertible


@dataclass(frozen=True)
class Correspondence:
    """A printed column beside ours. ``ids``: what of ours it is, best first; empty for none.

    ``unit``: ours, empty where the obtained number says its own (mm or voxel, of the values).
    ``why``: what stands between both where anything does.
    """

    column: str
    task: Task
    ids: tuple[str, ...]
    unit: str
    printed_unit: str
    stated: bool
    why: str

    def comparable(self, unit: str) -> bool:
        """True where a number of ours in ``unit`` may be subtracted from the printed one."""
        return bool(self.ids) and self.stated and unit in UNITS and self._meets(unit)

    def _meets(self, unit: str) -> bool:
        return convertible(self.printed_unit, unit)


def task_of(metric: Metric, table: PublishedTable) -> Task:
    return metric.task or table.task


def unit_of_ours(id: str, task: Task) -> str:
    """Unit of a metric id of ours; empty where the number itself says it.

    Raises :class:`UnknownName` for what is no id.
    """
    unit = definition(id, task).unit
    return unit if unit in UNITS else ""


def correspondence(table: PublishedTable, column: str) -> Correspondence:
    """Ours of a printed column. Where its protocol has a rule for empty masks, ours of that rule
    comes first (``dice/transunet``), then the strict one."""
    metric = table.metrics[column]
    task = task_of(metric, table)
    ids: tuple[str, ...] = ()
    unit = ""
    if metric.definition is not None:
        ids, unit = (metric.definition,), unit_of_ours(metric.definition, task)
        if metric.policy:
            ids = (f"{metric.definition}/{metric.policy}", *ids)
    return Correspondence(column, task, ids, unit, metric.unit, metric.stated, metric.why)
