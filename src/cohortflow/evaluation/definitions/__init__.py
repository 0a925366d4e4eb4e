"""Every metric id with what it means: one place for the definition, unit and direction of each.

A task adds a module with a tuple of definitions and joins it to ``DEFINITIONS``. A parameter of an
id stands behind ``@`` (``ece@15``, ``sensitivity@0.3``); the definition names it in angle brackets.
"""

from __future__ import annotations

import re

from cohortflow.errors import UnknownName, nearest
from cohortflow.evaluation.definitions.classification import CLASSIFICATION, MULTILABEL
from cohortflow.evaluation.definitions.definition import Definition
from cohortflow.evaluation.definitions.images import IMAGE_QUALITY
from cohortflow.evaluation.definitions.values import DEPTH, NORMALS, REGRESSION

__all__ = ["DEFINITIONS", "Definition", "definition"]

_PARAMETER = re.compile(r"@[^/]*")


def _key(metric: str) -> str:
    return _PARAMETER.sub("@", metric)


DEFINITIONS = {
    one.id: one
    for one in (*CLASSIFICATION, *MULTILABEL, *REGRESSION, *DEPTH, *NORMALS, *IMAGE_QUALITY)
}
_BY_KEY = {_key(name): one for name, one in DEFINITIONS.items()}


def definition(metric: str) -> Definition:
    """What a metric id means; :class:`UnknownName` with the nearest id where it means nothing."""
    found = _BY_KEY.get(_key(metric))
    if found is None:
        raise UnknownName(f"no metric {metric!r}", hint=nearest(metric, DEFINITIONS))
    return found
