"""`saldo user ...`: people who sign in at the desk."""

from __future__ import annotations

import secrets
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.at_work import (
    ACTOR,
    AsJson,
    DataDir,
    LenderName,
    as_json,
    lender_named,
    print_table,
    run,
)
from app.domain.errors import Invalid, NotFound
from app.domain.roles import Role

if TYPE_CHECKING:
    from app.store.users import Person
    from app.wiring import Parts

NAME = "user"
app = typer.Typer(help="People who sign in: create, password, disable, list.", no_args_is_help=True)

FromStdin = Annotated[
    bool, typer.Option(help="Read the password from standard input instead of making one.")
]


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="Address to sign in with.")],
    role: Annotated[Role, typer.Option(help="What the person may do.")],
    name: Annotated[str, typer.Option(help="The person's name; else the address.")] = "",
    lender: LenderName = None,
    password_stdin: FromStdin = False,
    json_wanted: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Let a person sign in. A made password is shown this once."""
    from app.flows.lenders.manage_users import add_user
    from app.web.passwords import Passwords

    password = _password(password_stdin)

    async def work(parts: Parts) -> Any:
        lender_id, _slug = await lender_named(parts, lender)
        return await add_user(
            parts.house,
            parts.clock.now(),
            lender_id=lender_id,
            email=email,
            name=name or email,
            role=role,
            password_hash=await Passwords().make(password),
            actor=ACTOR,
        )

    user_id = run(work, data_dir)
    shown = None if password_stdin else password
    if json_wanted:
        typer.echo(as_json({"id": user_id, "email": email, "password": shown}))
        return
    typer.echo(f"User {email} is {role.value}." + (f" Password: {shown}" if shown else ""))


@app.command()
def password(
    email: Annotated[str, typer.Argument(help="Address of the person.")],
    password_stdin: FromStdin = False,
    data_dir: DataDir = None,
) -> None:
    """Give a new password; every session of the person ends."""
    from app.flows.lenders.manage_users import set_password
    from app.web.passwords import Passwords

    wanted = _password(password_stdin)

    async def work(parts: Parts) -> None:
        person = await _person(parts, email)
        await set_password(
            parts.house,
            parts.clock.now(),
            lender_id=person.lender_id,
            user_id=person.id,
            password_hash=await Passwords().make(wanted),
            actor=ACTOR,
            # Whoever has the machine has more than this; it is also the way out for a lender
            # whose only compliance person forgot hers.
            confirmed=True,
        )

    run(work, data_dir)
    typer.echo("Done." if password_stdin else f"New password: {wanted}")


@app.command()
def disable(
    email: Annotated[str, typer.Argument(help="Address of the person.")], data_dir: DataDir = None
) -> None:
    """Let a person sign in no more, from this moment."""
    from app.flows.lenders.manage_users import disable_user

    async def work(parts: Parts) -> None:
        person = await _person(parts, email)
        await disable_user(
            parts.house,
            parts.clock.now(),
            lender_id=person.lender_id,
            user_id=person.id,
            actor=ACTOR,
        )

    run(work, data_dir)
    typer.echo(f"{email} cannot sign in any more.")


@app.command("list")
def list_users(
    lender: LenderName = None, json_wanted: AsJson = False, data_dir: DataDir = None
) -> None:
    """The people of one lender."""
    from app.store.users import everybody

    async def work(parts: Parts) -> tuple[Person, ...]:
        lender_id, _slug = await lender_named(parts, lender)
        async with parts.house.store.unit(lender_id) as unit:
            return await everybody(unit)

    found = run(work, data_dir, only_looks=True)
    if json_wanted:
        typer.echo(as_json(found))
        return
    print_table(
        ("address", "name", "role", "last seen", "disabled"),
        (
            (one.email, one.name, one.role, _minute(one.seen_at), _minute(one.disabled_at))
            for one in found
        ),
    )


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _password(from_stdin: bool) -> str:
    if not from_stdin:
        return secrets.token_urlsafe(15)
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        raise Invalid("password", "is missing on standard input.", mend="Pipe it in, one line.")
    return line


async def _person(parts: Parts, email: str) -> Person:
    from app.store.users import by_email, normal_email

    async with parts.house.store.engine_unit() as unit:
        found = await by_email(unit, normal_email(email))
    if found is None:
        raise NotFound("There is no user with this address.")
    return found.person
