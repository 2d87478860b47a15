"""Credentials and outside systems as Prefect blocks: one file per system, no decisions.

`prefect block register -m blocks` makes all of them known to a Prefect server.
"""

from blocks.alert import AlertChannel
from blocks.base import Checked, DeskBlock, list_blocks, load_block
from blocks.carrier import Carried, Carrier, Envelope, Reply
from blocks.credentials import Credentials, PasswordCredentials
from blocks.database import Database
from blocks.gmail import GoogleService, GoogleUser
from blocks.imap import ImapMailbox
from blocks.keys import DeskKeys, KeySet
from blocks.microsoft import MicrosoftApp, MicrosoftUser
from blocks.mistral import MistralApi
from blocks.packs import PackStorage
from blocks.sharing import FileSharing
from blocks.smime import Identity, SmimeIdentity
from blocks.smtp import SmtpServer

__all__ = [
    "AlertChannel",
    "Carried",
    "Carrier",
    "Checked",
    "Credentials",
    "Database",
    "DeskBlock",
    "DeskKeys",
    "Envelope",
    "FileSharing",
    "GoogleService",
    "GoogleUser",
    "Identity",
    "ImapMailbox",
    "KeySet",
    "MicrosoftApp",
    "MicrosoftUser",
    "MistralApi",
    "PackStorage",
    "PasswordCredentials",
    "Reply",
    "SmimeIdentity",
    "SmtpServer",
    "list_blocks",
    "load_block",
]
