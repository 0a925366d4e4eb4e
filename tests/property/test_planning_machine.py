"""Planning as a machine: subjects come, change and leave, parameters change, units settle or fail.

Nothing is computed: records are committed to a store in memory, as a run would in its own order.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cohortflow.cohort.maintenance import forget
from cohortflow.pipeline.plan import Plan
from cohortflow.pipeline.unit import SETTLED_BADLY, ManyInput, Unit
from tests.pipeline.world import STANDING, TRANSIENT, World, pending, scan, unit_of

PIPELINE = """
inputs: {{image: volume, label: {{kind: label_map, optional: true}}}}
splits: {{cv: {{folds: 2, by: patient}}}}
axes: {{fold: {{split: cv}}, seed: [0, 1]}}
steps:
  - resample: {{order: {order}}}
  - smooth
  - regrid_labels: {{id: truth}}
  - learn: {{epochs: {epochs}, column: group, reads: {{image: smooth}},
      over: [fold, seed], where: {{split: cv/train}}}}
  - segment: {{flips: {flips}, reads: {{image: smooth}},
      over: [fold, seed], where: {{unseen_by: learn}}}}
  - score: {{reads: {{prediction: segment, reference: truth}}, over: [fold, seed]}}
  - test: {{reads: {{image: smooth}}}}
  - summarise: {{over: [seed]}}
