"""`python -m demo run`: the whole desk once. `python -m demo up`: server, worker and deployments until Ctrl-C."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)


@app.command()
def run() -> None:
    """Deliver the samples, run the five flows, show what was done; fails when an outcome is not as expected."""
    from demo.once import run_once

    sys.exit(run_once())


@app.command()
def up() -> None:
    """Start everything on loopback and stay until Ctrl-C."""
    from demo.stay import stay_up

    stay_up()


if __name__ == "__main__":
    app()
