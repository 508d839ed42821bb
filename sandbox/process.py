"""The sandbox as a process: serves its pages, moves its robots, calls webhooks, ends when told.

It ends on INT and TERM within about a second, open connections or not, and by itself when the
supervisor that started it is gone (its lifeline, a pipe, reaches its end).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from sandbox.app import create
from sandbox.clock import WarpClock
from sandbox.faces.connection_news import ConnectionNews
from sandbox.faces.gateway_calls import reply_urls
from sandbox.faces.payment_news import FORMS, PaymentNews
from sandbox.faces.postmaster import Postmaster
from sandbox.faces.smtp import Smtp
from sandbox.faces.twilio_calls import Caller
from sandbox.faces.unnax import Unnax, hook_urls
from sandbox.lender import Lender, LenderConfig
from sandbox.mails import BOUNCE_SECRET
from sandbox.robots import Robots
from sandbox.texts import TwilioAccount
from sandbox.troubles import deal
from sandbox.world import World

log = logging.getLogger("sandbox")

LIFELINE = "SALDO_LIFELINE_FD"
_GRACE_S = 3.0
INBOUND_PATH = "/hooks/twilio"
_BOUNCE_PATH = "/hooks/smtp"
_CALL_EVERY_S = 0.1
_SELDOM = 20
"""So many times less often are connections looked after."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What `python -m sandbox` was asked for."""

    host: str = "127.0.0.1"
    port: int = 8210
    mail_port: int = 0
    """Where the mail server listens; 0: there is none."""
    folder: Path = Path("sandbox-state")
    clock_file: Path | None = None
    seed: int = 1
    people: int = 200
    presence: Path | None = None
    saldo: str = ""
    cast: Path | None = None
    inbound_path: str = INBOUND_PATH
    robots: bool = True
    troubles: bool = True


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: this process has one owner of signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def watch_lifeline(on_end: Callable[[], None]) -> None:
    """Call `on_end` when the writing end of the lifeline is closed; end hard soon after."""
    number = os.environ.pop(LIFELINE, "")
    if not number.isdigit():
        return
    fd = int(number)
    os.set_inheritable(fd, False)

    def wait() -> None:
        with suppress(OSError):
            while os.read(fd, 64):
                pass
        with suppress(RuntimeError):  # the loop may be closed already
            on_end()
        threading.Event().wait(_GRACE_S)
        os._exit(70)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def run(arguments: Arguments) -> None:
    """Serve until told to stop. Blocks."""
    asyncio.run(_serve(arguments))


def _world(arguments: Arguments) -> World:
    clock = WarpClock(arguments.clock_file)
    inbound = f"{arguments.saldo}{arguments.inbound_path}" if arguments.saldo else ""
    token = os.environ.get("SANDBOX_TWILIO_TOKEN", "")
    account = TwilioAccount(inbound_url=inbound)
    if arguments.saldo:
        account.inbound_urls = reply_urls(arguments.saldo)
    if token:
        account.token = token
    world = World(
        seed=arguments.seed,
        people=arguments.people,
        now=clock.now,
        file=arguments.folder / "world.sqlite",
        twilio=account,
        presence=arguments.presence,
    )
    world.hooks.origin = f"http://{arguments.host}:{arguments.port}"
    if arguments.saldo:
        world.hooks.urls = {name: f"{arguments.saldo}/hooks/{name}" for name in FORMS}
        world.hooks.urls |= hook_urls(arguments.saldo)
    return world


async def _serve(arguments: Arguments) -> None:
    world = _world(arguments)
    if arguments.troubles:
        deal(world)
    http = httpx.AsyncClient()
    lender = None
    if arguments.cast is not None and arguments.saldo:
        config = LenderConfig(arguments.saldo, arguments.cast, arguments.seed)
        lender = Lender(world, http, config)
    app = create(world, lender.routes() if lender else None)
    config_of_server = uvicorn.Config(
        app,
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=30,
        server_header=False,
    )
    server = _Server(config_of_server)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)

    def end_from_thread() -> None:
        loop.call_soon_threadsafe(end)

    watch_lifeline(end_from_thread)
    jobs: list[Coroutine[Any, Any, None]] = [_call_webhooks(world, http, stop)]
    if arguments.saldo:
        secret = os.environ.get("SANDBOX_BOUNCE_SECRET", BOUNCE_SECRET)
        postmaster = Postmaster(world, http, f"{arguments.saldo}{_BOUNCE_PATH}", secret)
        jobs.append(_send_back(postmaster, stop))
    if arguments.robots:
        jobs.append(Robots(world, httpx.AsyncHTTPTransport()).run(stop))
    if lender is not None:
        jobs.append(lender.run(stop))
    tasks = [asyncio.create_task(_kept_alive(job)) for job in jobs]
    mail = (
        await Smtp(world).listen(arguments.host, arguments.mail_port)
        if arguments.mail_port
        else None
    )
    try:
        await server.serve()
    finally:
        end()
        if mail is not None:
            mail.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await http.aclose()
        world.close()


async def _kept_alive(job: Coroutine[Any, Any, None]) -> None:
    """Run a background job; its end by an error ends the process, loudly."""
    try:
        await job
    except asyncio.CancelledError:
        raise
    except BaseException:
        log.exception("a part of the sandbox broke")
        os.kill(os.getpid(), signal.SIGTERM)
        raise


async def _call_webhooks(world: World, http: httpx.AsyncClient, stop: asyncio.Event) -> None:
    caller, news = Caller(world, http), PaymentNews(world, http)
    connections, reads, looks = ConnectionNews(world, http), Unnax(world), count()
    while not stop.is_set():
        await caller.make_due_calls()
        await news.make_due_calls()
        if next(looks) % _SELDOM == 0:
            await connections.make_due_calls()
            await reads.make_due_calls(http)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _CALL_EVERY_S)


async def _send_back(postmaster: Postmaster, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await postmaster.make_rounds()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _CALL_EVERY_S)
