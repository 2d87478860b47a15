"""Whom letters are encrypted to: addresses and their certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from store.engine import changed, reading, writing
from store.memory import Store
from store.tables import Certificate, table

certificates = table(Certificate)


@dataclass(frozen=True, slots=True)
class CertificateView:
    """An address that letters can be encrypted to, and until when."""

    address: str
    added_at: datetime
    expires_at: datetime


def keep_certificate(store: Store, address: str, pem: str, expires_at: datetime, now: datetime) -> bool:
    """Take the place of the address's former certificate; True when it had one."""
    values = {"pem": pem, "added_at": now, "expires_at": expires_at}
    address = address.lower()
    with writing(store.engine) as connection:
        renewed = connection.execute(sa.update(certificates).where(certificates.c.address == address).values(**values))
        if not changed(renewed):
            connection.execute(sa.insert(certificates).values(address=address, **values))
        return bool(changed(renewed))


def remove_certificate(store: Store, address: str) -> bool:
    """False when the address has none."""
    with writing(store.engine) as connection:
        gone = connection.execute(sa.delete(certificates).where(certificates.c.address == address.lower()))
        return bool(changed(gone))


def list_certificates(store: Store) -> tuple[CertificateView, ...]:
    """By address."""
    columns = (certificates.c.address, certificates.c.added_at, certificates.c.expires_at)
    with reading(store.engine) as connection:
        rows = connection.execute(sa.select(*columns).order_by(certificates.c.address)).all()
    return tuple(CertificateView(row.address, row.added_at, row.expires_at) for row in rows)


def read_pems(store: Store, addresses: Sequence[str], now: datetime) -> Mapping[str, str]:
    """Address (lower-cased) → PEM, of those whose certificate has not expired."""
    wanted = certificates.c.address.in_({one.lower() for one in addresses})
    query = sa.select(certificates.c.address, certificates.c.pem).where(wanted, certificates.c.expires_at >= now)
    with reading(store.engine) as connection:
        return {row.address: row.pem for row in connection.execute(query)}
