"""Random case histories, day by day on real rows, and a judge who looks after every moment.

    python -m tests.scenarios.histories --count 10000 --seed 7 --minutes 60

Seeded dice choose what borrowers, collectors, lenders and providers do over 60 to 120 days; the
real flows do the work, in towns of many borrowers at once, a fresh database each. What a judge
finds is told with the story of whom it befell. Real rows cost about a second for each history: when
`--minutes` have passed no further town is begun, and what is left of `--count` is lived through the
pure planning code alone (tests/scenarios/pure_histories.py). The summary says which was which.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from structlog.testing import capture_logs

from app.store import migrate
from app.store.embedded import EmbeddedServer
from app.store.embedded_setup import TEST_TUNING, DatabaseUrls, read_access
from app.store.unit import Store
from tests.places import run_base
from tests.rig import make_store
from tests.scenarios import deskwork, lives
from tests.scenarios.judge import Judge
from tests.scenarios.newcomers import settle_in
from tests.scenarios.pure_histories import live_purely
from tests.scenarios.scene import look_round
from tests.scenarios.town import Town, make_town
from tests.scenarios.watchman import Watchman

PEOPLE = 100
# Loans fall due again, cases close and new ones open: a borrower makes so many case histories.
CASES_A_PERSON = 1.6
MOST_STORIES = 5
MOST_TOLD = 200

_WRITTEN = """
    SELECT at, kind, case_id, details FROM timeline
    WHERE borrower_id = :who AND at <= :until ORDER BY at DESC LIMIT 40
"""


@dataclass(slots=True)
class Findings:
    """What came of one town, or of many. `wrong` must be empty."""

    seed: int
    cases: int = 0
    days: int = 0
    wrong: list[str] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    cpu_s: float = 0.0

    def add(self, other: Findings) -> None:
        """Take another town's in."""
        self.cases += other.cases
        self.days += other.days
        self.cpu_s += other.cpu_s
        self.wrong += other.wrong
        for name in ("did", "judged", "ends", "refused"):
            getattr(self, name).update(getattr(other, name))


# ------------------------------------------------------------------ one town


class Story:
    """One town from its first day to its last."""

    def __init__(self, town: Town, judge: Judge, logs: Any) -> None:
        self.town, self.judge, self.logs = town, judge, logs
        self.asleep = 0

    async def live(self, days: int) -> None:
        """So many days, one after the other."""
        for _ in range(days):
            await self.day()

    async def day(self) -> None:
        """One or two moments of a day, as chance has it; at times nobody runs for days."""
        town, dice = self.town, self.town.dice
        midnight = town.now.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        if self.asleep:
            self.asleep -= 1
        elif town.chance(0.025):
            self.asleep = dice.randint(1, 4)
            town.did["days without service"] += self.asleep
        shift = town.chance(0.75)
        for hour in sorted(dice.sample(range(5, 23), dice.choice((1, 1, 2)))):
            town.go_to(midnight + timedelta(hours=hour, minutes=dice.randrange(60)))
            await self.moment(shift=shift)
        await self.judge.end_of_day(awake=not self.asleep)

    async def moment(self, *, shift: bool) -> None:
        """People act, then the timetable goes round once or twice, and the judge looks."""
        town = self.town
        await deskwork.lenders_speak(town)
        scene = await look_round(town)
        await lives.a_moment(town, scene, share=0.07)
        if shift:
            town.hands.go_on(seconds=1)
            await deskwork.a_shift(town, await look_round(town), share=0.05)
        if town.chance(0.06):
            await deskwork.leads(town)
        elif town.chance(0.3):
            await deskwork.release_switches(town)
        lives.bank_moves(town)
        await self.judge.look()
        if not self.asleep:
            for _ in range(2 if town.chance(0.15) else 1):
                await town.round()
        town.hear(self.logs)
        self.logs.clear()
        await self.judge.look()


async def live_in_town(
    store: Store, superuser_url: str, seed: int, *, people: int, days: int
) -> tuple[Story, Findings]:
    """One town of so many borrowers for so many days, judged after every moment."""
    began = time.process_time()
    watchman = Watchman(superuser_url)
    watchman.start()
    try:
        with capture_logs() as logs:
            town = await make_town(store, seed)
            judge = Judge(town, watchman)
            await settle_in(town, people)
            story = Story(town, judge, logs)
            await story.live(days)
    finally:
        watchman.close()
    found = Findings(seed, days=days, did=town.did, judged=judge.judged, refused=town.refused)
    found.wrong = await tell(town, judge)
    for row in await town.rows(
        "SELECT coalesce(close_reason, state) AS how, count(*) AS many FROM cases GROUP BY 1"
    ):
        found.ends[row.how] = row.many
    found.cases = found.ends.total()
    found.did["messages left"] = sum(made.key is not None for made in town.made)
    found.cpu_s = time.process_time() - began
    return story, found


