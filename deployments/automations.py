"""Alarms about runs themselves: Prefect automations, since a dead worker can't report its own death.

The server sends these alarms by its own process, through the AlertChannel block: it must be able to import `blocks`.
It does so where the package is installed, by the entry point `byreturn = "blocks"` of group `prefect.collections`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from prefect.automations import AutomationCore, ChangeFlowRunState, EventTrigger, Posture, SendNotification
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from blocks import AlertChannel
from deployments.setup import DESK
from desk.errors import BlockError, ConfigurationError

QUIET = timedelta(minutes=30)  # one alarm per flow and kind in this time, however many runs end alike
HEARTBEAT = "prefect.flow-run.heartbeat"
MISSED = 3  # heartbeats that stay away before a run is taken for dead
RUNS = {"prefect.resource.id": "prefect.flow-run.*"}

# No state's message goes out: it may repeat an exception's text.
SUBJECT = "Byreturn: {{ flow.name }} is {{ flow_run.state.name }}"
BODY = "{remedy}\n{{{{ flow_run | ui_url }}}}"


@dataclass(frozen=True, slots=True)
class Ending:
    """A way for a run to end that the operator hears of; `states` are the names that Prefect's events end in.

    "Partial" is not among them: of that trouble the desk told already, once.
    """

    name: str
    states: tuple[str, ...]
    remedy: str


ENDINGS = (
    Ending("Byreturn: failed", ("Failed", "TimedOut"), "The run's log names the incident: `byreturn incident ID`."),
    Ending("Byreturn: crashed", ("Crashed",), "Its process or worker died. The next run takes the work over."),
    Ending("Byreturn: cancelled", ("Cancelled",), "Somebody cancelled it, or a limit did: look for runs that hang."),
)
LAST_STATES = ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Partial", "Suspended")


def install_automations(channel: str = DESK) -> tuple[str, ...]:
    """Create or renew the four automations by name; doing it again changes nothing. Returns their names.

    Raises BlockError without the alert channel, and ConfigurationError when flow runs send no heartbeats.
    """
    with get_client(sync_client=True) as client:
        block = find_channel(client, channel)
        wanted = (*(tell_ending(ending, block) for ending in ENDINGS), bury_zombies(allow_silence()))
        for automation in wanted:
            put_automation(client, automation)
    return tuple(automation.name for automation in wanted)


def find_channel(client: SyncPrefectClient, name: str) -> UUID:
    slug = AlertChannel.get_block_type_slug()
    try:
        return client.read_block_document_by_name(name, slug, include_secrets=False).id
    except ObjectNotFound:
        raise BlockError(f"{slug}/{name} does not exist") from None


def allow_silence() -> timedelta:
    """How long a living run may be silent; workers must send heartbeats at least as often as set here."""
    frequency = get_current_settings().flows.heartbeat_frequency
    if frequency is None:
        raise ConfigurationError(
            "flow runs send no heartbeats, so dead ones can't be told from living ones",
            remedy="Set PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30 here and for every worker.",
        )
    return timedelta(seconds=MISSED * frequency)


def tell_ending(ending: Ending, channel: UUID) -> AutomationCore:
    """Tell the operator of runs that end so."""
    return AutomationCore(
        name=ending.name,
        description=f"Tell the operator of runs that end as {' or '.join(ending.states)}.",
        trigger=EventTrigger(
            match=RUNS,
            expect={f"prefect.flow-run.{state}" for state in ending.states},
            for_each={"related:flow:prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=QUIET,
        ),
        actions=[SendNotification(block_document_id=channel, subject=SUBJECT, body=BODY.format(remedy=ending.remedy))],
    )


def bury_zombies(silence: timedelta) -> AutomationCore:
    """Mark runs as Crashed whose heartbeats stay away; that rings the operator in its turn.

    Without it a run whose worker died stays Running, holds its slot and keeps later runs waiting.
    """
    crash: ActionTypes = ChangeFlowRunState(state=StateType.CRASHED, message="Its heartbeats stayed away.")
    return AutomationCore(
        name="Byreturn: zombie",
        description="Mark runs as Crashed whose heartbeats stay away.",
        trigger=EventTrigger(
            match=RUNS,
            after={HEARTBEAT},
            expect={HEARTBEAT, *(f"prefect.flow-run.{state}" for state in LAST_STATES)},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=silence,
        ),
        actions=[crash],
    )


def put_automation(client: SyncPrefectClient, automation: AutomationCore) -> None:
    known = client.read_automations_by_name(automation.name)
    if known:
        client.update_automation(known[0].id, automation)
    else:
        client.create_automation(automation)
