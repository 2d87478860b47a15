"""Decisions: plain Python on frozen values; no Prefect, no SQL, no network, no clock of its own."""
