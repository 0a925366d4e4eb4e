"""All units behind an input that reads many, gathered once and shared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cohortflow.pipeline.keys import digest_lines
from cohortflow.pipeline.unit import SETTLED_BADLY, ManyInput, Unit

Point = Mapping[str, Any]


def gather(
    found: Iterable[tuple[Point, Unit]],
    missing: Iterable[Point] = (),
    lost: Iterable[Unit] = (),
) -> ManyInput:
    """Sort by (point, key), part the missing from the present, unite members and weights once."""
    present: list[tuple[str, Point, Unit]] = []
    absent = [(_text(point), point) for point in missing]
    gone = list(lost)
    for point, unit in found:
        if unit.state in SETTLED_BADLY:
            absent.append((_text(point), point))
            gone.append(unit)
        else:
            present.append((_text(point), point, unit))
    present.sort(key=lambda item: (item[0], item[2].key))
    absent.sort(key=lambda item: item[0])
    lines = [f"{text}\t{unit.key}" for text, _, unit in present]
    lines += [f"missing {text}" for text, _ in absent]
    units = [unit for _, _, unit in present]
    return ManyInput(
        items=tuple((point, unit) for _, point, unit in present),
        missing=tuple(point for _, point in absent),
        lost=tuple(dict.fromkeys(gone)),
        digest=digest_lines(lines),
        members=united(unit.members for unit in units),
        absentees=_absentees(units, [point for _, point in absent]),
        saw=united_saw(units),
        weights=united((u.key,) if u.kind == "weights" else u.weights for u in units),
        waits=any(unit.state == "pending" and not unit.asked for unit in units),
    )


def joined(inputs: Mapping[str, ManyInput]) -> dict[str, ManyInput]:
    """Inputs declared paired, joined on subject and on the axes they share.

    What one of them lacks altogether is left out; what failed in one is missing from all.
    """
    shared = _shared_axes(inputs.values())
    present = {n: {_project(p, shared) for p, _ in many.items} for n, many in inputs.items()}
    expected = {
        n: present[n] | {_project(p, shared) for p in many.missing} for n, many in inputs.items()
    }
    known = set.intersection(*expected.values())
    complete = set.intersection(*present.values())
    result = {}
    for name, many in inputs.items():
        within = [(p, u) for p, u in many.items if _project(p, shared) in known]
        kept = [(p, u) for p, u in within if _project(p, shared) in complete]
        parted = [p for p, _ in within if _project(p, shared) not in complete]
        missing = [p for p in many.missing if _project(p, shared) in known]
        result[name] = gather(kept, [*missing, *parted], many.lost)
    return result


def _shared_axes(inputs: Iterable[ManyInput]) -> tuple[str, ...]:
    axes = [
        {axis for point in [*(p for p, _ in many.items), *many.missing] for axis in point}
        for many in inputs
    ]
    # ``from`` says which of several sources an item is of, and is no axis.
    return tuple(sorted(set.intersection(*axes) - {"from"}))


def _project(point: Point, axes: Sequence[str]) -> tuple[Any, ...]:
    return tuple(point.get(axis) for axis in axes)


def united(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """All of them once, in order; a group that many share is looked at once."""
    found: dict[str, None] = {}
    seen: set[int] = set()
    for group in groups:
        if len(group) == 1:
            found[group[0]] = None
        elif group and id(group) not in seen:
            seen.add(id(group))
            found.update(dict.fromkeys(group))
    return tuple(found)


def united_saw(sources: Iterable[Unit | ManyInput]) -> frozenset[str]:
    """Whom any of them saw; one set that all share stays that set."""
    sets = {id(source.saw): source.saw for source in sources if source.saw}
    if len(sets) == 1:
        return next(iter(sets.values()))
    return frozenset().union(*sets.values())


def _absentees(units: Iterable[Unit], missing: Iterable[Point]) -> tuple[str, ...]:
    here = tuple(str(point["subject"]) for point in missing if "subject" in point)
    return united([*(unit.absentees for unit in units), tuple(dict.fromkeys(here))])


def _text(point: Point) -> str:
    return json.dumps(point, sort_keys=True)
