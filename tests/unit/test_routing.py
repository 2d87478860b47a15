"""Routes are read from top to bottom; an address is never left with a hole in it."""

from __future__ import annotations

from typing import Any

import pytest

from desk.errors import PolicyError
from desk.facts import Organisation
from desk.policy import ListedOrganisation, Policy, Route, Team
from desk.routing import Routed, find_route, know_organisation

ROUTES: list[dict[str, object]] = [
    {"when": {"priority": "urgent"}, "team": "alarm"},
    {"when": {"segment": "academy"}, "team": "regional"},
    {"when": {"segment": "pilot", "category": "billing"}, "team": "premium"},
    {"when": {"category": "billing"}, "team": "accounts"},
    {"team": "support"},
]
LISTED: list[dict[str, object]] = [
    {"name": "North", "domains": ["north.example", "nord.example"], "segment": "academy", "academy": "north"},
    {"name": "Pilots", "domains": ["pilots.example"], "segment": "pilot"},
    {"name": "Harbour", "domains": ["harbour.north.example"], "segment": "standard"},
]
NORTH = Organisation("North", "academy", "north")
PILOTS = Organisation("Pilots", "pilot")
HARBOUR = Organisation("Harbour", "standard")
FORGOTTEN = Organisation("East", "academy", "east")  # known to a ticket of old, listed no more


def make_policy(routes: list[dict[str, object]]) -> Policy:
    names = ("alarm", "premium", "accounts", "support")
    teams = {name: Team(address=f"{name}@desk.example") for name in names}
    parts: dict[str, Any] = {  # of a policy, as far as routes go
        "teams": teams | {"regional": Team(address="{academy}@desk.example")},
        "routes": tuple(map(Route.model_validate, routes)),
        "organisations": tuple(map(ListedOrganisation.model_validate, LISTED)),
    }
    return Policy.model_construct(**parts)


POLICY = make_policy(ROUTES)


@pytest.mark.parametrize(("category", "priority", "organisation", "team", "address"), [
    ("billing", "urgent", NORTH, "alarm", "alarm@desk.example"),
    ("billing", "normal", NORTH, "regional", "north@desk.example"),
    ("billing", "normal", FORGOTTEN, "accounts", "accounts@desk.example"),
    ("other", "normal", FORGOTTEN, "support", "support@desk.example"),
    ("other", "normal", Organisation("Nameless", "academy"), "support", "support@desk.example"),
    ("billing", "normal", PILOTS, "premium", "premium@desk.example"),
    ("other", "normal", PILOTS, "support", "support@desk.example"),
    ("billing", "important", HARBOUR, "accounts", "accounts@desk.example"),
    ("billing", "normal", None, "accounts", "accounts@desk.example"),
    ("other", "normal", None, "support", "support@desk.example"),
])  # fmt: skip
def test_the_first_row_that_holds_decides(
    category: str, priority: str, organisation: Organisation | None, team: str, address: str
) -> None:
    assert find_route(POLICY, category, priority, organisation) == Routed(team, address)


def test_the_order_of_the_rows_matters() -> None:
    turned = make_policy([ROUTES[3], ROUTES[0], ROUTES[4]])
    assert find_route(turned, "billing", "urgent", None).team == "accounts"


def test_rows_that_leave_somebody_out_are_a_fault_of_the_policy() -> None:
    with pytest.raises(PolicyError, match="everything else"):
        find_route(make_policy(ROUTES[:4]), "other", "normal", None)


@pytest.mark.parametrize(("domain", "organisation"), [
    ("north.example", NORTH),
    ("nord.example", NORTH),
    ("mail.town.north.example", NORTH),
    ("Pilots.Example", PILOTS),
    ("pilots.example.", PILOTS),
    ("harbour.north.example", HARBOUR),  # nearer than north.example
    ("quay.harbour.north.example", HARBOUR),
    ("evilnorth.example", None),
    ("north.example.evil.example", None),
    ("example", None),
    ("", None),
])  # fmt: skip
def test_an_organisation_owns_its_domains_and_what_lies_below_them(
    domain: str, organisation: Organisation | None
) -> None:
    assert know_organisation(POLICY, domain) == organisation
