"""`saldo book`: a book is checked and loaded by command, and released by nobody there."""

from __future__ import annotations

from pathlib import Path

from tests.commands.conftest import Saldo, answer, done, refusal
from tests.commands.test_desk_commands import SOL
from tests.flows.book_kit import Book


def written(folder: Path, book: Book) -> list[str]:
    """The files of a book on disk."""
    for one in book.files():
        (folder / one.name).write_bytes(one.content)
    return [one.name for one in book.files()]


def test_a_book_is_checked_loaded_and_listed(saldo: Saldo, tmp_path: Path) -> None:
    done(saldo(*SOL))
    files = written(tmp_path, Book().person("B1").add("opt_outs", "B9,sms,"))
    said = done(saldo("book", "check", *files, "--owed", "120.00 EUR"))
    assert "owed: 120.00 EUR" in said
    assert "opt_outs, row 2: not_found. There is no borrower 'B9'." in said
    assert "Nothing was kept." in said
    assert answer(saldo("book", "list", "--json")) == []

    loaded = answer(saldo("book", "load", *files, "--json"))
    assert loaded["verdicts"]["loans"] == {"will_do": 1}
    (listed,) = answer(saldo("book", "list", "--json"))
    assert (listed["id"], listed["state"], listed["to_do"]) == (loaded["id"], "checked", 3)
    assert "loaded before" in refusal(saldo("book", "load", *files))
    # To let it in is nothing for a command line, behind which nobody can be told apart.
    assert saldo("book", "release", loaded["id"]).exit_code == 2


def test_a_difference_ends_a_check_with_a_failure(saldo: Saldo, tmp_path: Path) -> None:
    done(saldo(*SOL))
    files = written(tmp_path, Book().person("B1"))
    result = saldo("book", "check", *files, "--borrowers", "2", "--owed", "99.99 EUR")
    assert result.exit_code == 1
    assert "DIFFERENT: borrowers: 2 expected, 1 in the file." in result.stdout
    assert "DIFFERENT: owed in EUR: 99.99 EUR expected, 120.00 EUR in the file." in result.stdout


def test_a_file_that_is_not_there_is_named(saldo: Saldo) -> None:
    done(saldo(*SOL))
    assert "loans.csv: cannot be read" in refusal(saldo("book", "check", "loans.csv"))
