"""Files that come with a mail: safe names, told by content, marked when dangerous."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desk.mail.attachments import describe_file, save_name, tell_apart, warn_attachment
from desk.mail.filetypes import sniff_type

PE = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + bytes(100)
PDF = b"%PDF-1.7\n1 0 obj"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
LNK = b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F"
ONE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + bytes(50)
ISO = bytes(32_769) + b"CD001\x01" + bytes(2_048)
VHD = bytes(4_096) + b"conectix" + bytes(504)
PAGE = b"<!DOCTYPE html><html><body><p>Bonjour</p></body></html>"
ACTIVE = b"<html><body><script>location='https://example.org'</script></body></html>"
SVG = b'<?xml version="1.0"?><!-- drawn --><svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'


def utf16(word: str) -> bytes:
    return word.encode("utf-16-le")


def make_zip(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # of no date: ids of tests hold it
    return buffer.getvalue()


DOCX = make_zip(("[Content_Types].xml", b""), ("word/document.xml", b"<w/>"))
DOCM = make_zip(("[Content_Types].xml", b""), ("word/document.xml", b"<w/>"), ("word/vbaProject.bin", b""))
JAR = make_zip(("META-INF/MANIFEST.MF", b""), ("A.class", b""))


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\note.txt", "note.txt"),
        ("..\\../a/..\\b.txt", "b.txt"),
        (".htaccess", "htaccess"),
        ("...", ""),
        (" \t\r\n", ""),
        ("folder/", ""),
        ("note.txt. . .", "note.txt"),
        ("aux", "_aux"),
        ("LPT1.txt", "_LPT1.txt"),
        ("com¹.tar.gz", "_com¹.tar.gz"),
        ("Con .txt", "_Con .txt"),
        ("CONIN$", "_CONIN$"),
        ("auxiliaire.txt", "auxiliaire.txt"),
        ("setup.exe::$DATA", "setup.exe"),
        ("a.txt:hidden:$DATA", "a.txt"),
        ('a<b>:"|?*.txt', "ab.txt"),
        ("rap\u202efdp.exe", "rapfdp.exe"),
        ("a\u200b\u2060\ufeff\u00ad\u061c.exe", "a.exe"),
        ("fac\u3164ture.pdf", "facture.pdf"),
        ("line\r\nbreak\0\x1b[31m.txt", "line break[31m.txt"),
        ("e\u0301le\u0300ve.pdf", "élève.pdf"),
        ("\ud800.pdf", "pdf"),
        ("x" * 300 + ".pdf", "x" * 100 + ".pdf"),
        ("é" * 120 + ".pdf", "é" * 98 + ".pdf"),
        ("😀" * 120, "😀" * 50),
        ("a." + "b" * 300, "a." + "b" * 19),
    ],
)
def test_names_are_safe_to_save(claimed: str, safe: str) -> None:
    assert save_name(claimed) == safe


@given(st.text(max_size=400) | st.text(alphabet="./\\: $conCONaux1¹\u202e\u200bé😀", max_size=300))
@example("con\u200b")
@example("a:\u200b:$x")
@settings(max_examples=400)
def test_any_name_is_safe_and_stays_as_it_is(claimed: str) -> None:
    name = save_name(claimed)
    assert len(name) <= 120
    assert len(name.encode()) <= 200
    assert not set(name) & set('/\\<>:"|?*\0\r\n')
    assert name == name.strip(" .")
    assert save_name(name) == name


@pytest.mark.parametrize(
    ("content_type", "content", "name"),
    [
        ("image/png", PNG, "attachment-3.png"),
        ("message/rfc822", b"From: a@example.org", "attachment-3.eml"),
        ("application/octet-stream", PDF, "attachment-3.pdf"),
        ("application/octet-stream", b"\x01\x02", "attachment-3.bin"),
    ],
)
def test_the_nameless_are_numbered(content_type: str, content: bytes, name: str) -> None:
    assert describe_file("...", content_type, content, 3, inline=False).name == name


def test_attachments_of_one_name_are_told_apart() -> None:
    names = ("image.png", "image.png", "IMAGE.PNG", "image-2.png", "logo", "logo", "élève.txt")
    told = tell_apart(names)
    assert told == ("image.png", "image-2.png", "IMAGE-3.PNG", "image-2-2.png", "logo", "logo-2", "élève.txt")


def test_a_thousand_long_names_stay_apart_and_short() -> None:
    told = tell_apart(["é" * 98 + ".pdf"] * 1_000)
    assert len({name.casefold() for name in told}) == 1_000
    assert all(len(name.encode()) <= 200 and name.endswith(".pdf") for name in told)


@given(
    st.lists(st.sampled_from(["a.pdf", "A.pdf", "a-2.pdf", "a-2-2.pdf", "a", "a-2", "x" * 116 + ".pdf"]), max_size=20)
)
def test_any_names_can_be_told_apart(names: list[str]) -> None:
    told = tell_apart(names)
    assert len({name.casefold() for name in told}) == len(names)
    assert all(len(name) <= 120 for name in told)


# --- types -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (b"GIF89a\1\0", "image/gif"),
        (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0", "image/bmp"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"II*\0\x08\0\0\0", "image/tiff"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video/mp4"),
        (b"ID3\4\0\0", "audio/mpeg"),
        (b"{\\rtf1\\ansi Bonjour}", "application/rtf"),
        (OLE, "application/x-ole-storage"),
        (OLE + utf16("WordDocument"), "application/msword"),
        (OLE + utf16("Workbook"), "application/vnd.ms-excel"),
        (OLE + utf16("__substg1.0_0037001F"), "application/vnd.ms-outlook"),
        (DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (make_zip(("a.txt", b"")), "application/zip"),
        (PE, "application/x-executable"),
        (b"\x7fELF\2\1\1", "application/x-executable"),
        (b"\xcf\xfa\xed\xfe\7\0", "application/x-executable"),
        (b"\xca\xfe\xba\xbe\0\0\0\x37", "application/x-executable"),
        (b"#!/bin/sh\nrm -r", "text/x-script"),
        (LNK, "application/x-ms-shortcut"),
        (b"[InternetShortcut]\r\nURL=file://x", "application/x-ms-shortcut"),
        (ISO, "application/x-disk-image"),
        (VHD, "application/x-disk-image"),
        (ONE, "application/onenote"),
        (b"\x78\x9f\x3e\x22\1\0", "application/ms-tnef"),
        (PAGE, "text/html"),
        (b"\xef\xbb\xbf \r\n<HTML>", "text/html"),
        (b"\xff\xfe" + "<html><body>".encode("utf-16-le"), "text/html"),
        (b"<!-- saved --><html>", "text/html"),
        (SVG, "image/svg+xml"),
        (b"<?xml version='1.0'?><facture/>", "application/xml"),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0", "text/calendar"),
        (b"BEGIN:VCARD\r\n", "text/vcard"),
        (b"Received: from a by b\r\nFrom: x@example.org\r\n", "message/rfc822"),
        ("Élève;Classe\r\nLéa;CE1".encode("cp1252"), "text/plain"),
        (b"MZ is how this text begins.", "text/plain"),
        (b"BM is how this text begins.", "text/plain"),
        (b"", ""),
        (b"\x01\x02\x03\x04", ""),
    ],
)
def test_a_file_is_told_by_its_content(content: bytes, media_type: str) -> None:
    assert sniff_type(content).media_type == media_type


# --- warnings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "warning"),
    [
        ("facture.pdf", PDF, ""),
        ("v2.1.pdf", PDF, ""),
        ("noname", b"plain", ""),
        ("photo.jpg", PNG, ""),
        ("note.docx", DOCX, ""),
        ("ancien.doc", OLE, ""),
        ("ancien.doc", b"{\\rtf1 Bonjour}", ""),
        ("export.xls", PAGE, ""),
        ("page.html", PAGE, ""),
        ("dessin.svg", SVG, ""),
        ("photos.jpg.zip", make_zip(("a.jpg", JPEG)), ""),
        ("vide.pdf", b"", ""),
        ("setup.exe", b"", "executable"),
        ("www.example.com", b"", "executable"),
        ("photo.jpg", PE, "executable"),
        ("photo.jpg", b"MZ\x90", "executable"),
        ("facture.pdf", b"\x7fELF\2", "executable"),
        ("jeu.zip", JAR, "executable"),
        ("facture.pdf.EXE", b"", "double-extension"),
        ("facture.pdf .js", b"", "double-extension"),
        ("carnet.docx.scr", PE, "double-extension"),
        ("facture.pdf.html", PAGE, "double-extension"),
        ("facture.xlsx.lnk", LNK, "double-extension"),
        ("a.js", b"", "script"),
        ("a.PS1", b"", "script"),
        ("a.hta", b"", "script"),
        ("lisez-moi", b"#!/bin/sh\n", "script"),
        ("ouvrir.lnk", b"", "shortcut"),
        ("ouvrir.txt", LNK, "shortcut"),
        ("lien.url", b"[InternetShortcut]", "shortcut"),
        ("scan.iso", b"", "disk-image"),
        ("scan.dat", ISO, "disk-image"),
        ("note.one", b"", "dangerous"),
        ("note.dat", ONE, "dangerous"),
        ("note.docm", b"", "macro"),
        ("note.docx", DOCM, "macro"),
        ("note.doc", OLE + utf16("_VBA_PROJECT"), "macro"),
        ("facture.pdf", make_zip(("a.txt", b"")), "type-mismatch"),
        ("photo.jpg", PAGE, "type-mismatch"),
        ("note.doc", ACTIVE, "type-mismatch"),
        ("note.docx", make_zip(("a.txt", b"")), "type-mismatch"),
        ("photo.png", SVG, "type-mismatch"),
        ("a.zip", make_zip(("x/setup.exe", b"")), "archive-of-executables"),
        ("facture.pdf", make_zip(("setup.exe", b"")), "archive-of-executables"),
        ("a.zip", make_zip(("a.txt", bytes(20_000_000))), "zip-bomb"),
        ("a.zip", make_zip(("setup.exe", bytes(20_000_000))), "zip-bomb"),
        (
            "a.zip",
            make_zip(("a.txt", b"x")).replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"),
            "encrypted-archive",
        ),
        ("a.zip", make_zip(("a.txt", b"x"))[:40], "damaged"),
        ("page.html", ACTIVE, "active-html"),
        ("page.html", b"<p onmouseover = alert(1)>", "active-html"),
        ("page.html", b'<html><meta http-equiv="Refresh" content="0;url=x">', "active-html"),
        ("page.htm", b"\xff\xfe" + ACTIVE.decode().encode("utf-16-le"), "active-html"),
        ("sans nom", b"<html>" + b" " * 3_000_000 + b"<SCRIPT>", "active-html"),
        ("dessin.svg", SVG.replace(b"<path", b"<script/><path"), "active-html"),
    ],
)
def test_dangerous_files_carry_a_warning(name: str, content: bytes, warning: str) -> None:
    assert warn_attachment(name, content) == warning


@pytest.mark.parametrize(("name", "warning"), [("a", "executable"), ("a.pdf.exe", "double-extension")])
def test_what_the_mail_says_of_a_file_counts_too(name: str, warning: str) -> None:
    assert warn_attachment(name, b"", "application/x-msdownload") == warning
    assert warn_attachment("a", b"", "application/octet-stream") == ""


def test_an_attachment_is_described_whole() -> None:
    packed = make_zip(("élèves.csv", b"1;2"), ("x/setup.exe", PE))
    told = describe_file("../dossier\u202e.zip", "application/octet-stream", packed, 1, inline=True)
    assert (told.name, told.content_type, told.sniffed_type) == (
        "dossier.zip",
        "application/octet-stream",
        "application/zip",
    )
    assert (told.size_bytes, told.sha256) == (len(packed), hashlib.sha256(packed).hexdigest())
    assert (told.inline, told.warning) == (True, "archive-of-executables")
    assert told.entries == ("élèves.csv", "x/setup.exe")


@pytest.mark.parametrize(("content", "media_type"), [(PDF, "application/pdf"), (b"\x01", "application/octet-stream")])
def test_a_type_that_nobody_told_is_the_content_s(content: bytes, media_type: str) -> None:
    assert describe_file("a", "", content, 1, inline=False).content_type == media_type
    assert describe_file("a", "image/x-own", content, 1, inline=False).content_type == "image/x-own"


def test_a_name_that_hides_its_ending_is_warned_of_by_what_is_saved() -> None:
    told = describe_file("facture\u202efdp.exe::$DATA", "application/pdf", b"", 1, inline=False)
    assert (told.name, told.warning) == ("facturefdp.exe", "executable")


# --- hostile -----------------------------------------------------------------------------------------------------

STARTS = [b"", b"<html>", b"<?xml", PE[:4], OLE, PNG, b"PK\3\4", b"{\\rtf", b"\xff\xfe", b"\x1f\x8b\x08"]


@given(st.text(max_size=60), st.text(max_size=30), st.sampled_from(STARTS), st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_can_be_described(name: str, content_type: str, start: bytes, rest: bytes) -> None:
    told = describe_file(name, content_type, start + rest, 7, inline=False)
    assert 0 < len(told.name) <= 120
    assert told.size_bytes == len(start + rest)
    assert len(told.entries) <= 100


@pytest.mark.parametrize(
    "content",
    [
        b"<html>" + b" on" * 8_000_000,
        b"<html" * 5_000_000,
        OLE + hashlib.shake_128(b"noise").digest(1_000_000) * 20,
        b"<" * 20_000_000,
    ],
    ids=["handlers", "tags", "ole", "brackets"],
)
def test_large_files_are_told_in_linear_time(content: bytes) -> None:
    assert describe_file("a.html", "text/html", content, 1, inline=False).warning == ""
