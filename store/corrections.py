"""What people did with the desk's verdicts: kept, counted, learnt from."""

from __future__ import annotations

from store.tables import Correction, table

corrections = table(Correction)
