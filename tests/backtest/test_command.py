"""`saldo backtest` as an analyst runs it: no database, no settings, files in and figures out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.__main__ import cli
from app.domain.errors import Invalid
from tests.backtest.made_up import salaried, written


def saldo(*words: object) -> Result:
    return CliRunner().invoke(cli, ["backtest", *map(str, words)])


def answer(*words: object) -> Any:
    result = saldo(*words, "--json", "--resamples", 40)
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def refusal(*words: object) -> str:
    result = saldo(*words)
    assert isinstance(result.exception, Invalid), (result.output, result.exception)
    return str(result.exception)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    return written(folder / "book.csv.gz", [salaried(seed) for seed in range(12)])


def test_the_oracle_reads_once_and_a_day_is_the_densest_schedule(book: Path) -> None:
    oracle = answer("--transactions", book, "--policy", "oracle")
    assert (oracle["accounts"], oracle["reads_per_window"]) == (12, 1.0)
    assert (oracle["coverage"], oracle["delay_days"]) == (1.0, 0.0)
    assert oracle["vs_fixed"]["reads_saved_at_equal_delay"] > 0.9
    daily = answer("--transactions", book, "--policy", "daily", "--history-days", 90)
    assert (daily["coverage"], daily["delay_days"], daily["missed_minor"]) == (1.0, 0.0, 0)
    assert daily["vs_fixed"]["reads_saved_at_equal_delay"] == 0.0
    assert daily["windows"] < oracle["windows"]


def test_the_rule_of_thumb_knows_a_payday_and_figures_repeat(book: Path) -> None:
    words = ("--transactions", book, "--policy", "payday", "--history-days", 90)
    found = answer(*words, "--visible", "transactions")
    low, high = found["vs_fixed"]["ci95"]
    assert 0.3 < low <= found["vs_fixed"]["reads_saved_at_equal_delay"] <= high
    assert found == answer(*words, "--visible", "transactions")
    assert found["seen_minor"] + found["missed_minor"] > 0
    shown = saldo(*words, "--resamples", 40)
    assert "Reads saved against even spacing" in shown.stdout


def test_hours_need_a_time_and_count_as_parts_of_a_day(book: Path, tmp_path: Path) -> None:
    assert "column `time`" in refusal("--transactions", book, "--policy", "every:6h")
    timed = written(tmp_path / "timed.csv", [salaried(seed, timed=True) for seed in range(4)])
    found = answer("--transactions", timed, "--policy", "every:6h")
    assert 0 < found["delay_days"] < 0.25


def test_instalments_come_from_the_loans(book: Path, tmp_path: Path) -> None:
    words = ("--transactions", book, "--policy", "daily", "--threshold", "instalment*2")
    assert "--loans" in refusal(*words)
    loans = tmp_path / "loans.csv"
    loans.write_text("loan,account_id,payments\n1,A1,400.00\n2,A1,100\n3,A2,300.5\n")
    found = answer(*words, "--loans", loans)
    assert (found["accounts"], found["accounts_left_out"]) == (2, 10)
    same = ("--transactions", book, "--policy", "daily", "--loans", loans, "--threshold")
    half, loans_of_half = answer(*same, "instalment*0.5"), tmp_path / "half.csv"
    loans_of_half.write_text("account_id,payments\nA1,250\nA2,150.25\n")
    whole = answer(*same[:-3], "--loans", loans_of_half, "--threshold", "instalment*1")
    assert half == whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("account_id,date,amount\nA,2026-01-01,1\n", "row 1 does not name the column balance"),
        ("account_id,date,amount,balance\n", "holds no rows"),
        ("account_id,date,amount,balance\nA,2026-13-01,1,1\n", "row 2, column date: '2026-13-01'"),
        (
            'account_id,date,amount,balance\nA,2026-01-01,1,1\nA,2026-01-02,"1,5",1\n',
            "row 3, column amount",
        ),
        ("account_id,date,amount,balance\nA,2026-01-01,1,NaN\n", "row 2, column balance"),
        ("account_id,date,amount,balance\n,2026-01-01,1,1\n", "row 2, column account_id"),
        ("account_id,date,time,amount,balance\nA,2026-01-01,25:00,1,1\n", "row 2, column time"),
        (
            "account_id,date,amount,balance\nA,2026-01-01,1,234.56,1,234.56\n",
            "row 2, after column balance: has more cells than row 1 has names. Write amounts",
        ),
        (
            "account_id,date,amount,balance,note\nA,2026-01-01,1,1\nA,2026-01-02,1,1,2,3,4\n",
            "row 3, after column note",
        ),
        ("balance,account_id,date,amount, balance\n", "row 1, column balance: is named twice."),
        ('account_id,date,amount,balance\n"A,2026-01-01,1,1\n', "cannot be read"),
        ("account_id,date,amount,balance\nA,2024-W03-1,1,1\n", "row 2, column date: '2024-W03-1'"),
        ("account_id,date,amount,balance\nA,20260101,1,1\n", "row 2, column date"),
        (
            "account_id,date,time,amount,balance\nA,2026-01-01,07:30+02:00,1,1\n",
            "row 2, column time: '07:30+02:00'",
        ),
        (
            "account_id,date,amount,balance\nA,2026-01-01,1,1\n",
            "--transactions: no account can be judged: the longest has 1 days",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_row_and_column(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    assert said in refusal("--transactions", path)


def test_columns_that_nobody_reads_and_empty_cells_behind_the_last_are_let_be(
    book: Path, tmp_path: Path
) -> None:
    same = tmp_path / "same.csv"
    first, *rows = gzip.decompress(book.read_bytes()).decode().splitlines()
    same.write_text("\n".join([f"{first},note,,", *(f"{row},x,,,," for row in rows)]))
    words = ("--policy", "daily")
    assert answer("--transactions", same, *words) == answer("--transactions", book, *words)


def test_a_loan_whose_instalment_holds_a_comma_is_refused(book: Path, tmp_path: Path) -> None:
    loans = tmp_path / "loans.csv"
    words = ("--transactions", book, "--threshold", "instalment*2", "--loans", loans)
    loans.write_text("account_id,instalment\nA1,1,400.00\n")
    assert "loans.csv, row 2, after column instalment" in refusal(*words)
    loans.write_text("account_id,payments,payments\nA1,1,400.00\n")
    assert "loans.csv, row 1, column payments: is named twice" in refusal(*words)


def test_a_file_that_is_not_there_and_one_that_is_not_packed(tmp_path: Path) -> None:
    assert "cannot be read" in refusal("--transactions", tmp_path / "none.csv")
    (tmp_path / "plain.csv.gz").write_text("account_id")
    assert "cannot be read" in refusal("--transactions", tmp_path / "plain.csv.gz")
    (tmp_path / "x.csv").write_text("a\n")
    for option, value in (
        ("--visible", "all"),
        ("--currency", "XXX"),
        ("--floor", "x"),
        ("--floor", "-1"),
        ("--threshold", "q0"),
        ("--threshold", "0"),
        ("--threshold", "-5"),
        ("--threshold", "instalment*0"),
        ("--threshold", "instalment*"),
    ):
        said = refusal("--transactions", tmp_path / "x.csv", f"{option}={value}")
        assert said.startswith(f"{option}: ")


def test_what_leaves_nothing_to_judge_is_named(book: Path, tmp_path: Path) -> None:
    loans = tmp_path / "loans.csv"
    loans.write_text("account_id,instalment\nnobody,100\n")
    words = ("--transactions", book, "--policy", "daily")
    for told, field in (
        (("--history-days", 10_000), "--history-days"),
        (("--threshold", 1_000_000), "--threshold"),
        (("--threshold", "instalment*2", "--loans", loans), "--loans"),
    ):
        assert refusal(*words, *told).startswith(f"{field}: ")


def test_the_page_draws_the_policy_and_the_fixed_schedules(book: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    answer("--transactions", book, "--policy", "payday", "--report", page)
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 2
    assert "every:25d: " in html
    assert "payday: " in html
    assert "http" not in html
    assert "cannot be written" in refusal(
        "--transactions", book, "--policy", "daily", "--resamples", 20, "--report", tmp_path
    )
