"""What a page hides from its reader is hidden from judges as well, and kept apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.mail import Mail, read_mail
from desk.mail.hidden import HIDDEN_CHARS
from desk.mail.pages import find_hidden, render_html

HEAD = "From: a@x.example\r\nTo: b@x.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"

HIDING = {  # {} is what nobody sees
    "comment": "<!-- {} -->",
    "comment-that-never-ends": "vu<!-- {}",
    "display": "<div style='display:none'>{}</div>",
    "display-important": "<div style='DISPLAY: none !important'>{}</div>",
    "attribute": "<p hidden>{}</p>",
    "visibility": "<span style='visibility:hidden'>{}</span>",
    "opacity": "<span style='opacity:0'>{}</span>",
    "opacity-0.0": "<span style='opacity: 0.00;color:red'>{}</span>",
    "size-0": "<span style='font-size:0'>{}</span>",
    "size-0px": "<div style='font-size:0px'><b>{}</b></div>",
    "size-1px": "<span style='font-size: 1px; color: red'>{}</span>",
    "size-1pt": "<font style='font-size:1.0pt'>{}</font>",
    "font": "<span style='font:0/0 a'>{}</span>",
    "white-on-white": "<span style='color:#fff'>{}</span>",
    "white-after-quotes": """<span style="font-family:'Arial';color:#fff">{}</span>""",
    "white-unquoted": "<SPAN STYLE=color:white>{}</SPAN>",
    "white-word": "<font color=white>{}</font>",
    "white-rgb": "<span style='color: rgb(255, 255, 255)'>{}</span>",
    "nearly-white": "<span style='color:#fdfdfd'>{}</span>",
    "black-on-black": "<div style='background-color:#000'><span style='color:black'>{}</span></div>",
    "ground-of-the-table": "<table bgcolor='#336699'><tr><td><span style='color:#369'>{}</span></td></tr></table>",
    "background-short": "<p style='background:#FEFEFE none;color:white'>{}</p>",
    "inherited-ink": "<div style='color:white'><p>{}</p></div>",
    "transparent": "<span style='color:transparent'>{}</span>",
    "clear": "<span style='color:rgba(0,0,0,0)'>{}</span>",
    "indent": "<p style='text-indent:-9999px'>{}</p>",
    "left": "<p style='position:absolute;left:-5000px'>{}</p>",
    "max-height": "<div style='max-height:0;overflow:hidden'>{}</div>",
    "template": "<template>{}</template>",
}
SHOWING = {  # {} is seen
    "plain": "<p>{}</p>",
    "button": "<a style='background:#0066cc;color:#ffffff' href='https://x.example'>{}</a>",
    "dark-table": "<table bgcolor='#000000'><tr><td style='color:#fff'>{}</td></tr></table>",
    "white-on-picture": "<td background='a.png' style='color:white'>{}</td>",
    "white-on-gradient": "<div style='background:linear-gradient(#000,#111);color:white'>{}</div>",
    "white-by-class": "<style>.b{{background:#000}}</style><div class=b style='color:white'>{}</div>",
    "black-by-default": "<style>.b{{color:#fff}}</style><div class=b style='background:#000'>{}</div>",
    "size-back": "<td style='font-size:0'><span style='font-size:14px'>{}</span></td>",
    "colour-back": "<div style='color:white'><span style='color:#333'>{}</span></div>",
    "ground-back": "<div style='color:white'><p style='background-color:navy;background:#003'>{}</p></div>",
    "small": "<span style='font-size:0.9em;opacity:0.8'>{}</span>",
    "size-10": "<span style='font-size:10px'>{}</span>",
    "light-grey": "<span style='color:#bbbbbb'>{}</span>",
    "after-hidden": "<span style='color:white'>-</span>{}<!-- - -->",
    "unknown-colour": "<span style='color:hsl(0,0%,100%)'>{}</span>",
    "conditional": "<!--[if mso]>-<![endif]-->{}",
    "displayed": "<span style='display:block;left:-3px;max-height:100px'>{}</span>",
    "link-on-blue": "<div style='background:#00f;color:white'>{}</div>",
}


@pytest.mark.parametrize("page", HIDING.values(), ids=HIDING)
def test_what_is_hidden_is_kept_apart(page: str) -> None:
    body = render_html(f"<p>Avant</p>{page.format('mot secret')}")
    assert body.text.split() in (["Avant"], ["Avant", "vu"])
    assert body.hidden == "mot secret"
    assert "secret" not in body.marked


@pytest.mark.parametrize("page", HIDING.values(), ids=HIDING)
def test_what_an_unread_page_hides_is_found_too(page: str) -> None:
    assert find_hidden(f"<p>Avant</p>{page.format('mot secret')}") == "mot secret"


@pytest.mark.parametrize("page", SHOWING.values(), ids=SHOWING)
def test_what_is_seen_is_text(page: str) -> None:
    body = render_html(f"<p>Avant</p>{page.format('mot clair')}<p>Après</p>")
    assert [line.partition(" <")[0] for line in body.text.split("\n") if line] == ["Avant", "mot clair", "Après"]
    assert "clair" not in body.hidden + find_hidden(page.format("mot clair"))


def test_code_is_no_hidden_text() -> None:
    page = "<style><!-- p { color: red } --></style><script>var a</script><!--[if mso]>x<![endif]--><!-- ===== -->a"
    assert (render_html(page).hidden, find_hidden(page)) == ("", "")


def test_the_colours_of_the_whole_page_count() -> None:
    dark = render_html("<body bgcolor='#000' text='#fff'><p>un</p><p style='color:black'>deux</p></body>")
    assert (dark.text, dark.hidden) == ("un", "deux")


def test_the_link_of_a_hidden_text_is_hidden_with_it() -> None:
    body = render_html("a<span style='font-size:0'><a href='https://x.example'>b</a></span>")
    assert (body.text, body.hidden) == ("a", "b")


def test_a_page_that_hides_all_shows_nothing() -> None:
    body = render_html("<div style='display:none'>mot</div>")
    assert (body.text, body.hidden) == ("", "mot")


def test_what_is_hidden_is_bounded() -> None:
    page = "<p>a</p>" + f"<div style='display:none'>{'mot ' * 500}</div>" * 50
    assert len(render_html(page).hidden) <= HIDDEN_CHARS < 50 * 2000
    assert render_html(page).text == "a"


def read(raw: str) -> Mail:
    mail = read_mail(raw.encode())
    assert isinstance(mail, Mail)
    return mail


def test_a_mail_knows_what_its_page_hides() -> None:
    mail = read(f"{HEAD}Content-Type: text/html\r\n\r\n<p>Bonjour</p><p style='color:white'>secret</p>")
    assert (mail.text, mail.reply_text, mail.hidden_text) == ("Bonjour", "Bonjour", "secret")


def test_a_mail_knows_what_its_page_hides_where_the_plain_text_is_read() -> None:
    plain = "--b\r\nContent-Type: text/plain\r\n\r\nBonjour\r\n"
    page = (
        "--b\r\nContent-Type: text/html\r\n\r\n<p>Bonjour</p><!-- un --><p style='display:none'>deux</p>\r\n--b--\r\n"
    )
    mail = read(f"{HEAD}Content-Type: multipart/alternative; boundary=b\r\n\r\n{plain}{page}")
    assert (mail.text, mail.hidden_text) == ("Bonjour", "un deux")


def test_a_plain_mail_hides_nothing() -> None:
    assert read(f"{HEAD}\r\nBonjour <!-- non -->").hidden_text == ""


STYLES = st.text("color:#fFbackground-size0129;(),. rgpxtnspe%'\"", max_size=60)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(STYLES, STYLES)
def test_no_style_loses_a_word(outer: str, inner: str) -> None:
    page = f'<div style="{outer.replace(chr(34), "")}">un <b style="{inner.replace(chr(34), "")}">deux</b> trois</div>'
    body = render_html(page)
    assert sorted(f"{body.text} {body.hidden}".split()) == ["deux", "trois", "un"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "source",
    [
        pytest.param("<!--" * 100_000, id="comments"),
        pytest.param("<!---->" * 60_000, id="empty-comments"),
        pytest.param("<p style='color:white'>a" * 15_000, id="colours"),
        pytest.param("<p style='font-size:0'>a" * 15_000, id="sizes"),
        pytest.param("color:" * 80_000, id="names"),
        pytest.param("<style>" * 60_000, id="sheets"),
        pytest.param("<p style='max-height:0" + " " * 300 + "'>" * 1_000, id="heights"),
        pytest.param("max-height:0" * 40_000, id="half-a-pattern"),
        pytest.param("font:" + "a" * 400_000, id="fonts"),
    ],
)
def test_a_hostile_page_is_searched_in_time(source: str) -> None:
    assert len(render_html(source).hidden) + len(find_hidden(source)) <= 2 * HIDDEN_CHARS
