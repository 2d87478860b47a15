"""Reading a mail (door 3): from bytes to a `Mail`, whatever arrives. The door is `read_mail`.

`reading` composes what the others find: `repairs` mends the header, `parts` takes a mail apart, `headers` and
`charsets` decode, `bodies` and `pages` make text of it, `quotes`, `signatures` and `forwards` tell who wrote what,
`attachments`, `archives` and `tnef` look at files, `kinds` and `bounces` tell what sort of mail it is.
"""

from desk.mail.reading import Identity, identify_headers, read_mail
from desk.mail.values import Address, Attachment, Bounce, Forward, Kind, Mail, Signature, Unreadable

__all__ = [
    "Address",
    "Attachment",
    "Bounce",
    "Forward",
    "Identity",
    "Kind",
    "Mail",
    "Signature",
    "Unreadable",
    "identify_headers",
    "read_mail",
]
