"""Published lists of labels, by name: which value stands for which structure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

from cohortflow.errors import BadParameter, nearest
from cohortflow.evaluation.segmentation.masks import checked_labels

LABEL_TABLES = ("totalsegmentator",)


@cache
def label_table(name: str) -> Mapping[int, str]:
    """Value → name, of a published list."""
    if name not in LABEL_TABLES:
        raise BadParameter(
            "no such list of labels",
            expected=f"{', '.join(LABEL_TABLES)}, or a table such as {{1: liver}}",
            found=repr(name),
            hint=nearest(name, LABEL_TABLES),
        )
    text = (files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
    return checked_labels(yaml.safe_load(text))
