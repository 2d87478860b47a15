"""Which team gets a ticket: `routes` of the policy, read from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass

from desk.errors import PolicyError
from desk.facts import Organisation
from desk.policy import ACADEMY, Policy


@dataclass(frozen=True, slots=True)
class Routed:
    """The team's name and the address that its letters go to."""

    team: str
    address: str


def find_route(policy: Policy, category: str, priority: str, organisation: Organisation | None) -> Routed:
    """The first row whose conditions all hold and whose address can be filled in.

    Raises PolicyError only for a policy that `load_policy` would refuse: its last row takes everything.
    """
    segment = organisation.segment if organisation else ""
    facts = {"category": category, "priority": priority, "segment": segment}
    for route in policy.routes:
        address = fill_address(policy, policy.teams[route.team].address, organisation)
        if address and route.when.items() <= facts.items():
            return Routed(route.team, address)
    raise PolicyError("routes has no row for everything else", remedy="End routes with a row without `when`.")


def fill_address(policy: Policy, address: str, organisation: Organisation | None) -> str:
    """`address` with its academy; empty where it needs one and the organisation has none that is listed."""
    if ACADEMY not in address:
        return address
    listed = {known.academy for known in policy.organisations if known.academy}
    academy = organisation.academy if organisation else ""
    return address.replace(ACADEMY, academy) if academy in listed else ""


def know_organisation(policy: Policy, domain: str) -> Organisation | None:
    """The listed organisation that `domain` belongs to: its own or a subdomain of it, the nearest first."""
    owners = {owned: listed for listed in policy.organisations for owned in listed.domains}
    labels = domain.lower().rstrip(".").split(".")
    for start in range(len(labels)):
        if listed := owners.get(".".join(labels[start:])):
            return Organisation(listed.name, listed.segment, listed.academy)
    return None
