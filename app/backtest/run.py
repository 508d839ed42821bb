"""The whole backtest: lay the accounts out, replay them, compare, and put the figures together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from app.backtest.compare import (
    RESAMPLES,
    Figures,
    FixedCurve,
    Interval,
    Outcome,
    VsFixed,
    bootstrap,
    fixed_outcome,
)
from app.backtest.files import History
from app.backtest.fixed import Every, Tally
from app.backtest.learned import USUAL, Learned, LearnedSettings
from app.backtest.policies import Oracle, Payday
from app.backtest.replay import Factory, replay
from app.backtest.windows import Threshold, Track, track_of
from app.domain.errors import Invalid
from app.domain.money import Money

# An account with fewer days than this says too little about any policy.
SHORTEST = 150
VISIBLE = ("balances", "transactions")
POLICIES = ("learned", "payday", "oracle", "daily", "every:Nd", "every:Nh")
_CHUNK = 50

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to replay. Amounts are minor units of `currency`."""

    policy: str
    threshold: Threshold
    history_days: int = 0
    transactions: bool = False
    floor_minor: int = 0
    currency: str = "EUR"
    resamples: int = RESAMPLES
    seed: int = 1
    processes: int = 1
    learned: LearnedSettings = USUAL


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. Money is in minor units.

    `seen_minor` is what was due in the windows seen: an upper bound of what could be collected.
    """

    request: Request
    accounts: int
    left_out: int
    windows: int
    figures: Figures
    versus: VsFixed
    intervals: Mapping[str, Interval | None]
    seen_minor: int
    missed_minor: int
    curve: tuple[tuple[str, Figures], ...]
    timed: bool


def run(
    request: Request,
    histories: Sequence[History],
    instalments: Mapping[str, int],
    progress: Progress = lambda _what, _done, _of: None,
) -> Result:
    """Replay all accounts that can be judged. Raises `Invalid` when there is nothing to judge."""
    tracks = tracks_of(request, histories, instalments)
    if not any(track.counted for track in tracks):
        raise _nothing_to_judge(request, histories, instalments, tracks)
    outcome = outcome_of(request, tracks, progress)
    figures = outcome.figures()
    if figures is None:
        raise Invalid(
            "--policy",
            "no window was seen at all, so there is nothing to compare.",
            mend="Give transactions that reach over the due dates.",
        )
    fixed = FixedCurve(tracks)
    done = iter(range(1, request.resamples + 1))
    intervals = bootstrap(
        outcome,
        fixed,
        resamples=request.resamples,
        seed=request.seed,
        step=lambda: progress("intervals", next(done), request.resamples),
    )
    seen = sum(
        round(track.due_minor * seen) for track, seen in zip(tracks, outcome.detected, strict=True)
    )
    points = [(name, fixed.outcome(index).figures()) for index, name in enumerate(fixed.names())]
    return Result(
        request=request,
        accounts=len(tracks),
        left_out=len(histories) - len(tracks),
        windows=sum(outcome.windows),
        figures=figures,
        versus=fixed.against(figures),
        intervals=intervals,
        seen_minor=seen,
        missed_minor=sum(track.due_minor * track.counted for track in tracks) - seen,
        curve=tuple((name, point) for name, point in points if point is not None),
        timed=tracks[0].history.timed,
    )


def _nothing_to_judge(
    request: Request,
    histories: Sequence[History],
    instalments: Mapping[str, int],
    tracks: Sequence[Track],
) -> Invalid:
    """Which of what was given leaves no window to judge."""
    longest = max(history.days for history in histories)
    if longest < SHORTEST:
        return Invalid(
            "--transactions",
            f"no account can be judged: the longest has {longest} days.",
            mend=f"Accounts need {SHORTEST} days from their first row to their last.",
        )
    if longest <= request.history_days:
        return Invalid(
            "--history-days",
            f"{request.history_days} leave nothing to judge: the longest account has {longest}.",
            mend=f"Less than {longest}.",
        )
    wanted = request.threshold.instalments is not None
    if wanted and not any(one.account_id in instalments for one in histories):
        return Invalid(
            "--loans",
            "names none of the accounts of --transactions.",
            mend="Both files need the same account_id.",
        )
    return Invalid(
        "--threshold",
        f"{len(tracks)} accounts can be judged, and none of them rises to it after the history.",
        mend="Choose a lower one, or fewer --history-days.",
    )


def tracks_of(
    request: Request, histories: Sequence[History], instalments: Mapping[str, int]
) -> list[Track]:
    """The accounts that are long enough and have a threshold above zero."""
    tracks = []
    for history in histories:
        if history.days < max(SHORTEST, request.history_days + 1):
            continue
        due = request.threshold.of(history, instalments)
        if due is not None:
            # A quantile is one of the balance itself, floor and all.
            floor = request.floor_minor if request.threshold.quantile is None else 0
            tracks.append(track_of(history, due, floor, request.history_days))
    return tracks


def outcome_of(request: Request, tracks: Sequence[Track], progress: Progress) -> Outcome:
    """Replay all accounts under the policy that the request names."""
    every = Every.parse(request.policy)
    if every is not None:
        return fixed_outcome(tracks, every)
    counted = tuple(track.counted for track in tracks)
    return Outcome(counted, [tallies_of(request, tracks, progress)])


def tallies_of(
    request: Request,
    tracks: Sequence[Track],
    progress: Progress = lambda _what, _done, _of: None,
) -> list[Tally]:
    """What reading each account came to, under a policy that decides read by read."""
    if request.policy not in POLICIES:
        raise Invalid(
            "--policy", f"{request.policy!r} is none.", mend=f"Known: {', '.join(POLICIES)}."
        )
    chunks = [tracks[start : start + _CHUNK] for start in range(0, len(tracks), _CHUNK)]
    tallies: list[Tally] = []
    if request.processes > 1 and len(chunks) > 1:
        with ProcessPoolExecutor(min(request.processes, len(chunks))) as pool:
            for some in pool.map(_replay_some, repeat(request), chunks):
                tallies += some
                progress("accounts", len(tallies), len(tracks))
    else:
        for chunk in chunks:
            tallies += _replay_some(request, chunk)
            progress("accounts", len(tallies), len(tracks))
    return tallies


def _replay_some(request: Request, tracks: Sequence[Track]) -> list[Tally]:
    return [
        replay(
            track,
            _factory(request, track),
            currency=request.currency,
            transactions=request.transactions,
        )
        for track in tracks
    ]


def _factory(request: Request, track: Track) -> Factory:
    """How the policy for one account is made; only the oracle is handed the future."""
    if request.policy == "oracle":
        oracle = Oracle.of(track)
        return lambda _known: oracle
    if request.policy == "learned":
        due = Money(track.due_minor, request.currency)
        price = request.learned.price_of(due, timed=track.history.timed)
        return lambda known: Learned(known, request.learned, price)
    return Payday


def as_json(result: Result) -> dict[str, Any]:
    """The result for machines: rounded to four places, intervals as [low, high]."""

    def ends(name: str) -> list[float] | None:
        found = result.intervals[name]
        return None if found is None else [round(found.low, 4), round(found.high, 4)]

    def short(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return {
        "policy": result.request.policy,
        "accounts": result.accounts,
        "accounts_left_out": result.left_out,
        "windows": result.windows,
        "reads_per_window": short(result.figures.reads),
        "reads_ci95": ends("reads"),
        "coverage": short(result.figures.coverage),
        "coverage_ci95": ends("coverage"),
        "delay_days": short(result.figures.delay),
        "delay_days_ci95": ends("delay"),
        "seen_within_two_hours": short(result.figures.soon) if result.timed else None,
        "seen_minor": result.seen_minor,
        "missed_minor": result.missed_minor,
        "currency": result.request.currency,
        "history_days": result.request.history_days,
        "visible": VISIBLE[result.request.transactions],
        "vs_fixed": {
            "reads_saved_at_equal_delay": short(result.versus.reads_saved),
            "ci95": ends("reads_saved"),
            "delay_change_at_equal_reads": short(result.versus.delay_change),
            "delay_ci95": ends("delay_change"),
            "coverage_fixed_at_equal_reads": short(result.versus.coverage_fixed),
            "seen_within_two_hours_fixed_at_equal_reads": (
                short(result.versus.soon_fixed) if result.timed else None
            ),
        },
    }
