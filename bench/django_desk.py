"""django-helpdesk turning a folder of mails into tickets, measured from inside; runs in its own environment.

    python bench/django_desk.py sift WORK FOLDER   which mails it can't take, as JSON: name → what it raises
    python bench/django_desk.py run WORK FOLDER    `process_email` over the folder, as JSON: Figures

Its settings are those of its own manual where they matter: a queue of type `local`, attachments on. SQLite keeps a
write-ahead log with `synchronous=NORMAL`, faster and less durable than ours; letters go to Django's dummy backend.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

EXTENSIONS = [".pdf", ".png", ".zip", ".docx", ".csv", ".txt", ".htm", ".html", ".eml"]
APPS = ["auth", "contenttypes", "sessions", "sites", "messages", "admin", "humanize"]
MIDDLEWARE = ["sessions.middleware.SessionMiddleware", "auth.middleware.AuthenticationMiddleware"]
CONTEXT = ["template.context_processors.request", "contrib.auth.context_processors.auth"]


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: seconds, and what lies in its database afterwards; `left` are mails that still lie in the folder."""

    wall: float
    cpu: float
    mails: int
    left: int
    tickets: int
    follow_ups: int
    attachments: int
    letters: int


def set_up(work: Path) -> None:
    """A Django of its own with an empty, migrated database below `work`."""
    import_module("django.conf").settings.configure(**choose_settings(work))
    import_module("django").setup()
    urls = ModuleType("bench_urls")
    places = import_module("django.urls")
    vars(urls)["urlpatterns"] = [places.path("", places.include("helpdesk.urls"))]
    sys.modules[urls.__name__] = urls
    logging.disable(logging.CRITICAL)
    import_module("django.core.management").call_command("migrate", verbosity=0)


def choose_settings(work: Path) -> dict[str, Any]:
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(work / "desk.db"),
        "OPTIONS": {"init_command": pragmas, "transaction_mode": "IMMEDIATE"},
    }
    pages = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": [f"django.{one}" for one in CONTEXT]},
    }
    return {
        "SECRET_KEY": "bench",
        "USE_TZ": True,
        "SITE_ID": 1,
        "ROOT_URLCONF": "bench_urls",
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "DATABASES": {"default": database},
        "INSTALLED_APPS": [*(f"django.contrib.{one}" for one in APPS), "rest_framework", "helpdesk"],
        "MIDDLEWARE": [f"django.contrib.{one}" for one in MIDDLEWARE],
        "TEMPLATES": [pages],
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "DEFAULT_FROM_EMAIL": "support@atelier.example",
        "MEDIA_ROOT": str(work / "media"),
        "MEDIA_URL": "/media/",
        "STATIC_URL": "/static/",
        "HELPDESK_TEAMS_MODE_ENABLED": False,
        "HELPDESK_KANBAN_BOARD_ENABLED": False,
        "HELPDESK_ACTIVATE_API_ENDPOINT": False,
        "HELPDESK_VALID_EXTENSIONS": EXTENSIONS,
    }


def make_queue(folder: Path) -> Any:
    return import_module("helpdesk.models").Queue.objects.create(
        title="Support", slug="support", email_address="support@atelier.example", allow_public_submission=True,
        allow_email_submission=True, email_box_type="local", email_box_local_dir=f"{folder}/", email_box_interval=0,
        logging_type="none",
    )  # fmt: skip


def sift_mails(work: Path, folder: Path) -> dict[str, str]:
    """Each mail by itself, read as `process_email` reads it: there, the first exception ends the whole run."""
    take, queue = import_module("helpdesk.email").extract_email_metadata, make_queue(work)
    tried = {file.name: try_mail(take, queue, file) for file in sorted(folder.iterdir())}
    return {name: reason for name, reason in tried.items() if reason}


def try_mail(take: Callable[..., Any], queue: Any, file: Path) -> str:
    """What it raises, if anything."""
    try:
        ticket = take(message=file.read_text(), queue=queue, logger=logging.getLogger("bench"))
    except Exception as failure:  # noqa: BLE001 - which ones there are is what we want to know
        return type(failure).__name__
    return "" if ticket else "no ticket"


def run_desk(work: Path, folder: Path) -> Figures:
    """`process_email` deletes what it has taken, so it gets a copy."""
    box = Path(shutil.copytree(folder, work / "box"))
    make_queue(box)
    mails = len(os.listdir(box))
    process = import_module("helpdesk.email").process_email
    start, cpu = time.perf_counter(), time.process_time()
    process(quiet=True)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    models = import_module("helpdesk.models")
    letters = sum(len(one.email_recipients or ()) for one in models.FollowUp.objects.all())
    tickets, follow_ups, files = (
        getattr(models, name).objects.count() for name in ("Ticket", "FollowUp", "FollowUpAttachment")
    )
    return Figures(wall, cpu, mails, len(os.listdir(box)), tickets, follow_ups, files, letters)


def main() -> None:
    verb, work, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    work.mkdir(parents=True)
    set_up(work)
    print(json.dumps(sift_mails(work, folder) if verb == "sift" else asdict(run_desk(work, folder))), flush=True)


if __name__ == "__main__":
    main()
