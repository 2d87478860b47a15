"""Where each provider's servers are, and what a connection must be like.

Figures are the providers' own help pages of November 2026. OVH E-mail Pro has several hosts (pro1, pro2 …
shown in the OVH manager), so its host can't be known here.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from typing import Literal

from desk.errors import BlockError

Provider = Literal["custom", "gmail", "microsoft365", "orange", "ovh_mx_plan", "ovh_email_pro", "yahoo", "ionos"]
Security = Literal["auto", "tls", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server; an empty host must be given by the operator."""

    host: str
    port: int
    security: Security

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


IMAP_PRESETS: dict[Provider, Endpoint] = {
    "custom": Endpoint("", 993, "tls"),
    "gmail": Endpoint("imap.gmail.com", 993, "tls"),
    "microsoft365": Endpoint("outlook.office365.com", 993, "tls"),
    "orange": Endpoint("imap.orange.fr", 993, "tls"),
    "ovh_mx_plan": Endpoint("ssl0.ovh.net", 993, "tls"),
    "ovh_email_pro": Endpoint("", 993, "tls"),
    "yahoo": Endpoint("imap.mail.yahoo.com", 993, "tls"),
    "ionos": Endpoint("imap.ionos.fr", 993, "tls"),
}
SMTP_PRESETS: dict[Provider, Endpoint] = {
    "custom": Endpoint("", 587, "starttls"),
    "gmail": Endpoint("smtp.gmail.com", 465, "tls"),
    "microsoft365": Endpoint("smtp.office365.com", 587, "starttls"),
    "orange": Endpoint("smtp.orange.fr", 465, "tls"),
    "ovh_mx_plan": Endpoint("ssl0.ovh.net", 465, "tls"),
    "ovh_email_pro": Endpoint("", 587, "starttls"),
    "yahoo": Endpoint("smtp.mail.yahoo.com", 465, "tls"),
    "ionos": Endpoint("smtp.ionos.fr", 465, "tls"),
}
IMAP_PORTS: dict[Security, int] = {"tls": 993, "starttls": 143, "none": 143}
SMTP_PORTS: dict[Security, int] = {"tls": 465, "starttls": 587, "none": 25}


def fill_endpoint(given: Endpoint, preset: Endpoint, ports: dict[Security, int]) -> Endpoint:
    """What was given, completed by the preset: host "", port 0 and security "auto" are empty.

    Raises BlockError when no host is known, or when the connection would cross a network unencrypted.
    """
    security = preset.security if given.security == "auto" else given.security
    usual = preset.port if security == preset.security else ports[security]
    filled = Endpoint(given.host or preset.host, given.port or usual, security)
    if not filled.host:
        raise BlockError("host is empty", remedy="Enter the server's host name; the provider's help page tells it.")
    if security == "none" and not is_loopback(filled.host):
        raise BlockError(
            "security `none` is taken for this machine only (localhost, 127.0.0.1, ::1)",
            remedy="Choose `tls`, or `starttls` if the provider says so.",
        )
    return filled


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine; names other than localhost are not looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def make_context() -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name verified against the system's authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
