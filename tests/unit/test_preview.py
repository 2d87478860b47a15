"""`byreturn letters preview` shows a letter as its reader would see it, as words, as a page and as a picture."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops
from typer import Typer
from typer.testing import CliRunner, Result

from byreturn.preview import add_commands
from desk.errors import ConfigurationError
from letters.picture import WIDTH, draw_letter
from letters.render import render_letter
from letters.slots import SLOTS, sample_slots

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "policy.yaml").read_text(encoding="utf-8")
PAPER, MARGIN, BLUE = (255, 255, 255), (238, 241, 245), (31, 78, 121)

MAIL = """From: =?utf-8?q?L=C3=A9a_Morin?= <lea@tilleuls.example>
To: support@atelier.example
Subject: Changer la salle de la classe de CM1
Date: Tue, 17 Nov 2026 08:55:00 +0000
Message-ID: <1@tilleuls.example>
Content-Type: text/plain; charset=utf-8

Bonjour,

Peut-on changer la salle des CM1 le 24 novembre ? Signé {{ 7*7 }}

Léa Morin
"""

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command under the repository's policy, changed by what `policy.yaml` of the folder then says."""
    (tmp_path / "policy.yaml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "mail.eml").write_text(MAIL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BYRETURN_POLICY", raising=False)
    app = Typer()
    add_commands(app)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return call


def read(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert isinstance(shown, dict)
    return shown


def draw(template: str, language: str = "fr", **changed: object) -> Image.Image:
    slots = {**sample_slots(template, language), **changed}
    return Image.open(io.BytesIO(draw_letter(render_letter(template, language, slots).html))).convert("RGB")


def count_ink(picture: Image.Image) -> int:
    """Pixels that are nearly black: letters."""
    return sum(count for count, (red, green, blue) in list_colours(picture) if red + green + blue < 200)


def list_colours(picture: Image.Image) -> list[tuple[int, tuple[int, int, int]]]:
    return picture.getcolors(picture.width * picture.height)  # type: ignore[return-value]  # of an RGB picture


# --- words ---------------------------------------------------------------------------------------------------


def test_without_a_mail_everything_but_the_policys_own_is_made_up_and_said_so(run: Run) -> None:
    shown = read(run("timetable", "--language", "en", "--json"))
    assert (shown["template"], shown["language"], shown["segment"], shown["variant"]) == ("timetable", "en", "", "")
    assert shown["subject"].startswith("Re: [#2026-000123] ")
    assert {"subject", "fields", "passages", "number"} <= set(shown["made_up"])
    assert not {"organisation", "signature", "excerpt"} & set(shown["made_up"])
    assert (shown["judged"], shown["hole"]) == ("", "")
    assert shown["html"].startswith("<!DOCTYPE html>")


def test_a_mail_tells_its_sender_its_subject_and_what_was_found_in_it(run: Run) -> None:
    shown = read(run("timetable", "--mail", "mail.eml", "--json"))
    said = shown["text"].replace("\N{NO-BREAK SPACE}", " ")
    assert shown["language"] == "fr"
    assert said.startswith("Bonjour Léa Morin,\n\nMerci pour votre message du mardi 17 novembre 2026 à 9 h 55")
    assert "la classe de CM1, le 24 novembre ;" in said
    assert shown["subject"] == "Re: [#2026-000123] Changer la salle de la classe de CM1"
    assert "timetable" in shown["judged"]
    assert not {"subject", "fields", "requester_name", "received_at"} & set(shown["made_up"])
    assert "number" in shown["made_up"]


CRASH = ROOT / "demo" / "mails" / "04-sync-crash-log.eml"


def test_a_mail_is_told_what_the_articles_say_where_its_category_quotes_them(run: Run) -> None:
    Path("knowledge").symlink_to(ROOT / "knowledge")
    shown = read(run("technical", "--mail", str(CRASH), "--json"))
    assert "passages" not in shown["made_up"]
    assert "(fr/synchronisation#2)" in shown["text"].replace("\N{NO-BREAK SPACE}", " ")
    assert "passages" in read(run("account", "--mail", str(CRASH), "--json"))["made_up"]


def test_without_the_articles_passages_are_made_up(run: Run) -> None:
    assert "passages" in read(run("technical", "--mail", str(CRASH), "--json"))["made_up"]


def test_what_people_read_names_what_was_made_up(run: Run) -> None:
    said = run("handover", "--mail", "mail.eml", "--language", "fr").output
    assert "Subject: [#2026-000123] À traiter" in said
    assert "{{ 7*7 }}" in said
    assert "Made up: drafted, number, reason, requester_organisation, respond_by." in said
    assert "Judged by the local model: timetable" in said


def test_a_segment_and_a_variant_are_shown(run: Run) -> None:
    assert "avant les autres" in read(run("technical", "--segment", "pilot", "--json"))["text"]
    assert read(run("technical", "--segment", "academy", "--json"))["segment"] == ""
    short = read(run("account", "--variant", "short", "--json"))
    assert short["variant"] == "short"
    assert len(short["text"]) < len(read(run("account", "--json"))["text"])


def test_a_hole_is_marked_and_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "own" / "fr" / "account.j2"
    file.parent.mkdir(parents=True)
    file.write_text("{% extends layout %}{% block text %}Pour {{ fields.colour }}{% endblock %}", encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(TEXT.replace('templates: ""', "templates: own"), encoding="utf-8")
    shown = read(run("account", "--json"))
    assert "[… à compléter" in shown["text"]
    assert shown["hole"] == "letter fr/account has nothing for fields.colour"
    assert "Would not go out by itself: letter fr/account has nothing" in run("account").output


def test_the_list_names_templates_with_languages_segments_and_variants(run: Run) -> None:
    rows = json.loads(run("--list", "--json").stdout)
    assert {row["template"] for row in rows} == set(SLOTS)
    by_name = {row["template"]: row for row in rows}
    assert by_name["account"] == {
        "template": "account", "languages": ["en", "fr"], "segments": [], "variants": ["short"],
    }  # fmt: skip
    assert by_name["technical"]["segments"] == ["pilot"]
    assert "pilot" in run("--list").output
    assert run().output == run("--list").output


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("canteen",), "no template letters/templates/fr/canteen.j2"),
        (("account", "--variant", "long"), "account@long.j2"),
        (("account", "--language", "de"), "no letters in the language de"),
        (("account", "--mail", "nowhere.eml"), "nowhere.eml can't be read"),
        (("account", "--html", "policy.yaml"), "policy.yaml exists"),
        (("account", "--png", "policy.yaml"), "policy.yaml exists"),
    ],
)
def test_what_is_not_there_or_in_the_way_is_named(arguments: tuple[str, ...], fault: str, run: Run) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert fault in str(result.exception)


