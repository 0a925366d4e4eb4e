"""The state of each unit: what is known of its key, and of what it reads."""

from __future__ import annotations

from cohortflow.errors import SeenSubject
from cohortflow.pipeline.admission import Admission
from cohortflow.pipeline.at_point import AtPoint
from cohortflow.pipeline.ledger import Ledger
from cohortflow.pipeline.options import PlanOptions
from cohortflow.pipeline.selecting import Training
from cohortflow.pipeline.unit import SETTLED_BADLY, ManyInput, Unit

NOT_ASKED = "left out of this run"
NO_TRAINING = "--no-train: no weights of its parameters stand; a run with training makes them"
NO_SELECTION = "no selection is frozen by a run with --subjects"
NOBODY = "no subject is admitted"
REFUSED = "refused at ingest"


class States:
    """Settles the units of one plan."""

    def __init__(
        self,
        ledger: Ledger,
        options: PlanOptions,
        training: Training,
        admission: Admission,
    ) -> None:
        self.ledger = ledger
        self.options = options
        self.training = training
        self.admission = admission
        self._blamed: dict[tuple[str, str], str] = {}

    def settle(self, at: AtPoint, unit: Unit) -> None:
        """State, reason and error of a unit whose inputs and key are known."""
        unit.asked = self._asked(at, unit)
        refused = self._refused(at, unit)
        if refused is not None:
            self._blame(unit, refused)
            return
        # What stands done stays done, also where it could not be made again today.
        known = self.ledger.look(unit.ref)
        unit.state, unit.error, unit.reason = known.state, known.error, known.note
        if unit.state == "done":
            return
        if unit.state == "failed" and unit.error is not None:
            unit.transient = bool(unit.error.get("transient"))
        if not self._blocked_by_inputs(at, unit) and unit.state == "pending":
            self._hold_training(at, unit)
            if unit.state == "pending" and not unit.asked:
                unit.reason = unit.reason or NOT_ASKED

    def refuse_seen(self, at: AtPoint, unit: Unit) -> None:
        """A score of a subject that the weights saw is refused unless ``seen_by`` asks for it."""
        if not unit.saw:
            return
        allowed: frozenset[str] = frozenset()
        for where in at.wheres:
            for step in where.get("seen_by", ()):
                allowed |= self.admission.saw(step, at.point, "seen_by", at.line)
        for member in unit.concerned:
            if (self.admission.marks(member) & unit.saw) - allowed:
                raise SeenSubject(
                    f"step {at.step.id!r} scores {member!r}, which the weights behind it have seen",
                    where=at.line,
                    hint="Say where: {unseen_by: <training step>}, or seen_by to ask for it.",
                )

    # --- what is asked for ------------------------------------------------------------------------

    def _asked(self, at: AtPoint, unit: Unit) -> bool:
        """A unit is asked for where its point, its subject and all that it waits for are."""
        wanted = self.options.subjects
        if not at.asked or (wanted is not None and unit.subject not in (*wanted, None)):
            return False
        if (unit.step, unit.subject, unit.labels) in self.options.untried:
            return False
        if wanted is not None and unit.selection in self.training.proposed:
            return True  # and blocked: it would have to freeze a selection
        return not any(self._waits(source, unit) for source in unit.inputs.values())

    def _waits(self, source: Unit | ManyInput, unit: Unit) -> bool:
        if isinstance(source, Unit):
            return source.state == "pending" and not source.asked
        # A frozen selection stands: what there is today does not matter to it.
        return source.waits and unit.selection not in self.training.frozen

    # --- what stands in the way -------------------------------------------------------------------

    def _refused(self, at: AtPoint, unit: Unit) -> Unit | None:
        """An ingested entry that the subject was refused for, or did not bring."""
        for source in unit.inputs.values():
            if isinstance(source, Unit) and source.recipe is None and source.state == "failed":
                return source
        return None

    def _blame(self, unit: Unit, source: Unit) -> None:
        """A refused subject is a failed unit of the first step that needs it, blocked below."""
        message = str((source.error or {}).get("message"))
        first = self._blamed.setdefault((str(source.subject), message), unit.step)
        if first == unit.step:
            unit.state, unit.error, unit.reason = "failed", source.error, REFUSED
        else:
            self._block(unit, f"{source.step} failed")

    def _blocked_by_inputs(self, at: AtPoint, unit: Unit) -> bool:
        for name, source in unit.inputs.items():
            if isinstance(source, Unit):
                if source.state in SETTLED_BADLY:
                    self._block(unit, f"{source.step} {source.state}", source.transient)
                    return True
            elif not source.items and not unit.selection and not at.step.stage.reads[name].optional:
                lost = len(source.missing)
                reason = f"all {lost} inputs failed" if lost else NOBODY
                self._block(unit, reason, any(one.transient for one in source.lost))
                return True
        if unit.selection and not unit.members:
            self._block(unit, NOBODY)
            return True
        return False

    def _hold_training(self, at: AtPoint, unit: Unit) -> None:
        if not at.step.stage.trains:
            return
        if not self.options.train:
            self._block(unit, NO_TRAINING)
        elif unit.selection in self.options.held:
            self._block(unit, self.options.held[str(unit.selection)])
        elif self.options.subjects is not None and unit.selection in self.training.proposed:
            self._block(unit, NO_SELECTION)

    def _block(self, unit: Unit, reason: str, transient: bool = False) -> None:
        unit.state, unit.reason, unit.error = "blocked", reason, None
        unit.transient = transient
