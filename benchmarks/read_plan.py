"""What the learned plan costs: planning from stored profiles, and learning from a reading.

`plan_100k_s`: CPU seconds for 100,000 accounts, each planned once from a profile in memory, on one
core, what a read is worth worked out for each; at most 10. `decision_us` is one of them,
`learn_us` one profile after one more pair of balances, `parse_us` one profile read from its text.
Profiles are made up: salaries on several days
and at several hours, read for 60 to 240 days. CPU time: other work on the machine stretches the
clock's, and this too, by half and more where all cores are busy. `undisturbed_100k_s` is the same
from the quickest tenth of a hundred rounds: what it costs when nobody is in the way.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from uuid import UUID, uuid5

from app.domain.income import DAY, IncomeProfile, Seen, minute_of
from app.domain.income_learning import learn, look_ahead
from app.domain.learned_plan import Awaited, next_learned_read
from app.domain.money import Money
from app.domain.read_planner import PlanQuestion
from app.domain.read_price import STANDARD_PRICES
from benchmarks import bench

ACCOUNTS = 100_000
ROUNDS = 100
PROFILES = 60
BAR_S = 10.0
SPACE = UUID("00000000-0000-7000-8000-0000000be4c4")
NOW = datetime(2026, 9, 1, 9, 12, tzinfo=UTC)


def _profile(chance: random.Random) -> IncomeProfile:
    """A salaried account, read every day for some months up to the day before."""
    days, payday = chance.randint(60, 240), chance.randint(1, 28)
    at, salary = chance.randint(0, 22 * 60), chance.randint(80_000, 300_000)
    first = NOW.date() - timedelta(days=days)
    seen = []
    for number in range(days):
        day: date = first + timedelta(days=number)
        since = minute_of(day)
        if day.day == payday:
            seen.append(Seen(since, since + DAY, salary, 0, since + at))
        else:
            seen.append(Seen(since, since + DAY, 0, salary // 31))
    return learn(look_ahead(IncomeProfile(), first), seen)


def measure(accounts: int) -> dict[str, float]:
    """All figures."""
    chance = random.Random(5)
    profiles = [_profile(chance) for _ in range(PROFILES)]
    questions = [
        PlanQuestion(
            uuid5(SPACE, str(number)),
            NOW,
            "Europe/Madrid",
            clock(6),
            clock(22),
            attempts=(NOW - timedelta(hours=number % 30),),
        )
        for number in range(1000)
    ]
    dues = [Money(chance.randint(20_000, 200_000), "EUR") for _ in range(100)]
    left = [chance.randint(0, 50_000) for _ in range(100)]
    each, rounds = accounts // ROUNDS, []
    for start in range(0, each * ROUNDS, each):
        began = time.process_time()
        for number in range(start, start + each):
            due, balance = dues[number % 100], left[number % 100]
            awaited = Awaited(due.minor, balance, NOW, NOW, STANDARD_PRICES.days(due))
            next_learned_read(questions[number % 1000], profiles[number % PROFILES], awaited)
        rounds.append(time.process_time() - began)
    one = sum(rounds) / (each * ROUNDS)
    undisturbed = sorted(rounds)[ROUNDS // 10] / each

    since = minute_of(NOW.date())
    began = time.process_time()
    for profile in profiles:
        learn(profile, [Seen(since, since + 555, 0, 900)])
    learned = (time.process_time() - began) / PROFILES
    texts = [profile.to_json() for profile in profiles]
    began = time.process_time()
    for text in texts:
        IncomeProfile.from_json(text)
    parsed = (time.process_time() - began) / PROFILES
    return {
        "plan_100k_s": one * ACCOUNTS,
        "undisturbed_100k_s": undisturbed * ACCOUNTS,
        "decision_us": one * 1e6,
        "learn_us": learned * 1e6,
        "parse_us": parsed * 1e6,
        "profile_bytes": sum(map(len, texts)) / PROFILES,
    }


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    figures = measure(parser.parse_args().accounts)
    bench.record("plan_100k_s", figures)
    sys.stdout.write(f"plan_100k_s = {figures['plan_100k_s']:.2f} (at most {BAR_S:.0f})\n")
    sys.stdout.write(f"{figures}\n")


if __name__ == "__main__":
    main()