def test_it_works_where_there_is_no_policy(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").unlink()
    shown = read(run("billing", "--mail", "mail.eml", "--json"))
    assert "organisation" in shown["made_up"]
    assert "Léa Morin" in shown["text"]


def test_page_and_picture_are_written_for_nobody_elses_eyes(run: Run, tmp_path: Path) -> None:
    shown = read(run("account", "--png", "a.png", "--html", "a.html", "--json"))
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    assert page.read_text(encoding="utf-8") == shown["html"]
    assert Image.open(io.BytesIO(picture.read_bytes())).width == WIDTH
    assert {file.stat().st_mode & 0o777 for file in (page, picture)} == {0o600}


def test_neither_prefect_nor_a_database_is_asked_for(tmp_path: Path) -> None:
    told = (
        "from byreturn.preview import fill_template; import sys; fill_template('account', None, 'fr', '', '', None); "
    )
    loaded = f"{told}print([one for one in ('prefect', 'sqlalchemy') if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- pictures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("template", sorted(SLOTS))
def test_every_letter_is_drawn_as_dark_words_on_paper_with_a_margin(template: str, language: str) -> None:
    picture = draw(template, language)
    colours = {colour: count for count, colour in list_colours(picture)}
    whole = picture.width * picture.height
    assert picture.width == WIDTH
    assert 250 < picture.height < 4000
    assert colours[PAPER] > 0.6 * whole
    assert colours[MARGIN] > 0.1 * whole
    assert colours[BLUE] >= 4 * 600  # the rule above
    assert 0.002 * whole < count_ink(picture) < 0.1 * whole
    assert picture.getpixel((0, 0)) == MARGIN
    assert picture.getpixel((WIDTH // 2, 21)) == BLUE


def test_letters_that_differ_look_different() -> None:
    pictures = [draw("account"), draw("account", "en"), draw("billing"), draw("account", passages=[])]
    assert len({one.tobytes() for one in pictures}) == 4
    assert draw("account").tobytes() == draw("account").tobytes()


def test_words_stand_on_the_left_and_none_runs_off_the_paper() -> None:
    excerpt = f"Adresse : https://atelier.example/{'x' * 300}\n\nmot"
    for picture in (draw("handover", excerpt=excerpt), draw("timetable"), draw("digest")):
        box = ImageChops.difference(picture.crop((40, 30, 680, picture.height)), paper_like(picture)).getbbox()
        assert box is not None
        assert box[0] < 40
        assert picture.crop((664, 40, 680, picture.height - 30)).getcolors() == [(16 * (picture.height - 70), PAPER)]


def paper_like(picture: Image.Image) -> Image.Image:
    return Image.new("RGB", (640, picture.height - 30), PAPER)


def test_accents_are_drawn() -> None:
    plain, accented = draw("alarm", what="Eleve eteint"), draw("alarm", what="Élève éteint")
    assert plain.size == accented.size
    changed = ImageChops.difference(plain, accented).getbbox()
    assert changed is not None
    assert changed[3] - changed[1] < 40  # one line


def test_a_longer_letter_is_a_taller_picture() -> None:
    long = [{"title": "Guide", "text": "\n\n".join(f"Étape {number}." for number in range(60)), "cites": []}]
    assert draw("technical", passages=long).height > draw("technical", passages=[]).height + 60 * 30


def test_a_table_has_thin_rules_between_its_rows() -> None:
    rows = [[f"ligne {number}", "1", "2"] for number in range(10)]
    picture = draw("digest", sections=[{"title": "T", "columns": ["a", "b", "c"], "rows": rows}])
    rules = [y for y in range(picture.height) if picture.getpixel((300, y)) == (228, 232, 238)]
    assert len(rules) == 10
    gaps = [after - before for before, after in pairwise(rules)]
    assert max(gaps) - min(gaps) <= 3  # evenly, to the pixel's rounding


def test_a_letter_too_long_to_draw_and_a_missing_engine_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"too long for a picture.*--html"):
        draw_letter("<p>" + "word " * 400_000)
    monkeypatch.setitem(sys.modules, "blitz_py", None)
    with pytest.raises(ConfigurationError, match=r"extra `preview`.*pip install 'byreturn\[preview\]'"):
        draw_letter("<p>x")


def test_nothing_is_fetched_from_outside() -> None:
    seen = draw_letter("<p>x</p><img src='http://127.0.0.1:1/x.png' width='10' height='10'>")
    assert Image.open(io.BytesIO(seen)).width == WIDTH
