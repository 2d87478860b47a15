"""A letter's HTML as a picture of what its reader sees; the engine is the extra `preview`, asked for on first use."""

from __future__ import annotations

from desk.errors import ConfigurationError

WIDTH = 720  # pixels: the letter's 640 and a margin

# Blitz draws borders that cells share around each of them; apart and without space they look the same, and right.
_CSS = "table{border-collapse:separate!important;border-spacing:0!important}"


def draw_letter(html: str) -> bytes:
    """A PNG of WIDTH pixels and as tall as the letter is; nothing is fetched from anywhere.

    ConfigurationError when the engine is not installed or the letter is taller than it can draw.
    """
    try:
        from blitz_py import render_png
    except ImportError:
        remedy = "Install it with `pip install 'byreturn[preview]'`, or look at the page with --html."
        raise ConfigurationError("pictures of letters need the extra `preview`", remedy=remedy) from None
    try:
        return render_png(html, width=WIDTH, css=_CSS)
    except ValueError:
        remedy = "Look at the page with --html."
        raise ConfigurationError("the letter is too long for a picture", remedy=remedy) from None
