"""The judge behind the table of docs/backtest.md: nobody is judged with rates of his own."""

from __future__ import annotations

from dataclasses import replace

from app.backtest.files import MINUTES, History
from app.backtest.run import Request
from app.backtest.windows import Threshold
from benchmarks.judged_folds import FOLDS, Book, counts, drifted, fold_of, judge, month_days
from tests.backtest.made_up import salaried


def paid_on(history: History) -> list[int]:
    return [entry.minute // MINUTES for entry in history.entries if entry.minor > 100_000]


def test_rates_peak_where_incomes_come_and_are_those_of_the_other_folds() -> None:
    histories = [salaried(seed, 100) for seed in range(9)]
    early = [one for one in histories if one.begins_on.day + paid_on(one)[1] % 31 < 15]
    rates = month_days([counts(one) for one in early])
    assert len(rates) == 31
    assert max(rates[:15]) > 1.2 > max(rates[16:29])
    book = Book.of(histories, {})
    for fold in range(FOLDS):
        others = [one for one in histories if fold_of(one.account_id) != fold]
        assert 0 < len(others) < len(histories)
        assert book.rates[fold] == month_days([counts(one) for one in others])


def test_each_account_is_judged_once_with_the_rates_of_its_fold() -> None:
    histories = [salaried(seed, 160) for seed in range(8)]
    request = Request("learned", Threshold(quantile=75), resamples=20)
    flat = (1.0,) * 31
    shipped, held_out = judge(Book(histories, {}, [flat] * FOLDS), request)
    assert shipped.windows == held_out.windows > 4
    assert shipped.figures != held_out.figures
    folds = [fold_of(each.account_id) for each in histories]
    one = max(folds, key=folds.count)
    peaked = [flat if fold != one else (*(0.01,) * 30, 20.0) for fold in range(FOLDS)]
    other = judge(Book(histories, {}, peaked), request)[1]
    changed = [fold for fold in range(FOLDS) if other.by_fold[fold] != held_out.by_fold[fold]]
    assert changed == [one]


def test_drift_moves_credits_alone_off_weekends_and_the_account_keeps_its_days() -> None:
    history = salaried(3)
    moved = drifted(history)
    assert moved == drifted(history)
    assert (moved.days, moved.opening_minor) == (history.days, history.opening_minor)
    assert moved.entries[-1].balance_minor == history.entries[-1].balance_minor
    spent = [[(e.minute, e.minor) for e in one.entries if e.minor < 0] for one in (history, moved)]
    assert spent[0] == spent[1]
    for was, now in zip(paid_on(history)[1:], paid_on(moved)[1:], strict=True):
        assert -2 <= now - was <= 4
        weekday = (history.begins_on.toordinal() + now - 1) % 7
        assert weekday < 5
    assert paid_on(moved) != paid_on(history)
    assert replace(moved, entries=()) == replace(history, entries=())