async def tell(town: Town, judge: Judge) -> list[str]:
    """Every complaint in a line, the first of each rule with the story of its person.

    The story is what he did, and what Saldo wrote down about him until somebody complained: the
    same seed does not always bring the same again, for several things happen at once.
    """
    lines: list[str] = []
    told = Counter[str]()
    for one in judge.complaints:
        whose = town.people[one.who].ref if one.who in town.people else "-"
        lines.append(f"{one.at:%d.%m. %H:%M} {whose} {one.rule}: {one.words}")
        told[one.rule] += 1
        if told[one.rule] <= MOST_STORIES and one.who in town.people:
            who = town.people[one.who]
            lines += [f"      {who.wanted.country} {who.country} {who.zone} {who.temper}"]
            lines += [f"      {line}" for line in who.log[-12:]]
            lines += [
                f"      | {row.at:%d.%m. %H:%M} {row.kind} {str(row.case_id)[-4:]} {row.details}"
                for row in reversed(await town.rows(_WRITTEN, who=one.who, until=one.at))
            ]
    return lines


# ------------------------------------------------------------------ many towns


@contextmanager
def server() -> Iterator[EmbeddedServer]:
    """A private server with a migrated template, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="saldo-histories-", dir=run_base()))
    folder.chmod(0o755)
    running = EmbeddedServer(folder, tuning=TEST_TUNING)
    try:
        running.ensure_started()
        with psycopg.connect(running.urls().superuser, autocommit=True) as admin:
            admin.execute("CREATE DATABASE histories OWNER saldo_owner")
        migrate.upgrade(urls_to(folder, "histories").owner)
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def urls_to(folder: Path, database: str) -> DatabaseUrls:
    """URLs of all roles to one database of the run's server."""
    access = read_access(folder)
    assert access is not None, "the server is not started"
    return access.urls(database)


def one_town(folder: str, seed: int, people: int) -> Findings:
    """A whole town in a process of its own, on a fresh database."""
    name = f"h_{uuid4().hex}"
    urls = urls_to(Path(folder), "postgres")
    with psycopg.connect(urls.superuser, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE histories OWNER saldo_owner".encode())
        try:
            return asyncio.run(_one_town(urls_to(Path(folder), name), seed, people))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def _one_town(urls: DatabaseUrls, seed: int, people: int) -> Findings:
    store = make_store(urls, size=8)
    try:
        days = random.Random(seed).randint(60, 120)
        _, found = await live_in_town(store, urls.superuser, seed, people=people, days=days)
        return found
    finally:
        await store.close()


def many_towns(count: int, seed: int, *, people: int, minutes: float, workers: int) -> Findings:
    """Towns until there are `count` histories, or until the time is over."""
    total = Findings(seed)
    until, began = time.monotonic() + minutes * 60, time.monotonic()
    context = multiprocessing.get_context("spawn")
    with server() as running, ProcessPoolExecutor(workers, mp_context=context) as pool:
        open_towns: set[Future[Findings]] = set()
        begun = 0
        while True:
            expected = total.cases + len(open_towns) * people * CASES_A_PERSON
            if expected < count and time.monotonic() < until and len(open_towns) < workers:
                size = max(5, min(people, int((count - expected) / CASES_A_PERSON) + 1))
                open_towns.add(
                    pool.submit(one_town, str(running.data_dir), seed * 1000 + begun, size)
                )
                begun += 1
                continue
            if not open_towns:
                return total
            ended = next(as_completed(open_towns))
            open_towns.remove(ended)
            found = ended.result()
            total.add(found)
            say(
                f"town {found.seed}: {found.cases} histories of {found.days} days, "
                f"{len(found.wrong)} wrong; {total.cases} of {count} after "
                f"{(time.monotonic() - began) / 60:.1f} min"
            )
            for line in found.wrong[:MOST_TOLD]:
                say(f"  {line}")


def say(words: str) -> None:
    """Progress, for whoever waits."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


def main() -> int:
    """Command line: print what happened; exit status 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--people", type=int, default=PEOPLE, help="borrowers of one town")
    parser.add_argument("--minutes", type=float, default=60.0, help="for histories on real rows")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    began = time.monotonic()
    total = many_towns(
        chosen.count, chosen.seed, people=chosen.people, minutes=chosen.minutes,
        workers=chosen.workers,
    )  # fmt: skip
    took = time.monotonic() - began
    out = sys.stdout
    out.write(f"histories: seed {chosen.seed}\n")
    out.write(
        f"on real rows: {total.cases} case histories in {took / 60:.1f} min, "
        f"{total.cpu_s / max(1, total.cases):.2f} s of processor each (without the server's)\n"
    )
    for name in ("ends", "judged", "did", "refused"):
        listed = ", ".join(f"{key} {many}" for key, many in getattr(total, name).most_common())
        out.write(f"{name}: {listed}\n")
    left = max(0, chosen.count - total.cases)
    say(f"{left} more through the pure planning code")
    pure = live_purely(left, chosen.seed)
    out.write(f"on the pure planning code alone: {pure.histories} histories, {pure.summary}\n")
    wrong = [*total.wrong, *pure.wrong]
    for line in wrong:
        out.write(f"WRONG: {line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