"""
PATIENTS = [f"p{i}" for i in range(6)]
FEWEST = 3
"""Patients that a split into two folds keeps after any withdrawal."""


class Planning(RuleBasedStateMachine):
    """Every rule is a night, or a person; the invariants are looked at after each."""

    @initialize()
    def begin(self) -> None:
        self.said: dict[str, Any] = {"order": 1, "epochs": 10, "flips": "false"}
        subjects = [self._scan(f"{p}_ses-1", p) for p in PATIENTS[: FEWEST + 1]]
        self.world = World(PIPELINE.format(**self.said), subjects)
        self.contents: dict[str, tuple[Any, ...]] = {}
        self.done: set[str] = set()
        self.trained: dict[tuple[Any, ...], str] = {}
        self.chains: dict[tuple[Any, ...], str] = {}

    def _scan(self, subject: str, patient: str, **changes: Any) -> Any:
        said = {"group": "HC", "image": 1, "size": 100, "label": 1, **changes}
        return scan(subject, patient=patient, **said)

    # --- what happens to a cohort -----------------------------------------------------------------

    @rule(
        patient=st.sampled_from(PATIENTS),
        session=st.integers(1, 2),
        size=st.integers(98, 103),
        label=st.sampled_from([None, 1, 2]),
        image=st.integers(1, 2),
        group=st.sampled_from(["HC", "MCI"]),
    )
    def bring(
        self, patient: str, session: int, size: int, label: int | None, image: int, group: str
    ) -> None:
        """A newcomer, a corrected diagnosis, another source, a label: whatever ingest may find."""
        self.world.ingest(
            self._scan(
                f"{patient}_ses-{session}",
                patient,
                size=size,
                label=label,
                image=image,
                group=group,
            )
        )

    @rule(who=st.integers(0, 20), really=st.booleans())
    def withdraw(self, who: int, really: bool) -> None:
        """A subject leaves the source, or is forgotten."""
        names = sorted(self.world.subjects)
        name = names[who % len(names)]
        left = {s.patient for n, s in self.world.subjects.items() if n != name}
        if len(left) < FEWEST:
            return
        if really:
            forget(self.world.cohort, name)
            self.world.parts = []  # as if the indexes had been written anew
        self.world.withdraw(name)

    @rule(reason=st.sampled_from(["unreadable-file", "empty-input"]), who=st.integers(0, 20))
    def refuse(self, reason: str, who: int) -> None:
        """The source of a subject breaks."""
        names = sorted(self.world.subjects)
        old = self.world.subjects[names[who % len(names)]]
        error = {"code": reason, "message": f"{reason} of {old.id}", "hint": ""}
        self.world.ingest(scan(old.id, patient=old.patient, error=error, **old.columns))

    @rule(
        changes=st.fixed_dictionaries(
            {},
            optional={
                "order": st.integers(1, 2),
                "epochs": st.sampled_from([10, 20]),
                "flips": st.sampled_from(["true", "false"]),
            },
        )
    )
    def change_parameters(self, changes: dict[str, Any]) -> None:
        if changes.get("order", self.said["order"]) != self.said["order"]:
            self.trained.clear()  # another recipe above is another question
        if changes.get("epochs", self.said["epochs"]) != self.said["epochs"]:
            self.trained.clear()
        self.said.update(changes)
        self.world.rewrite(PIPELINE.format(**self.said))

    @rule(
        count=st.integers(1, 25),
        outcomes=st.lists(st.sampled_from([None, None, None, STANDING, TRANSIENT]), min_size=1),
        retry_failed=st.booleans(),
    )
    def run_and_stop(
        self, count: int, outcomes: list[dict[str, Any] | None], retry_failed: bool
    ) -> None:
        """A run that is cut off after some units, a few of which fail."""
        settled: list[str] = []

        def fails(unit: Unit) -> dict[str, Any] | None:
            settled.append(unit.key)
            return outcomes[len(settled) % len(outcomes)]

        self.world.run(fails, retry_failed=retry_failed, at_most=count)

    @rule()
    def run_to_the_end(self) -> None:
        """When all has settled well there is nothing to do, and a second run does nothing."""
        plan = self.world.run(retry_failed=True)
        assert not pending(plan)
        assert {unit.state for unit in plan.units()} <= {"done", "failed", "blocked"}
        again = self.world.run()
        assert _face(again) == _face(plan)
        for unit in plan.units():
            assert unit.state != "failed" or unit.error is not None

    @precondition(lambda self: self.trained)
    @rule()
    def refresh(self) -> None:
        plan = self.world.run(refresh=frozenset({"learn"}), retry_failed=True)
        assert not pending(plan)
        self.trained.clear()

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def everything_holds(self) -> None:
        self.plan = self.world.plan()
        assert _face(self.plan) == _face(self.world.plan()), "planning is deterministic"
        self.a_key_stands_for_one_content_and_a_content_for_one_key()
        self.what_is_done_stays_done_while_its_key_stays()
        self.keys_of_a_subject_follow_what_it_brought()
        self.nothing_is_tried_whose_single_input_failed()
        self.who_is_missing_is_named()
        self.trained_things_stay_put()
        self.no_seen_subject_is_scored_and_every_unseen_one_is()
        self.folds_tear_no_patient()

    def a_key_stands_for_one_content_and_a_content_for_one_key(self) -> None:
        for unit in self.plan.units():
            assert unit.recipe is not None
            content = (
                unit.stage,
                unit.recipe.digest,
                unit.subject,
                tuple(sorted(unit.input_digests.items())),
                unit.columns,
            )
            assert self.contents.setdefault(unit.key, content) == content
        assert len(set(self.contents.values())) == len(self.contents)

    def what_is_done_stays_done_while_its_key_stays(self) -> None:
        now = {unit.key for unit in self.plan.units() if unit.state == "done"}
        gone = {
            unit.key
            for unit in self.plan.units()
            if unit.key in self.done and not self.world.cohort.entries.exists(unit.ref)
        }
        lost = {unit.key for unit in self.plan.units()} & self.done - now - gone
        assert not lost
        self.done |= now

    def keys_of_a_subject_follow_what_it_brought(self) -> None:
        """The chain of one subject knows nothing of the others but the smallest size."""
        brought = {s: one for s, one in self.world.subjects.items() if one.entries.get("image")}
        smallest = min((one.entries["image"].facts["size"] for one in brought.values()), default=0)
        for subject, one in brought.items():
            content = (subject, one.entries["image"].key, smallest, self.said["order"])
            key = unit_of(self.plan, "smooth", subject).key
            assert self.chains.setdefault(content, key) == key
        assert len(set(self.chains.values())) == len(self.chains)

    def nothing_is_tried_whose_single_input_failed(self) -> None:
        for unit in pending(self.plan):
            for source in unit.inputs.values():
                if isinstance(source, Unit):
                    assert source.state not in SETTLED_BADLY
                else:
                    assert source.items or unit.selection

    def who_is_missing_is_named(self) -> None:
        chart = unit_of(self.plan, "test")
        source = chart.inputs["image"]
        assert isinstance(source, ManyInput)
        missing = {point["subject"] for point in source.missing}
        assert missing | set(source.members) == set(self.world.subjects)
        assert not missing & set(source.members)

    def trained_things_stay_put(self) -> None:
        """Only a changed recipe or a refresh makes another training of what is frozen."""
        for unit in self.plan.tables["learn"].units():
            if unit.selection not in self.plan.frozen:
                continue
            at = (unit.labels, self.said["order"], self.said["epochs"])
            assert self.trained.setdefault(at, unit.key) == unit.key

    def no_seen_subject_is_scored_and_every_unseen_one_is(self) -> None:
        patients = {s: one.patient for s, one in self.world.subjects.items()}
        for weights in self.plan.tables["learn"].units():
            chosen = (
                self.plan.frozen.get(str(weights.selection))
                or self.plan.proposed[str(weights.selection)]
            )
            seen = {row["patient"] for row in chosen.subjects}
            scored = set(self.plan.tables["score"].cells[weights.labels])
            assert not {patients[str(s)] for s in scored} & seen
            labelled = {
                s
                for s, one in self.world.subjects.items()
                if one.error is not None or "label" in one.entries
            }
            assert scored == {s for s in labelled if patients[s] not in seen}

    def folds_tear_no_patient(self) -> None:
        for unit in self.plan.tables["learn"].units():
            proposed = self.plan.proposed.get(str(unit.selection))
            if proposed is not None:
                inside = {row["patient"] for row in proposed.subjects}
                other = (1 - int(unit.labels[0]), *unit.labels[1:])
                twin = self.plan.tables["learn"].cells[other][None]
                rival = self.plan.proposed.get(str(twin.selection))
                if rival is not None:
                    assert not inside & {row["patient"] for row in rival.subjects}


def _face(plan: Plan) -> list[tuple[Any, ...]]:
    return [(u.step, u.subject, u.labels, u.key, u.state, u.reason, u.asked) for u in plan.units()]


TestPlanning = Planning.TestCase
TestPlanning.settings = settings(
    max_examples=30,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
