"""Whether an address can be written to at all, asked before a letter is sent: its syntax, and where its domain takes
mail. What no name server tells of is written to: the mail server knows more ways than the public ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime

from desk.errors import NetworkTrouble
from desk.policy import Policy
from letters.compose import is_writable
from store.memory import Store
from store.suppression import suppress_all
from tasks.lookups import Names, share_names

NO_MAIL = "."  # the only MX of a domain that takes none (RFC 7505 §3)
CLOSED = "5.1.10"  # RFC 7505 §4.2
# Names that public servers do not know, and that a house may use within (RFC 6761, RFC 6762, RFC 8375).
PRIVATE = ("test", "example", "local", "localhost", "internal", "intranet", "lan", "corp", "home.arpa")


def check_readers(store: Store, policy: Policy, addresses: Iterable[str], names: Names | None = None) -> frozenset[str]:
    """Those of `addresses` that no letter can reach. Addresses of a domain that says so are suppressed as "invalid".

    Domains are looked up only where the policy has name servers asked (`trust.check_dkim`), never those of our own
    people. Never raises for what the network does.
    """
    asked = frozenset(addresses)
    unfit = frozenset(one for one in asked if not is_writable(one))
    if not policy.trust.check_dkim:
        return unfit
    nowhere, closed = _sort_domains(_list_foreign(policy, asked - unfit), names or share_names())
    refused = frozenset(one for one in asked - unfit if _name_domain(one) in closed)
    if refused:
        now = datetime.now(UTC)
        suppress_all(store, refused, "invalid", now, now + policy.letters.suppress_for, CLOSED)
    return unfit | refused | frozenset(one for one in asked - unfit if _name_domain(one) in nowhere)


def _list_foreign(policy: Policy, addresses: Iterable[str]) -> frozenset[str]:
    """Domains that the public name servers must know of."""
    own = {_name_domain(one) for one in _list_own(policy)}
    domains = frozenset(map(_name_domain, addresses)) - own
    return frozenset(one for one in domains if not f".{one}".endswith(tuple(f".{name}" for name in PRIVATE)))


def _list_own(policy: Policy) -> Iterator[str]:
    organisation = policy.organisation
    yield from (organisation.sender, organisation.operator, f"@{organisation.domain}", *policy.agents)
    yield from (one.address for one in policy.teams.values())
    yield from (one.address for one in policy.levels.values())
    yield from (one.address for one in policy.digest.readers)


def _sort_domains(domains: Collection[str], names: Names) -> tuple[frozenset[str], frozenset[str]]:
    """(those that are nowhere, those that say that they take no mail)."""
    found = {one: _find_servers(one, names) for one in sorted(domains)}
    nowhere = frozenset(one for one, servers in found.items() if servers == ())
    return nowhere, frozenset(one for one, servers in found.items() if servers == (NO_MAIL,))


def _find_servers(domain: str, names: Names) -> tuple[str, ...] | None:
    """None where nobody tells."""
    try:
        return names.find_servers(domain)
    except NetworkTrouble:
        return None


def _name_domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
