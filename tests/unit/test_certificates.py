"""Certificates for mail: whose they are, and what keeps one from being used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from desk.certificates import Use, find_faults, is_current, list_addresses, read_certificates
from desk.errors import ConfigurationError
from tests.sealing import DAY, make_key, make_pair, make_root

OWNER = "n1@atelier.example"
NOW = datetime.now(UTC)
SERVER_USE = (ExtendedKeyUsageOID.SERVER_AUTH,)


def judge(use: Use = "encrypt", address: str = OWNER, at: datetime = NOW, **fields: Any) -> tuple[str, ...]:
    return find_faults(make_pair(OWNER, **fields).certificate, address, use, at)


@pytest.mark.parametrize("use", ["sign", "encrypt"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"uses": (), "purposes": ()},
        {"in_subject": True},
        {"purposes": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)},
    ],
    ids=["usual", "says nothing of its use", "address in the subject", "for anything"],
)
def test_a_sound_certificate_has_no_fault(use: Use, fields: dict[str, Any]) -> None:
    assert judge(use, **fields) == ()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"key": make_key("short", 1024)}, "its key is no RSA key of 2048 bits"),
        ({"key": ec.generate_private_key(ec.SECP256R1())}, "its key is no RSA key"),
        ({"purposes": SERVER_USE}, "it is not for mail"),
        ({"uses": ("digital_signature",)}, "it is not for encrypting"),
        ({"starts": NOW + DAY, "ends": NOW + 2 * DAY}, "it is not valid yet"),
        ({"starts": NOW - 2 * DAY, "ends": NOW - DAY}, "it has expired"),
    ],
    ids=["short key", "no RSA key", "for servers", "for signing alone", "not valid yet", "expired"],
)
def test_what_is_wrong_is_told(fields: dict[str, Any], told: str) -> None:
    (fault,) = judge(**fields)
    assert told in fault


def test_each_use_asks_for_its_own() -> None:
    assert judge("sign", uses=("key_encipherment",)) == ("it is not for signing",)
    assert judge("sign", uses=("digital_signature",)) == ()
    assert judge("sign", uses=("content_commitment",)) == ()
    assert judge("encrypt", uses=("key_encipherment",)) == ()


def test_a_certificate_is_for_its_own_address_in_whatever_case() -> None:
    assert judge(address="N1@Atelier.example") == ()
    assert judge(address="n2@atelier.example") == ("it belongs to another address",)


def test_all_faults_are_told_at_once() -> None:
    assert len(judge(address="n2@atelier.example", uses=("digital_signature",), purposes=SERVER_USE)) == 3


def test_addresses_are_read_from_names_and_subject() -> None:
    assert list_addresses(make_pair("N1@Atelier.example").certificate) == (OWNER,)
    assert list_addresses(make_pair(OWNER, in_subject=True).certificate) == (OWNER,)
    assert list_addresses(make_root().certificate) == ()


@pytest.mark.parametrize(("days", "current"), [(-31, False), (0, True), (366, False)])
def test_a_certificate_is_current_within_its_days(days: int, current: bool) -> None:
    assert is_current(make_pair(OWNER).certificate, NOW + timedelta(days=days)) is current


@pytest.mark.parametrize("text", ["", "no certificate", make_pair(OWNER).pem[:200], make_pair(OWNER).write_key()])
def test_what_is_no_certificate_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no readable certificate") as refused:
        read_certificates(text.encode())
    assert "BEGIN CERTIFICATE-" not in str(refused.value)


def test_certificates_are_read_in_their_order() -> None:
    pair, root = make_pair(OWNER), make_root()
    assert read_certificates((pair.pem + root.pem).encode()) == (pair.certificate, root.certificate)
