"""A living book over the API: tried, loaded, read; released by nobody with a key."""

from __future__ import annotations

from typing import Any

import pytest

from app.api.openapi import operations
from tests.api.conftest import System
from tests.api.description import DESCRIPTION

pytestmark = pytest.mark.anyio

BORROWERS = "external_ref,name,country,language\nC-1,Ana,ES,es\nC-2,,ES,es\n"
LOANS = "external_ref,borrower_ref,product,currency,as_of\nL-1,C-1,Loan,EUR,2026-03-02T08:00:00Z\n"
PARTS = "loan_ref,number,due_on,amount,paid\nL-1,1,2026-02-20,120.00,20.00\n"


def a_book(**more: Any) -> dict[str, Any]:
    files = {"borrowers.csv": BORROWERS, "loans.csv": LOANS, "instalments.csv": PARTS}
    listed = [{"name": name, "content": content} for name, content in files.items()]
    return {"files": listed, **more}


async def test_a_dry_run_tells_everything_and_keeps_nothing(sol: System) -> None:
    expected = {"loans": 2, "owed": [{"amount": "100.00", "currency": "EUR"}]}
    answer = await sol.http.post("/v1/book-files", json=a_book(dry_run=True, **expected))
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["id"], shown["state"], shown["rows"]) == (None, "tried", 4)
    assert shown["verdicts"]["borrowers"] == {"will_do": 1, "invalid": 1}
    assert shown["owed"] == [{"amount": "100.00", "currency": "EUR"}]
    assert shown["differences"] == [{"what": "loans", "expected": "2", "found": "1"}]
    assert [(one["sheet"], one["number"]) for one in shown["troubled"]] == [("borrowers", 3)]
    assert (await sol.http.get("/v1/book-files")).json()["items"] == []


async def test_a_book_waits_for_a_person_and_the_same_files_are_a_conflict(sol: System) -> None:
    answer = await sol.http.post("/v1/book-files", json=a_book())
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/v1/book-files/{made['id']}"
    assert (made["state"], made["released_by"], made["left_out"]) == ("checked", None, 1)
    assert (await sol.http.get("/v1/loans/L-1")).status_code == 404, "nothing is in the book yet"
    again = await sol.http.post("/v1/book-files", json=a_book())
    assert again.status_code == 409
    assert again.headers["content-type"].startswith("application/problem+json")
    listed = (await sol.http.get("/v1/book-files")).json()["items"]
    assert [one["id"] for one in listed] == [made["id"]]


async def test_what_is_no_book_is_refused_by_name(sol: System) -> None:
    refused: list[dict[str, Any]] = [
        {"files": []},
        a_book(owed=[{"amount": "1.234", "currency": "EUR"}]),
        a_book(owed=[{"amount": "1.00", "currency": "EUR"}] * 2),
        {"files": [{"name": "x.csv", "content": "a,b\n1,2\n"}]},
        # Larger than any other body may be, and still read.
        {"files": [{"name": "x.csv", "content": "a,b\n" + "1,2\n" * 300_000}]},
    ]
    for wrong in refused:
        answer = await sol.http.post("/v1/book-files", json=wrong)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"]


def test_no_key_releases_a_book_or_runs_an_experiment() -> None:
    found = {
        (method, path)
        for path, _, method in operations(DESCRIPTION)
        if "book-files" in path or "experiments" in path
    }
    assert {one for one in found if one[0] != "get"} == {("post", "/v1/book-files")}
