"""The `byreturn` command: a thin face over flows, store and desk."""
