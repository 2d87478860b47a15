"""HTML reads as its reader sees it, and what mail programs mark in it as quoted is known as such."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.mail.pages import render_html
from desk.mail.quotes import split_text

ATTRIBUTION = (
    "Le lun. 9 nov. 2026 à 20:11, Aide &lt;<a href='mailto:aide@x.example'>aide@x.example</a>&gt; a écrit&nbsp;:"
)
GREEK = "Στις Δευ 9 Νοε 2026"  # a language whose attributions nobody taught us
HEADS = "<b>De :</b> Aide<br><b>Envoyé :</b> lundi<br><b>À :</b> Moi<br><b>Objet :</b> x"

# What programs put around, before or into what they quote; {} is the quoted mail.
QUOTED = {
    "gmail": f"<div class='gmail_quote'><div class='gmail_attr'>{GREEK}</div>"
    "<blockquote class='gmail_quote' style='border-left:1px solid #ccc'>{}</blockquote></div>",
    "gmail-without-blockquote": f"<div class='gmail_quote'>{GREEK}<div>{{}}</div></div>",
    "gmail-through-outlook": "<div class='x_gmail_quote'><blockquote class='x_gmail_quote'>{}</blockquote></div>",
    "apple": f"<blockquote type='cite'><div>{ATTRIBUTION}</div><div>{{}}</div></blockquote>",
    "thunderbird": f"<div class='moz-cite-prefix'>{GREEK}</div><blockquote type='cite' cite='mid:1'>{{}}</blockquote>",
    "outlook": "<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'>"
    "<p class='MsoNormal'><b>Από&nbsp;:</b> Aide</p></div>{}",
    "outlook-old": "<div style='border-top:solid #B5C4DF 1.0pt'><p><b>Από:</b> Aide</p></div>{}",
    "outlook-heads": f"<hr><p>{HEADS}</p>{{}}",
    "outlook-web": f"<div id='appendonsend'></div><hr><div id='divRplyFwdMsg'>{GREEK}</div>{{}}",
    "outlook-mobile": f"<div id='mail-editor-reference-message-container'><div>{GREEK}</div>{{}}</div>",
    "outlook-mac": f"<span id='OLK_SRC_BODY_SECTION'><div>{GREEK}</div>{{}}</span>",
    "hotmail": f"<hr id='stopSpelling'>{GREEK}<br>{{}}",
    "windows-mail": "<div style='border-top-color: rgb(229, 229, 229); border-top-style: solid'>"
    "<b>Από:</b>&nbsp;Aide</div>{}",
    "yahoo": f"<div id='yahoo_quoted_12' class='yahoo_quoted'><div>{GREEK}</div>{{}}</div>",
    "yahoo-new": f"<div id='ydp1yahoo_quoted_12' class='ydp1yahoo_quoted'><div>{GREEK}</div>{{}}</div>",
    "proton": f"<div class='protonmail_quote'>{GREEK}<blockquote class='protonmail_quote'>{{}}</blockquote></div>",
    "zimbra": f"<hr id='zwchr' data-marker='__DIVIDER__'><div data-marker='__HEADERS__'>{GREEK}</div>{{}}",
    "zoho": f"<div class='zmail_extra'>{GREEK}<blockquote>{{}}</blockquote></div>",
    "mail.ru": "<br>9 ноября 2026, 20:11 +03:00 от Aide &lt;a@x.example&gt;:<br>"
    "<blockquote id='mail-app-auto-quote'>{}</blockquote>",
    "bar": "<blockquote style='border-left:#ff0000 2px solid'>{}</blockquote>",
    "bare-below-attribution": f"<p>{ATTRIBUTION}</p><blockquote>{{}}</blockquote>",
    "roundcube": f"<p id='reply-intro'>{GREEK}</p><blockquote type='cite'>{{}}</blockquote>",
    "spark": f"<div name='messageReplySection'>{GREEK}<blockquote>{{}}</blockquote></div>",
    "front": "<blockquote class='front-blockquote'>{}</blockquote>",
    "tutanota": "<blockquote class='tutanota_quote'>{}</blockquote>",
}
SIGNED = {
    "gmail": "<div class='gmail_signature'>{}</div>",
    "gmail-prefix": "<span class='gmail_signature_prefix'>-- </span><br><div class='gmail_signature'>{}</div>",
    "thunderbird": "<div class='moz-signature'>-- <br>{}</div>",
    "apple": "<div id='AppleMailSignature'>{}</div>",
    "outlook": "<div id='Signature'>{}</div>",
    "outlook-mobile": "<div id='ms-outlook-mobile-signature'>{}</div>",
    "yahoo": "<div id='ymail_android_signature'>{}</div>",
    "proton": "<div class='protonmail_signature_block'>{}</div>",
    "samsung": "<div id='composer_signature'>{}</div>",
    "zimbra": "<div data-marker='__SIG_PRE__'>{}</div>",
    "windows-mail": "<div data-signatureblock='true'>{}</div>",
    "spark": "<div name='messageSignatureSection'>{}</div>",
}


def read_own(page: str) -> list[str]:
    body = render_html(page)
    return [line for line in split_text(body.marked, whole=body.text).text.split("\n") if line]


# --- as a reader sees it ---------------------------------------------------------------------------------------


def test_html_is_read_as_a_person_sees_it() -> None:
    page = "<style>p{}</style><p>Un</p><script>x()</script><p style='display:none'>caché</p><ul><li>Deux</ul>"
    assert render_html(page).text == "Un\n\n* Deux"


def test_html_nested_too_deep_still_shows_its_words() -> None:
    assert render_html("<div>" * 5000 + "mot" + "</div>" * 5000).text.strip() == "mot"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a <b>b</b>c\n  d", "a bc d"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<p class=MsoNormal>a</p><p class=MsoNormal>&nbsp;</p><p class=MsoNormal>b</p>", "a\n\nb"),
        ("<ul><li>a<ol><li>b<li>c</ol><li>d</ul>", "* a\n  1. b\n  2. c\n* d"),
        ("<table><tr><th>Nom<th>Prix<tr><td><p>A</p><td><p>12</p></table>", "Nom\tPrix\nA\t12"),
        ("<table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table>", "a\n\nb\n\nc"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
        ("a<hr>b", "a\n" + "_" * 32 + "\nb"),
        ("<!-- caché -->a<!--[if mso]>caché<![endif]-->", "a"),
        ("<div hidden>caché</div><span style='VISIBILITY : hidden'>caché</span>a", "a"),
        ("<div style='max-height:0;overflow:hidden'>caché</div>a<select><option>caché</select>", "a"),
        ("<?xml version='1.0' encoding='UTF-8'?><html><body>é</body></html>", "é"),
        ("a&zwnj;&nbsp;&zwnj;<br>&zwnj;&#847;<br>b", "a\nb"),
        ("<img data-emoji='1' alt='😀'><img alt='logo'>a", "😀a"),
    ],
)
def test_a_page_keeps_its_lines(page: str, text: str) -> None:
    assert render_html(page).text == text


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ("<a href='https://x.example/a'>ici</a>", "ici <https://x.example/a>"),
        ("<a href='https://www.x.example/'>x.example</a>", "x.example"),
        ("<a href='https://x.example/a'>https://x.example/a</a>", "https://x.example/a"),
        ("<a href='https://evil.example'>https://bank.example</a>", "https://bank.example <https://evil.example>"),
        ("<a href='mailto:a@x.example?subject=x'>Anne</a>", "Anne <a@x.example>"),
        ("<a href='mailto:a@x.example'>a@x.example</a>", "a@x.example"),
        ("<a href='javascript:x()'>clic</a> <a href='#top'>haut</a>", "clic haut"),
        ("<a href='https://x.example'><img></a>clic", "clic"),
        ("<a href='https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fx.example%2Fa&amp;data=1'>ici</a>",
         "ici <https://x.example/a>"),
        (f"<a href='https://x.example/{'a' * 900}'>ici</a>", f"ici <https://x.example/{'a' * 282}>"),
    ],
)  # fmt: skip
def test_a_link_shows_where_it_leads_when_its_text_does_not(link: str, text: str) -> None:
    assert render_html(link).text == text


# --- marks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", QUOTED.values(), ids=QUOTED)
def test_what_html_marks_as_quoted_is_not_said_now(form: str) -> None:
    page = f"<div>Oui.</div><div><br></div><div>Merci</div><br>{form.format('<p>Non ?</p><p>Si ?</p>')}"
    assert read_own(page) == ["Oui.", "Merci"]
    assert "Non ?" in render_html(page).text
    assert "-----" not in render_html(page).text


BOUNDED = ("gmail", "apple", "thunderbird", "outlook-mac", "yahoo", "proton", "zoho", "bar", "roundcube", "front")


@pytest.mark.parametrize("name", BOUNDED)
def test_what_stands_below_a_marked_quotation_survives(name: str) -> None:
    quoted = QUOTED[name].format("<p>Non ?</p>")
    assert read_own(f"{quoted}<div>Oui.</div>") == ["Oui."]
    kept = read_own(f"<p>Bonjour</p>{quoted}<p>Oui.</p>{quoted}<p>Encore oui.</p>")
    assert [line for line in kept if not line.startswith(">")] == ["Bonjour", "Oui.", "Encore oui."]
    assert kept.count("> Non ?") == 2


@pytest.mark.parametrize(
    "page",
    [
        "<p>Voici :</p><blockquote>erreur 12</blockquote><p>Merci</p>",
        "<p>Voici :</p><blockquote class='gmail_quote' style='margin:0 0 0 40px;border:none'>erreur 12</blockquote>"
        "<p>Merci</p>",
        "<p>Voici :</p><div style='border-top:1px solid #E1E1E1'>erreur 12</div><p>Merci</p>",
        "<p>Voici :</p><div class='gmail_quote'>---------- Forwarded message ---------<br>erreur 12</div><p>Merci</p>",
    ],
    ids=["indent", "gmail-indent", "rule", "forward"],
)
def test_what_no_program_quotes_is_the_writer_s_own(page: str) -> None:
    own = read_own(page)
    assert own[0] == "Voici :"
    assert own[-2:] == ["erreur 12", "Merci"]


@pytest.mark.parametrize("form", SIGNED.values(), ids=SIGNED)
def test_a_signature_that_html_marks_is_told_apart(form: str) -> None:
    page = f"<div>Oui.</div>{form.format('Anne<br>Mairie')}<br>{QUOTED['apple'].format('Non ?')}"
    body = render_html(page)
    written = split_text(body.marked, whole=body.text)
    assert (written.text, written.signature) == ("Oui.", "Anne\nMairie")


def test_a_scanner_s_praise_below_a_quotation_is_no_answer() -> None:
    praise = "<div>Garanti sans virus. <a href='https://x.example/sig'>www.avast.com</a></div>"
    assert read_own(f"<div>Oui.</div>{QUOTED['apple'].format('Non ?')}{praise}") == ["Oui."]


def test_words_below_a_signature_are_no_signature() -> None:
    page = f"<div>Oui.</div>{SIGNED['gmail'].format('Anne')}<div>P.S. Et demain ?</div>"
    assert read_own(page) == ["Oui.", "Anne", "P.S. Et demain ?"]


def test_a_page_without_marks_is_its_own_text() -> None:
    body = render_html("<p>Un</p><p>Deux</p>")
    assert body.marked == body.text == "Un\n\nDeux"


# --- whatever a page holds -------------------------------------------------------------------------------------

WORDS = st.sampled_from(["mot", "été", "a &lt; b", "> x", "12 €"])
TAGS = st.sampled_from(["p", "div", "b", "span", "td", "tr", "table", "li", "ul", "blockquote", "pre", "a", "h1"])
PAGES = st.recursive(
    WORDS,
    lambda inner: st.tuples(TAGS, st.lists(inner, max_size=4)).map(
        lambda one: f"<{one[0]} class='gmail_quote x' id='y'>{' '.join(one[1])}</{one[0]}>"
    ),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PAGES)
def test_no_word_of_a_page_is_lost(page: str) -> None:
    for word in ("mot", "été", "12 €"):
        assert render_html(page).text.count(word) == page.count(word)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text("<>/=\"' &;#abdipqtrl-!?\n\0", max_size=300))
def test_any_source_is_rendered(source: str) -> None:
    body = render_html(source)
    assert isinstance(body.text + body.marked, str)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "source",
    [
        pytest.param("<table><tr>" + "<td>x" * 80_000, id="cells"),
        pytest.param("<a href='https://x.example'>x" * 18_000, id="links"),
        pytest.param("<div class=gmail_quote>" * 20_000 + "x", id="containers"),
        pytest.param("<div style='border-top:#e1e1e1'>" * 15_000, id="rules"),
        pytest.param("<ul><li>" * 50_000, id="lists"),
        pytest.param("<hr>" * 100_000, id="lines"),
        pytest.param("<!--" * 100_000, id="comments"),
        pytest.param("<div class=gmail_signature>x</div>y" * 14_000, id="signatures"),
    ],
)
def test_a_hostile_page_is_rendered_in_time(source: str) -> None:
    assert render_html(source).marked is not None
