"""Every metric id with what it means: one place for the definition, unit and direction of each.

A task adds a module with a tuple of definitions and joins it to ``TASKS``. A parameter of an id
(``ece@15``, ``sensitivity@0.3``, ``hd95/pooled``) is named in angle brackets by the definition.
"""

from __future__ import annotations

import re

from cohortflow.errors import UnknownName, nearest
from cohortflow.evaluation.definitions.classification import CLASSIFICATION, MULTILABEL
from cohortflow.evaluation.definitions.definition import Definition
from cohortflow.evaluation.definitions.images import IMAGE_QUALITY
from cohortflow.evaluation.definitions.segmentation import SEGMENTATION
from cohortflow.evaluation.definitions.values import DEPTH, NORMALS, REGRESSION

__all__ = ["DEFINITIONS", "TASKS", "Definition", "definition"]

_PARAMETER = re.compile(r"(?<=@)[^/]*|(?<=^hd)(?:<\w+>|[\d.]+)")

TASKS: dict[str, tuple[Definition, ...]] = {
    "classification": CLASSIFICATION,
    "multilabel": MULTILABEL,
    "regression": REGRESSION,
    "depth": DEPTH,
    "normals": NORMALS,
    "image-quality": IMAGE_QUALITY,
    "segmentation": SEGMENTATION,
}
"""In the order in which an id alone is looked for: that of whole cases before that of voxels."""
DEFINITIONS = {(task, one.id): one for task, own in TASKS.items() for one in own}


def _key(metric: str) -> str:
    return _PARAMETER.sub("#", metric)


_BY_KEY = {(task, _key(name)): one for (task, name), one in DEFINITIONS.items()}


def definition(metric: str, task: str | None = None) -> Definition:
    """What a metric id means in a task.

    ``accuracy``, ``sensitivity``, ``specificity`` and ``precision`` are metrics of cases, and of
    voxels with ``task="segmentation"``. Raises :class:`UnknownName` with the nearest id where it
    means nothing.
    """
    if task is not None and task not in TASKS:
        raise UnknownName(f"no task {task!r}", hint=nearest(task, TASKS))
    tasks = TASKS if task is None else (task,)
    found = (_BY_KEY.get((one, _key(metric))) for one in tasks)
    meant = next((one for one in found if one is not None), None)
    if meant is None:
        known = [one.id for name in tasks for one in TASKS[name]]
        of = f" of {task}" if task else ""
        raise UnknownName(f"no metric {metric!r}{of}", hint=nearest(metric, known))
    return meant
