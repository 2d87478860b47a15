"""`byreturn certificates`: whom letters can be encrypted to (S/MIME)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from byreturn.show import CONSOLE, show_rows
from desk.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

app = typer.Typer(no_args_is_help=True, help="Whom letters can be encrypted to (S/MIME).")

Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="The certificate, PEM; never a private key.")],
    address: Annotated[str, typer.Option(help="Whose it is, where it names several addresses.")] = "",
) -> None:
    """Encrypt letters to the owner of this certificate, once it was looked at; it takes a former one's place."""
    from store.certificates import keep_certificate
    from tasks.opening import open_store

    certificate = read_certificate(file)
    owner = choose_owner(certificate, address)
    check_fit(certificate, owner)
    ends = certificate.not_valid_after_utc
    renewed = keep_certificate(open_store(), owner, write_pem(certificate), ends, datetime.now(UTC))
    said = "takes the place of the former one" if renewed else "is kept"
    CONSOLE.print(f"The certificate of {owner} {said}; it ends on {ends:%Y-%m-%d}.")


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """Every address that letters can be encrypted to, and until when."""
    from store.certificates import list_certificates
    from tasks.opening import open_store

    show_rows(list_certificates(open_store()), as_json, "No certificate yet.")


@app.command("remove")
def remove(address: Annotated[str, typer.Argument(help="Of `certificates list`.")]) -> None:
    """Encrypt no letter to this address any more."""
    from store.certificates import remove_certificate
    from tasks.opening import open_store

    if not remove_certificate(open_store(), address):
        raise ConfigurationError("that address has no certificate", remedy="`byreturn certificates list` names them.")
    CONSOLE.print(f"Letters to {address.lower()} are encrypted no more.")


def read_certificate(file: Path) -> Certificate:
    """The first one in the file. Raises ConfigurationError for a file that holds none, or a private key beside it."""
    from desk.certificates import read_certificates

    try:
        pem = file.read_bytes()
    except OSError:
        raise ConfigurationError(f"there is no readable file {file.name}") from None
    if b"PRIVATE KEY" in pem:
        raise ConfigurationError(
            f"{file.name} holds a private key", remedy="Keep that to its owner: give the certificate alone."
        )
    return read_certificates(pem)[0]


def choose_owner(certificate: Certificate, address: str) -> str:
    """Whose letters it is for: the address asked for, or the only one it names. Raises ConfigurationError."""
    from desk.certificates import list_addresses

    named = list_addresses(certificate)
    if address:
        return address.lower()
    if len(named) != 1:
        raise ConfigurationError(f"the certificate names {len(named)} addresses", remedy="Say which: --address …")
    return named[0]


def check_fit(certificate: Certificate, owner: str) -> None:
    from desk.certificates import find_faults

    if faults := find_faults(certificate, owner, "encrypt", datetime.now(UTC)):
        raise ConfigurationError(
            f"the certificate can't be used: {', '.join(faults)}", remedy="Ask its owner for one that is for mail."
        )


def write_pem(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()
