"""Doors to the outside world: retries, limits and logging live here; decisions do not."""
