"""An automation in Prefect: a run that gave no sign of life for too long is marked as crashed.

A run killed with the process that started it can tell nobody, and would be *Running* for ever.
"""

from __future__ import annotations

import datetime
import logging

from prefect import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

log = logging.getLogger(__name__)

NAME = "cohortflow: a silent run has crashed"
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = ("Completed", "PartlyDone", "Failed", "Cancelled", "Missed", "Crashed")
"""Names of states after which no sign of life is due; ``PartlyDone`` and ``Missed`` are ours."""


def automation(silence: datetime.timedelta) -> AutomationCore:
    """After a heartbeat: another one or an end within ``silence``, or else the run is crashed."""
    ends = {f"prefect.flow-run.{name}" for name in ENDS}
    return AutomationCore(
        name=NAME,
        description=f"No heartbeat for {silence.total_seconds():.0f} s.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={HEARTBEAT},
            expect={HEARTBEAT, *ends},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            threshold=1,
            within=silence,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                state=StateType.CRASHED,
                message="no sign of life: its process is gone",
                force=False,
            )
        ],
    )


def watch_for_silence(silence: datetime.timedelta) -> None:
    """Create the automation, or bring the one that is there up to date."""
    wanted = automation(silence)
    with get_client(sync_client=True) as client:
        for known in client.read_automations_by_name(NAME):
            client.delete_automation(known.id)
        client.create_automation(wanted)
