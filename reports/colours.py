"""One colour per figure, the same in the chart and in the workbook."""

# Okabe & Ito, Color Universal Design (2008): told apart without red or green, and by lightness alone in grey.
COLOURS = {"new": "#0072B2", "answered": "#56B4E9", "waiting": "#999999", "late": "#D55E00"}
