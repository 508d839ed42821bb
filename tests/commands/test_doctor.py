"""`saldo doctor` on set-ups that are broken in one way each, and `saldo status`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.clock import start_warp
from app.store.embedded_setup import DatabaseUrls
from tests.commands.conftest import Saldo, answer, done, refusal
from tests.connectors.authority import Authority

SOL = (
    "lender", "create", "Sol", "--jurisdiction", "ES", "--time-zone", "Europe/Madrid",
    "--creditor-iban", "ES7921000813610123456789", "--slug", "sol",
)  # fmt: skip


def look(saldo: Saldo, env: dict[str, str] | None = None) -> dict[str, Any]:
    """All findings by check; the worst where there are several of one name."""
    result = saldo("doctor", "--json", env=env)
    content = json.loads(result.stdout)
    assert result.exit_code == (0 if content["ok"] else 1)
    order = ("ok", "note", "wrong")
    found: dict[str, Any] = {}
    for one in content["findings"]:
        before = found.get(one["check"])
        if before is None or order.index(one["verdict"]) > order.index(before["verdict"]):
            found[one["check"]] = one
    return found


def is_wrong(finding: dict[str, Any], *words: str) -> None:
    assert finding["verdict"] == "wrong", finding
    assert finding["mend"], "how to mend it is missing"
    for word in words:
        assert word in finding["what"] + finding["mend"], finding


def set_up(tmp_path: Path) -> dict[str, str]:
    """Settings with which everything but the running processes is right."""
    banks = tmp_path / "banks.toml"
    banks.write_text(
        '[[bank]]\nid = "sol"\nname = "Banco Sol"\ncountry = "ES"\n'
        'base_url = "http://127.0.0.1:8210/banks/sol/psd2/v1"\n'
    )
    return {
        "SALDO_BERLIN_GROUP_BANKS": str(banks),
        "SALDO_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "SALDO_TWILIO_AUTH_TOKEN": "1" * 32,
        "SALDO_TWILIO_FROM_NUMBER": "+34600000000",
        "SALDO_TWILIO_BASE_URL": "http://127.0.0.1:8210/twilio",
        "SALDO_PUBLIC_URL": "https://pay.lender.example",
    }


def test_a_whole_set_up_lacks_only_its_processes(saldo: Saldo, tmp_path: Path) -> None:
    done(saldo(*SOL))
    cert, key = Authority(tmp_path).issue("qwac", days=20)
    shown = {"SALDO_BERLIN_GROUP_CLIENT_CERT": str(cert), "SALDO_BERLIN_GROUP_CLIENT_KEY": str(key)}
    found = look(saldo, {**set_up(tmp_path), **shown})
    assert found["certificates"]["verdict"] == "note"
    assert "expires on" in found["certificates"]["what"]
    wrong = {name for name, one in found.items() if one["verdict"] == "wrong"}
    assert wrong == {"scheduler", "worker"}
    for name in ("keys", "database", "row security", "clock", "invariants", "licence", "messages"):
        assert found[name]["verdict"] == "ok", found[name]


def test_people_get_lines_they_can_act_on(saldo: Saldo) -> None:
    result = saldo("doctor")
    assert result.exit_code == 1
    assert "WRONG  licence: no basis" in result.stdout
    assert "-> Set SALDO_TPP_BASIS" in result.stdout


def test_no_key(saldo: Saldo) -> None:
    is_wrong(look(saldo, {"SALDO_MASTER_KEYS": ""})["keys"], "SALDO_MASTER_KEYS", "no key")


def test_another_key_than_the_database_was_sealed_with(saldo: Saldo) -> None:
    done(saldo(*SOL))
    other = "test:" + "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="
    is_wrong(look(saldo, {"SALDO_MASTER_KEYS": other})["keys"], "not the one")


def test_a_setting_that_cannot_be_read(saldo: Saldo) -> None:
    found = look(saldo, {"SALDO_PUBLIC_URL": "http://example.com"})
    is_wrong(found["settings"], "SALDO_PUBLIC_URL", "https")


def test_no_server(saldo: Saldo) -> None:
    nobody = "postgresql://saldo_app:x@127.0.0.1:1/saldo"
    env = {"SALDO_DATABASE_URL": nobody, "SALDO_DATABASE_ENGINE_URL": nobody}
    is_wrong(look(saldo, env)["database"], "SALDO_DATABASE", "host and port")


def test_wrong_password(saldo: Saldo, db: DatabaseUrls) -> None:
    wrong = db.app.replace("saldo_app:", "saldo_app:x", 1)
    assert wrong != db.app
    found = look(saldo, {"SALDO_DATABASE_URL": wrong})
    is_wrong(found["database"], "password authentication failed")
    assert wrong not in json.dumps(found)


def test_a_database_without_our_tables(saldo: Saldo, db: DatabaseUrls) -> None:
    env = {
        "SALDO_DATABASE_URL": _other_database(db.app),
        "SALDO_DATABASE_ENGINE_URL": _other_database(db.engine),
    }
    with psycopg.connect(db.superuser, autocommit=True) as admin:
        admin.execute("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
    is_wrong(look(saldo, env)["migration"], "no tables", "SALDO_DATABASE_URL")


def test_two_databases(saldo: Saldo, db: DatabaseUrls) -> None:
    with psycopg.connect(db.superuser, autocommit=True) as admin:
        admin.execute("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
    found = look(saldo, {"SALDO_DATABASE_URL": _other_database(db.app)})
    is_wrong(found["database"], "two different")


def test_migration_behind(saldo: Saldo, db: DatabaseUrls) -> None:
    with psycopg.connect(db.superuser, autocommit=True) as admin:
        admin.execute("UPDATE alembic_version SET version_num = 'older'")
    found = look(saldo, {"SALDO_DATABASE_OWNER_URL": db.owner})
    is_wrong(found["migration"], "older", "saldo migrate")


@pytest.mark.parametrize("setting", ["SALDO_DATABASE_URL", "SALDO_DATABASE_ENGINE_URL"])
def test_a_superuser_is_named(saldo: Saldo, db: DatabaseUrls, setting: str) -> None:
    found = look(saldo, {setting: db.superuser})
    role = "saldo_app" if setting == "SALDO_DATABASE_URL" else "saldo_engine"
    is_wrong(found[f"role {role}"], "superuser", setting)


@pytest.mark.parametrize("setting", ["SALDO_DATABASE_URL", "SALDO_DATABASE_ENGINE_URL"])
def test_nothing_starts_as_a_superuser(saldo: Saldo, db: DatabaseUrls, setting: str) -> None:
    said = refusal(saldo("status", env={setting: db.superuser}))
    assert setting in said
    assert "superuser" in said


def test_roles_swapped(saldo: Saldo, db: DatabaseUrls) -> None:
    env = {"SALDO_DATABASE_URL": db.engine, "SALDO_DATABASE_ENGINE_URL": db.app}
    found = look(saldo, env)
    is_wrong(found["role saldo_app"], "saldo_engine")
    is_wrong(found["role saldo_engine"], "saldo_app")


def test_row_security_switched_off(saldo: Saldo, db: DatabaseUrls) -> None:
    with psycopg.connect(db.superuser, autocommit=True) as admin:
        admin.execute("ALTER TABLE payments NO FORCE ROW LEVEL SECURITY")
    is_wrong(look(saldo)["row security"], "payments")


def test_a_warped_clock_outside_the_demo(saldo: Saldo, tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    start_warp(path, business_start=datetime(2026, 3, 2, tzinfo=UTC), speed=60)
    is_wrong(look(saldo)["business clock"], "warps", "remove")
    demo = look(saldo, {"SALDO_DEMO": "1"})["business clock"]
    assert demo["verdict"] in {"ok", "note"}
    path.write_text("{")
    is_wrong(look(saldo)["business clock"], "not a clock file")


def test_a_clock_whose_lease_ended(saldo: Saldo, tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    content = {"mode": "warp", "real_origin": 1, "business_origin": 1, "speed": 2, "lease_until": 2}
    path.write_text(json.dumps(content))
    finding = look(saldo, {"SALDO_DEMO": "1"})["business clock"]
    assert "stands still" in finding["what"]


def test_no_licence_basis(saldo: Saldo, tmp_path: Path) -> None:
    env = set_up(tmp_path)
    live = Path(env["SALDO_BERLIN_GROUP_BANKS"])
    live.write_text(live.read_text().replace("http://127.0.0.1:8210", "https://api.bank.example"))
    is_wrong(look(saldo, env)["licence"], "live", "SALDO_TPP_BASIS")
    licensed = look(saldo, {**env, "SALDO_TPP_BASIS": "Banco de España 6999"})
    assert licensed["licence"]["verdict"] == "ok"


def test_all_missing_provider_settings_are_named(saldo: Saldo) -> None:
    is_wrong(look(saldo)["aggregation"], "SALDO_BERLIN_GROUP_BANKS")
    findings = json.loads(saldo("doctor", "--json").stdout)["findings"]
    missing = [one for one in findings if one["check"] == "messages"]
    for setting in ("SALDO_TWILIO_ACCOUNT_SID", "SALDO_TWILIO_AUTH_TOKEN"):
        assert any(setting in one["what"] for one in missing), missing
    other = look(saldo, {"SALDO_MESSAGE_CONNECTOR": "pigeon"})
    is_wrong(other["messages"], "pigeon", "twilio")


def test_a_webhook_to_this_machine(saldo: Saldo) -> None:
    demo = {"SALDO_DEMO": "1"}
    done(saldo(*SOL, "--webhook-url", "http://127.0.0.1:9/x", env=demo))
    is_wrong(look(saldo, {"SALDO_DEMO": "0"})["lender sol"], "this machine")


def test_jobs_left_behind(saldo: Saldo, db: DatabaseUrls) -> None:
    with psycopg.connect(db.superuser, autocommit=True) as admin:
        admin.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status) "
            "VALUES ('saldo', 'read_balances', 'doing')"
        )
    is_wrong(look(saldo)["jobs"], "left by workers")


def test_a_job_that_waits_too_long(saldo: Saldo, db: DatabaseUrls) -> None:
    with psycopg.connect(db.superuser, autocommit=True) as admin:
        admin.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name) "
            "VALUES ('saldo', 'read_balances')"
        )
        admin.execute("UPDATE procrastinate_events SET at = now() - interval '10 minutes'")
    is_wrong(look(saldo)["jobs"], "10 minutes")


def test_a_key_file_that_others_can_read(saldo: Saldo, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{}")
    path.chmod(0o644)
    is_wrong(look(saldo)["keys"], "chmod 600")


# ------------------------------------------------------------------ status and migrate


def test_status_counts(saldo: Saldo) -> None:
    done(saldo(*SOL))
    counts = answer(saldo("status", "--json"))
    assert counts.pop("stages") == {}
    assert counts.pop("not_answering") == []
    assert counts == dict.fromkeys(
        (
            "loans_open", "loans_recovered", "signals", "messages_sent", "payments_settled",
            "tasks_open", "owed_unconfirmed", "reads", "reads_refused", "invariants_broken",
        ),
        0,
    )  # fmt: skip
    assert "Loans being worked" in done(saldo("status"))


def test_status_without_a_database_says_what_to_do(saldo: Saldo) -> None:
    nobody = "postgresql://saldo_app:x@127.0.0.1:1/saldo"
    env = {"SALDO_DATABASE_URL": nobody, "SALDO_DATABASE_ENGINE_URL": nobody}
    assert "saldo doctor" in refusal(saldo("status", env=env))


def test_migrate_needs_the_owner(saldo: Saldo, db: DatabaseUrls) -> None:
    assert "SALDO_DATABASE_OWNER_URL" in refusal(saldo("migrate"))
    assert "The database is at" in done(
        saldo("migrate", env={"SALDO_DATABASE_OWNER_URL": db.owner})
    )
    assert "CREATE ROLE saldo_engine" in done(saldo("migrate", "--sql-roles"))


def _other_database(url: str) -> str:
    """The same role's address of the server's own database, which has nothing of ours."""
    head, slash, tail = url.rpartition("/")
    query = tail.partition("?")[2]
    assert slash
    return f"{head}/postgres" + (f"?{query}" if query else "")


def test_nothing_here_depends_on_where_it_runs() -> None:
    assert not [name for name in os.environ if name.startswith("SALDO_DATABASE")]
