"""Lenders, users, keys and switches by command."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from app.commands.keys import add_master
from app.commands.lender import slug_of
from app.domain.errors import Conflict
from app.settings import MasterKey, decode_key
from app.store.embedded_setup import DatabaseUrls
from sandbox.bank_list import as_toml
from tests.commands.conftest import Saldo, answer, done, refusal

IBAN = "ES7921000813610123456789"
CREATE = ("lender", "create", "Préstamos Sol", "--jurisdiction", "ES", "--creditor-iban", IBAN)
SOL = (*CREATE, "--time-zone", "Europe/Madrid")


def test_a_lender_starts_by_watching_only(saldo: Saldo) -> None:
    said = done(saldo(*SOL))
    assert "observe-only" in said
    (listed,) = answer(saldo("lender", "list", "--json"))
    assert (listed["slug"], listed["observe_only"]) == ("prestamos-sol", True)
    assert "LIVE" in done(saldo("lender", "go-live", "--reason", "Everybody agreed."))
    assert answer(saldo("lender", "list", "--json"))[0]["observe_only"] is False
    assert "already" in done(saldo("lender", "go-live", "--reason", "Again."))
    assert "observes" in done(saldo("lender", "observe", "--reason", "Complaints."))


def test_every_change_of_a_lender_is_audited(saldo: Saldo, db: DatabaseUrls) -> None:
    done(saldo(*SOL))
    done(saldo("lender", "set", "language=es", "case_after_days=3", "closes_failed=yes"))
    with psycopg.connect(db.superuser) as admin:
        # The strategy that ships is put in force beside it, by the installation.
        rows = admin.execute(
            "SELECT act, before, after, actor FROM audit"
            " WHERE act <> 'publish_strategy' ORDER BY id"
        ).fetchall()
    assert [row[0] for row in rows] == ["make_lender", "set_lender"]
    assert rows[1][1] == {"language": "en", "case_after_days": 0, "closes_failed": False}
    assert rows[1][2] == {"language": "es", "case_after_days": 3, "closes_failed": True}
    assert rows[1][3] == "command line"
    assert IBAN not in str(rows)


def test_a_webhook_gets_its_secret_once(saldo: Saldo) -> None:
    done(saldo(*SOL))
    said = done(saldo("lender", "set", "webhook_url=https://lender.example/hooks"))
    assert "whsec_" in said
    loopback = saldo("lender", "set", "webhook_url=http://127.0.0.1:1/x")
    assert "this machine itself" in refusal(loopback)
    demo = saldo("lender", "set", "webhook_url=http://127.0.0.1:1/x", env={"SALDO_DEMO": "1"})
    assert "whsec_" in done(demo)
    plain = saldo("lender", "set", "webhook_url=http://lender.example/x")
    assert "https" in refusal(plain)


REFUSED = [
    (("lender", "set", "colour=red"), "colour"),
    (("lender", "set", "language"), "language"),
    (("lender", "set", "language=xx"), "language"),
    (("lender", "set", "time_zone=Mars/Base"), "time_zone"),
    (("lender", "set", "case_after_days=many"), "case_after_days"),
    (("lender", "set", "closes_failed=perhaps"), "closes_failed"),
    (("lender", "set", "threshold_kind=fixed"), "threshold_minor"),
    (("lender", "set", "creditor_iban=ES00"), "creditor_iban"),
    (("lender", "halt", "pigeons", "--reason", "x"), "channel"),
    ((*CREATE, "--time-zone", "Mars/Base"), "time_zone"),
    ((*CREATE, "--slug", "luna"), "Atlantic/Canary"),
    ((*CREATE, "--time-zone", "Europe/Madrid"), "prestamos-sol"),
    (("lender", "create", "X", "--jurisdiction", "QQ", "--creditor-iban", IBAN), "slug"),
    (("lender", "create", "Xyz", "--jurisdiction", "QQ", "--creditor-iban", IBAN), "country"),
]


def test_refusals_name_the_field(saldo: Saldo) -> None:
    done(saldo(*SOL))
    for words, field in REFUSED:
        assert field in refusal(saldo(*words)), words


def test_one_lender_needs_no_naming_and_two_do(saldo: Saldo) -> None:
    assert "known: none yet" in refusal(saldo("key", "create", "--label", "x"))
    done(saldo(*SOL))
    done(saldo("key", "create", "--label", "x"))
    done(saldo(*SOL, "--slug", "luna"))
    assert "--lender" in refusal(saldo("key", "create", "--label", "x"))
    assert "luna" in refusal(saldo("key", "create", "--label", "x", "--lender", "mars"))
    done(saldo("key", "create", "--label", "x", "--lender", "luna"))


def test_a_key_is_shown_once_listed_and_revoked(saldo: Saldo) -> None:
    done(saldo(*SOL))
    token = done(saldo("key", "create", "--label", "core")).strip()
    assert token.startswith("sk_")
    listed = done(saldo("key", "list", "--json"))
    assert token not in listed
    (key,) = json.loads(listed)
    assert token.startswith(key["prefix"])
    done(saldo("key", "revoke", key["prefix"]))
    assert answer(saldo("key", "list", "--json"))[0]["revoked_at"]
    assert "no such" in refusal(saldo("key", "revoke", "sk_nobody"))


def test_a_user_is_made_changed_and_disabled(saldo: Saldo, db: DatabaseUrls) -> None:
    done(saldo(*SOL))
    made = answer(saldo("user", "create", "Ana@Sol.example", "--role", "admin", "--json"))
    assert len(made["password"]) >= 20
    assert "New password" in done(saldo("user", "password", "ana@sol.example"))
    own = saldo("user", "password", "ana@sol.example", "--password-stdin", stdin="correct horse\n")
    assert done(own).strip() == "Done."
    short = saldo("user", "password", "ana@sol.example", "--password-stdin", stdin="short\n")
    assert "password" in refusal(short)
    # The last admin cannot be locked out.
    assert "last admin" in refusal(saldo("user", "disable", "ana@sol.example"))
    done(saldo("user", "create", "bo@sol.example", "--role", "collector"))
    assert "is approver" in done(saldo("user", "create", "al@sol.example", "--role", "approver"))
    done(saldo("user", "disable", "bo@sol.example"))
    people = {one["email"]: one for one in answer(saldo("user", "list", "--json"))}
    assert people["bo@sol.example"]["disabled_at"]
    assert "no user" in refusal(saldo("user", "disable", "nobody@sol.example"))
    with psycopg.connect(db.superuser) as admin:
        hashes = admin.execute("SELECT password_hash FROM users").fetchall()
    assert all(row[0].startswith("$argon2id$") for row in hashes)


def test_switches_are_thrown_and_released(saldo: Saldo) -> None:
    done(saldo(*SOL))
    assert "halted" in done(saldo("lender", "halt", "sms", "--reason", "Wrong amounts."))
    assert "already" in done(saldo("lender", "halt", "sms", "--reason", "Again."))
    assert "released" in done(saldo("lender", "release", "sms", "--reason", "Mended."))


def test_banks_rest_and_are_awake_again(saldo: Saldo, tmp_path: Path) -> None:
    done(saldo(*SOL))
    listed = tmp_path / "banks.toml"
    listed.write_text(as_toml("http://127.0.0.1:1"), encoding="utf-8")
    env = {"SALDO_BERLIN_GROUP_BANKS": str(listed), "SALDO_DEMO": "1"}
    when = ("--from", "2126-12-05T20:00", "--until", "2126-12-06T10:00", "--reason", "their mail")
    done(saldo("bank", "rest", "berlin_group/luz", *when, env=env))
    (kept,) = answer(saldo("bank", "rests", "--json", env=env))
    assert kept["starts_at"] == "2126-12-05T19:00:00+00:00", "Madrid's own time"
    assert "reached" in refusal(saldo("bank", "rest", "berlin_group/nobody", *when, env=env))
    done(saldo("bank", "awake", kept["id"], env=env))
    assert answer(saldo("bank", "rests", "--json", env=env)) == []
    assert "no such" in refusal(saldo("bank", "awake", kept["id"], env=env))
    assert answer(saldo("bank", "down", "--json", env=env)) == []


def test_fresh_keys_are_settings(saldo: Saldo) -> None:
    lines = dict(line.split("=", 1) for line in done(saldo("keys", "new")).splitlines())
    assert MasterKey.parse(lines["SALDO_MASTER_KEYS"]).id == "k1"
    decode_key(lines["SALDO_HASH_KEY"])
    assert done(saldo("keys", "new")) != done(saldo("keys", "new"))


def test_keys_rotate_and_old_rows_stay_readable(saldo: Saldo, db: DatabaseUrls) -> None:
    done(saldo(*SOL, "--webhook-url", "https://lender.example/hooks"))
    old = "test:" + "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0="
    fresh = done(saldo("keys", "new", "--id", "k2")).splitlines()[0].partition("=")[2]
    both = {"SALDO_MASTER_KEYS": f"{fresh},{old}"}
    assert done(saldo("keys", "rotate", env=both)).startswith("1 data keys wrapped anew")
    with psycopg.connect(db.superuser) as admin:
        rows = admin.execute("SELECT master_key_id, retired_at FROM data_keys").fetchall()
    assert sorted((row[0], row[1] is None) for row in rows) == [("k2", False), ("k2", True)]
    alone = {"SALDO_MASTER_KEYS": fresh}
    done(saldo("lender", "set", "webhook_url=https://lender.example/other", env=alone))
    doctor = json.loads(saldo("doctor", "--json", env={"SALDO_MASTER_KEYS": old}).stdout)
    assert any(one["check"] == "keys" and one["verdict"] == "wrong" for one in doctor["findings"])


def test_a_master_key_is_added_to_the_file_in_front(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"master_keys": ["k1:abc"], "hash_key": "def"}))
    add_master(path, "k2")
    content = json.loads(path.read_text())
    assert [text.partition(":")[0] for text in content["master_keys"]] == ["k2", "k1"]
    assert content["hash_key"] == "def"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict):
        add_master(path, "k2")


def test_slugs() -> None:
    assert slug_of("Préstamos Sol, S.L.") == "prestamos-sol-s-l"
    assert slug_of("  ***  ") == ""
