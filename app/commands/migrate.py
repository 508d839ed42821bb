"""`saldo migrate`: bring the database to the shape that this version needs."""

from __future__ import annotations

from typing import Annotated

import typer

from app.commands.at_work import DataDir
from app.domain.errors import Misconfigured

NAME = "migrate"
app = typer.Typer(help="Bring the database to the shape that this version needs.")


@app.callback(invoke_without_command=True)
def migrate(
    sql_roles: Annotated[
        bool,
        typer.Option(help="Only print how to make the three roles and the database, as SQL."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Run the migrations that are missing, as saldo_owner. Two at once wait for each other."""
    if sql_roles:
        typer.echo(ROLES_SQL)
        return
    from app.commands.at_work import refuse_to_guess
    from app.store.embedded import connect_only
    from app.store.migrate import head, upgrade
    from app.supervisor.find import settings_for_command

    refuse_to_guess(data_dir)
    settings = settings_for_command(data_dir)
    url = settings.database_owner_url.get_secret_value()
    if not url and settings.embedded:
        url = connect_only(settings.data_dir).owner
    if not url:
        raise Misconfigured(
            "SALDO_DATABASE_OWNER_URL",
            "is not set on this machine",
            "Set it to the address of the same database as role saldo_owner.",
        )
    upgrade(url)
    typer.echo(f"The database is at {head()}.")


ROLES_SQL = """\
-- Once, as an administrator of your PostgreSQL server (15 or newer); choose the passwords.
CREATE ROLE saldo_owner  LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '...';
CREATE ROLE saldo_app    LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '...';
CREATE ROLE saldo_engine LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '...';
CREATE DATABASE saldo OWNER saldo_owner ENCODING 'UTF8';
REVOKE ALL ON DATABASE saldo FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE saldo TO saldo_app, saldo_engine;
"""
