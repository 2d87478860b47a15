"""One file = one flow = one sentence of the process; nothing but orchestration."""
