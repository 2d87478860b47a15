"""Reading a mail (door 3): from bytes to a `Mail`, whatever arrives. The door is `read_mail`.

`reading` composes what the others find:

- taken apart: `repairs`, `parts`, `fields`, `wrappers`, `smime`
- decoded: `headers`, `charsets`, `bodies` (plain text), `pages` (HTML)
- who wrote what: `quotes`, `signatures`, `forwards`, with the words of many languages in `phrases`
- files: `files`, `attachments`, `filenames`, `filetypes`, `archives`, `tnef`, `rtf`
- what sort of mail: `kinds` with `notices`, `bounces` with `refusals` and `reasons`, `receipts`
"""

from desk.mail.reading import Identity, identify_headers, read_mail
from desk.mail.values import (
    Address,
    Attachment,
    Bounce,
    Forward,
    Kind,
    Mail,
    Receipt,
    Signature,
    Told,
    Unreadable,
    Word,
)

__all__ = [
    "Address",
    "Attachment",
    "Bounce",
    "Forward",
    "Identity",
    "Kind",
    "Mail",
    "Receipt",
    "Signature",
    "Told",
    "Unreadable",
    "Word",
    "identify_headers",
    "read_mail",
]
