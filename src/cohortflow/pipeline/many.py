"""All units behind an input that reads many, gathered once and shared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cohortflow.pipeline.keys import digest_lines
from cohortflow.pipeline.unit import SETTLED_BADLY, ManyInput, Unit


def gather(
    found: Sequence[tuple[Mapping[str, Any], Unit]],
    missing_points: Sequence[Mapping[str, Any]] = (),
    lost_units: Sequence[Unit] = (),
) -> ManyInput:
    """Sort by (point, key), part the missing from the present, unite members and weights once."""
    present = [(point, unit) for point, unit in found if unit.state not in SETTLED_BADLY]
    absent = [(point, unit) for point, unit in found if unit.state in SETTLED_BADLY]
    missing = [point for point, _ in absent] + list(missing_points)
    texts = {id(unit): _point_text(point) for point, unit in present}
    present.sort(key=lambda item: (texts[id(item[1])], item[1].key))
    missing.sort(key=_point_text)
    lines = [f"{texts[id(unit)]}\t{unit.key}" for _, unit in present]
    lines += [f"missing {_point_text(point)}" for point in missing]
    members: dict[str, None] = {}
    weights: dict[str, None] = {}
    saw: set[str] = set()
    seen_sets: set[int] = set()
    for _, unit in present:
        members.update(dict.fromkeys(unit.members))
        weights.update(dict.fromkeys((unit.key,) if unit.kind == "weights" else unit.weights))
        if unit.saw and id(unit.saw) not in seen_sets:
            seen_sets.add(id(unit.saw))
            saw |= unit.saw
    return ManyInput(
        items=tuple(present),
        missing=tuple(missing),
        lost=tuple(unit for _, unit in absent) + tuple(lost_units),
        digest=digest_lines(lines),
        members=tuple(members),
        saw=frozenset(saw),
        weights=tuple(weights),
    )


def _point_text(point: Mapping[str, Any]) -> str:
    return json.dumps(point, sort_keys=True)
