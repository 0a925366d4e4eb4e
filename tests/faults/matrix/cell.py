"""One cell of the matrix: a kind of fault, at a kind of step,
at a seeded moment; what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cohortflow.cohort.cohort import open_cohort
from cohortflow.cohort.run_view import UnitRow
from tests.faults.matrix import patches, study
from tests.faults.matrix.healing import heal_here
from tests.faults.matrix.misbehave import GO, REACHED, TIMEOUT
from tests.faults.matrix.running import Run, until

IN_A_STAGE = ("early", "middle", "late")
ANYWHERE = (*IN_A_STAGE, "files", "record")
FOR_EVER = 10**6
RUN_S = 600.0
"""Nothing here may take so long, on any machine: a net, no promise."""
GONE_S = 30.0

Unit = tuple[str, str]
"""(step, which of its units)."""


@dataclass
class Cell:
    """A fault on its way: what was chosen by the seed, what was seen, what was not as promised."""

    kind: str
    step_kind: str
    seed: int
    folder: Path
    mutant: str | None = None
    quick: bool = False
    problems: list[str] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)
    settled_s: float | None = None
    runs: list[Run] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    """Of every run of this cell."""

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.kind} {self.step_kind} {self.seed}")
        self.undisturbed = study.undisturbed()
        self.cohort = study.fresh(self.folder)
        self.step = study.STEPS[self.step_kind]
        self.who = self.random.choice(self.undisturbed.units[self.step])
        self.lasting = self.seed % 2 == 1
        self.trace = self.folder / "trace"

    # --- what happens -----------------------------------------------------------------------------

    def plan(
        self, does: str, *, times: int = 1, phases: Sequence[str] = ANYWHERE
    ) -> dict[str, Any]:
        """The unit and the moment of this seed, for ``misbehave``."""
        phase = self.random.choice(phases)
        if does == "wait":  # for the harness, which may take its time
            self.environment[TIMEOUT] = "600"
        self.seen |= {"unit": f"{self.step} {self.who}", "moment": phase, "times": times}
        return {
            "does": does, "step": self.step, "who": self.who, "phase": phase, "times": times,
            "folder": str(self.folder),
        }  # fmt: skip

    def start(self, name: str, **options: Any) -> Run:
        environment = {**self.environment, **(options.pop("environment", None) or {})}
        if self.mutant:
            environment[patches.MUTANT] = self.mutant
        run = Run(
            self.folder,
            options.pop("cohort", self.cohort),
            name=f"{self.kind}-{name}",
            environment=environment,
            **options,
        )
        self.runs.append(run)
        return run

    def reached(self, run: Run) -> dict[str, Any]:
        """Wait until the moment is there: the process that stands at it, and the time."""
        path = self.folder / REACHED
        if not until(lambda: path.exists() or run.process.poll() is not None, RUN_S):
            raise Stuck(f"the moment never came: {run.said()}")
        if not path.exists():
            raise Stuck(f"the run ended before the moment: {run.said()}")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def let_go(self) -> None:
        (self.folder / GO).write_text("")

    # --- what must hold ---------------------------------------------------------------------------

    def check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.problems.append(otherwise)

    def ends_with(self, run: Run, *codes: int) -> None:
        """The run ends by itself, soon, with one of the exit codes, and leaves no process."""
        found = run.wait(RUN_S)
        self.seen[f"exit code {len(self.seen)}"] = found
        self.check(found in codes, f"ended with {found}, not {codes}: {run.said()[-1500:]}")
        self.leaves_nothing(run)

    def leaves_nothing(self, run: Run) -> None:
        started = time.time()
        self.check(run.gone_within(GONE_S), f"processes left: {run.alive()}")
        self.seen["processes gone after"] = round(time.time() - started, 2)

    def rows(self, slug: str = "four-steps") -> dict[Unit, UnitRow]:
        """Rows of the newest index of a pipeline by unit."""
        return {unit_of(row): row for row in study.rows(self.cohort, slug)}

    def others_are_done(self, code: str | None) -> None:
        """All done; but where ``code`` is given the unit failed by it, and its readers say so."""
        for unit, row in self.rows().items():
            if code and unit == (self.step, self.who):
                found = (row.error or {}).get("code")
                self.check(row.state in ("failed", "quarantined"), f"{unit} is {row.state}")
                self.check(found == code, f"{unit} failed by {found}, not {code}")
            elif code and self._depends(unit) and row.state != "done":
                self.check(row.state == "blocked" and bool(row.reason), f"{unit} is {row.state}")
            else:
                self.check(row.state == "done", f"{unit} is {row.state}: {row.error}")

    def _depends(self, unit: Unit) -> bool:
        """Whether a unit may have to wait for the target."""
        if self.step == "clean":
            return unit[0] in ("learn", "apply")
        return self.step == "learn" and unit[0] == "apply" and unit[1].endswith(self.who)

    def settled_after(self, since: float) -> None:
        """Seconds from the fault to the record that settled its unit."""
        row = self.rows()[(self.step, self.who)]
        folder = self.cohort / row.ref.path
        records = [*folder.glob("failures/*.json"), *folder.glob("entry.json")]
        self.check(bool(records), f"nothing was recorded of {self.step} {self.who}")
        if records:
            self.settled_s = max(path.stat().st_mtime for path in records) - since

    def costs_little(self, *, apart: bool) -> None:
        """At most one unit per worker is computed again, the target (where it erred) apart."""
        again = study.repeated(self.trace)
        if apart:
            again.pop((self.step, self.who), None)
        self.seen["computed again"] = len(again)
        self.check(len(again) <= study.WORKERS, f"computed again: {sorted(again)}")

    def all_whole(self) -> None:
        """What stands is whole, and what the undisturbed run made too has the same bytes."""
        wrong = study.whole(open_cohort(self.cohort))
        self.check(not wrong, f"not whole: {wrong}")
        found = study.digests(self.cohort)
        others = [n for n, d in self.undisturbed.digests.items() if n in found and found[n] != d]
        self.check(not others, f"other bytes than undisturbed: {others}")

    def heals(self, *options: str, exactly: bool) -> None:
        """The same command again, without the fault, completes the cohort to the same bytes.

        ``exactly``: and leaves nothing else, such as a reduction over those who were there.
        """
        if self.quick:
            pipeline = self.folder / "four-steps.yaml"
            code = heal_here(self.cohort, pipeline, self.trace, options)
            self.check(code == 0, f"the healing run ends with {code}")
        else:
            where = ("--cluster", "none") if self.seed % 2 == 0 else ()
            self.ends_with(self.start("again", options=(*where, *options)), 0)
        for unit, row in self.rows().items():
            self.check(row.state == "done", f"{unit} is {row.state} at the end")
        self.all_whole()
        found, wanted = study.digests(self.cohort), self.undisturbed.digests
        lacking = sorted(set(wanted) - set(found))
        self.check(not lacking, f"lacking at the end: {lacking}")
        extra = sorted(set(found) - set(wanted))
        self.check(not exactly or not extra, f"not made by the undisturbed run: {extra}")
        self.seen["entries equal"] = len(wanted) - len(lacking)


class Stuck(Exception):
    """A cell that could not be played."""


def unit_of(row: UnitRow) -> Unit:
    """How the stages call the unit of a row."""
    seed = f"seed {row.point.get('seed')}"
    names = {
        "clean": row.subject,
        "gather": row.point.get("word"),
        "learn": seed,
        "apply": f"{row.subject} {seed}",
    }
    return row.step, str(names[row.step])


@contextlib.contextmanager
def opened(
    kind: str, step_kind: str, seed: int, mutant: str | None, *, quick: bool, keep: bool
) -> Iterator[Cell]:
    """A cell in a folder of its own; whatever it started is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"cohortflow-{kind}-"))
    cell = Cell(kind, step_kind, seed, folder, mutant, quick)
    try:
        yield cell
    finally:
        for run in cell.runs:
            run.end()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def result(cell: Cell, seconds: float) -> Mapping[str, Any]:
    """What is kept of a cell."""
    return {
        "kind": cell.kind,
        "step": cell.step_kind,
        "seed": cell.seed,
        "mutant": cell.mutant,
        "code": study.code_mark(),
        "verdict": "red" if cell.problems else "green",
        "seconds": round(seconds, 1),
        "load": round(os.getloadavg()[0], 1),
        "settled_s": None if cell.settled_s is None else round(cell.settled_s, 1),
        "seen": cell.seen,
        "problems": cell.problems,
    }
