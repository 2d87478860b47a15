"""What all pictures share: ink, letters that the font has, and PNG bytes that tell no date and no version."""

from __future__ import annotations

from io import BytesIO

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from PIL import Image

INK, FAINT = "#333333", "#DDDDDD"
COLOURS_KEPT = 64  # quarter the size


def draw_letters(name: str) -> str:
    """A glyph that the font lacks is a warning and an empty box: a question mark stands for it."""
    glyphs = get_font(findfont("DejaVu Sans")).get_charmap()
    return "".join(letter if ord(letter) in glyphs else "?" for letter in name)


def write_png(figure: Figure, colours: int = COLOURS_KEPT) -> bytes:
    """The same bytes for the same figures."""
    FigureCanvasAgg(figure)  # no pyplot: no state shared between threads
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(colours).save(small, format="PNG", optimize=True)
    return small.getvalue()
