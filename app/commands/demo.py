"""`saldo demo`: the whole of Saldo with an outside world of banks and phones, on a fast clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.clock import MAX_SPEED, Clock, set_speed
from app.domain.errors import NotFound
from app.instance import Instance, find_running

NAME = "demo"
app = typer.Typer(help="The demo: a lender, borrowers, banks and phones on this machine.")


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    fresh: Annotated[bool, typer.Option(help="Delete the demo's folder and begin anew.")] = False,
    provider: Annotated[
        list[str] | None,
        typer.Option(help="Go through this provider, such as gocardless; may be repeated."),
    ] = None,
) -> None:
    """Run the demo until Ctrl-C. A second start goes on where the first one was."""
    if context.invoked_subcommand is None:
        from app.demo.run import run_demo

        raise typer.Exit(run_demo(fresh=fresh, through=provider or ()))


@app.command(hidden=True)
def direct() -> None:
    """Steer the demo's clock (started by the demo itself)."""
    from app.demo.run import run_director

    run_director()


@app.command()
def speed(
    times: Annotated[
        float,
        typer.Argument(min=0, max=MAX_SPEED, help="Business seconds per real second; 0 stands."),
    ],
) -> None:
    """Change the speed of the running demo's clock."""
    clock_file = Path(_running_demo().clock_file)
    set_speed(clock_file, times)
    now = Clock(clock_file).now()
    typer.echo(f"Business time is {now:%A %Y-%m-%d %H:%M} UTC, running at {times:g}x.")


def _running_demo() -> Instance:
    demos = [one for one in find_running() if one.demo]
    if not demos:
        raise NotFound("No demo runs on this machine. Start it with `make demo`.")
    return demos[0]
