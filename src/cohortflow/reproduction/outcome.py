"""How a reproduction came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cohortflow.reproduction.manifest import Code, Environment, Manifest
from cohortflow.reproduction.verdicts import (
    DIFFERS,
    EQUAL,
    WITHIN,
    LeftOut,
    Line,
    Verdict,
    compare,
    worst,
)

SCHEMA = 1


@dataclass(frozen=True)
class Group:
    """Lines of one table, figure, section or step, counted.

    ``largest``: difference, absolute. ``tolerance``: None where there is none.
    """

    name: str
    equal: int
    within: int
    differs: int
    largest: float | None
    tolerance: float | None

    @property
    def verdict(self) -> Verdict:
        return DIFFERS if self.differs else WITHIN if self.within else EQUAL

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "verdict": self.verdict}


@dataclass(frozen=True)
class Outcome:
    """``computed``: results made anew, in a cohort that held ``carried`` ingested entries and none.

    ``report``, ``page``, ``results`` and ``stored``: what was compared. ``code`` and
    ``environment``: those of this computation. ``notes``: what a reader must know beside them.
    """

    manifest: Manifest
    computed: int
    carried: int
    report: Sequence[Line]
    page: Sequence[Line]
    results: Sequence[Line]
    stored: Sequence[Line]
    left_out: Sequence[LeftOut]
    code: Code
    environment: Environment
    seconds: float
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def lines(self) -> list[Line]:
        return [*self.report, *self.page, *self.results, *self.stored]

    @property
    def verdict(self) -> Verdict:
        return worst([line.verdict for line in self.lines])

    @property
    def exit_code(self) -> int:
        return 3 if self.verdict == DIFFERS else 0

    @property
    def parts(self) -> dict[str, Sequence[Line]]:
        """What was compared, by what it is."""
        return {
            "values of the report": self.report,
            "what the page shows": self.page,
            "which results stand": self.results,
            "stored results": self.stored,
        }

    def other_environment(self) -> list[tuple[str, str, str]]:
        """What, then and now: packages, system and machine that are not the same."""
        then, now = _flat(self.manifest.environment), _flat(self.environment)
        names = dict.fromkeys([*then, *now])
        return [
            (name, then.get(name, "—"), now.get(name, "—"))
            for name in names
            if then.get(name) != now.get(name)
        ]

    def other_code(self) -> list[tuple[str, str]]:
        """Who computed or rendered with other code than this, and which."""
        ways = {"computed by": self.manifest.code, "rendered by": self.manifest.rendered_by}
        return [(way, told(code)) for way, code in ways.items() if code != self.code]

    def to_json(self) -> dict[str, Any]:
        """Everything, each number of the report with its verdict among it."""
        return {
            "schema": SCHEMA,
            "outcome": self.verdict,
            "computed": self.computed,
            "carried_over": self.carried,
            "taken_from_the_original": 0,
            "seconds": self.seconds,
            "report": {
                "pipeline": self.manifest.pipeline.slug,
                "cohort": self.manifest.cohort,
                "index": self.manifest.index,
                "created": self.manifest.created,
                "seeds": self.manifest.seeds,
            },
            "code": {"then": self.manifest.code.model_dump(), "now": self.code.model_dump()},
            "other_environment": [
                {"what": what, "then": then, "now": now}
                for what, then, now in self.other_environment()
            ],
            "notes": list(self.notes),
            "parts": {
                name: {"groups": [group.to_json() for group in groups(lines)], **counts(lines)}
                for name, lines in self.parts.items()
            },
            "not_compared": [vars(one) for one in self.left_out],
            "numbers": [line.to_json() for line in self.lines],
        }


def counts(lines: Iterable[Line]) -> dict[str, int]:
    """Values by verdict."""
    found = {"equal": 0, "within": 0, "differs": 0}
    names: Mapping[Verdict, str] = {EQUAL: "equal", WITHIN: "within", DIFFERS: "differs"}
    for line in lines:
        found[names[line.verdict]] += line.values if line.verdict == EQUAL else 1
    return found


def groups(lines: Iterable[Line]) -> list[Group]:
    """Lines counted by their group, in the order of the first of each."""
    by_name: dict[str, list[Line]] = {}
    for line in lines:
        by_name.setdefault(line.group, []).append(line)
    found = []
    for name, own in by_name.items():
        gaps = [line.difference for line in own if line.difference is not None]
        tolerance = max(line.tolerance for line in own) or None
        found.append(
            Group(name, **counts(own), largest=max(gaps, default=None), tolerance=tolerance)
        )
    return found


def compare_results(original: Manifest, recomputed: Manifest) -> list[Line]:
    """Which results stand done, by step, and which do not: the keys say what they are made of."""
    lines = []
    new = {step.id: step for step in recomputed.steps}
    for step in original.steps:
        twin = new.get(step.id)
        group = f"results of {step.id}"
        done, keys = (twin.done, twin.keys) if twin else (0, "absent")
        lines.append(compare(step.done, done, 0.0, group, "done"))
        lines.append(compare(step.keys, keys, 0.0, group, "their keys"))
    states = [
        sorted((u.step, u.subject or "", str(u.point), u.state) for u in manifest.undone)
        for manifest in (original, recomputed)
    ]
    lines.append(compare(len(states[0]), len(states[1]), 0.0, "results not done", "how many"))
    lines.append(compare(str(states[0]), str(states[1]), 0.0, "results not done", "which"))
    chosen = [sorted((s.step, s.digest) for s in m.selections) for m in (original, recomputed)]
    lines.append(compare(str(chosen[0]), str(chosen[1]), 0.0, "declared", "selections"))
    for name in ("axes", "seeds", "splits"):
        pair = (str(getattr(original, name)), str(getattr(recomputed, name)))
        lines.append(compare(*pair, 0.0, "declared", name))
    return lines


def told(code: Code | None) -> str:
    """A version with the start of its digest."""
    return f"{code.version} ({code.digest[:12]})" if code else "a version that is not known"


def _flat(environment: Environment) -> dict[str, str]:
    found = environment.model_dump()
    return {**found.pop("packages"), **found}
