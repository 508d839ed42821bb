"""Settings: read once, frozen, every refusal names the variable and never its value."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.domain.errors import Misconfigured
from app.settings import (
    MasterKey,
    Settings,
    decode_key,
    is_loopback,
    load_settings,
    read_env_file,
)

KEY = base64.b64encode(bytes(range(32))).decode()


def test_the_defaults_are_an_installation_of_ones_own() -> None:
    settings = load_settings()
    assert settings.embedded
    assert not settings.secure
    assert settings.clock_path == Path("saldo-data/clock.json")
    assert settings.postgres_path == Path("saldo-data/postgres")


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.demo = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SALDO_PUBLIC_URL", "http://pay.example.com"),
        ("SALDO_PUBLIC_URL", "pay.example.com"),
        ("SALDO_PUBLIC_URL", "ftp://127.0.0.1"),
        ("SALDO_WEB_PORT", "0"),
        ("SALDO_WEB_PORT", "eighty"),
        ("SALDO_MASTER_KEYS", "not-a-key-secretsecret"),
        ("SALDO_MASTER_KEYS", "k1:c2VjcmV0c2VjcmV0"),
        ("SALDO_MASTER_KEYS", f"k 1:{KEY}"),
        ("SALDO_HASH_KEY", "c2VjcmV0c2VjcmV0"),
        ("SALDO_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("SALDO_WORKER_COUNT", "0"),
        ("SALDO_LOG_LEVEL", "loud"),
        ("SALDO_DELINQUENCY_BUCKETS", "1-30, 40+"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Misconfigured) as refusal:
        load_settings()
    assert refusal.value.setting == variable
    if "KEY" in variable:
        assert value not in str(refusal.value)
        assert "c2Vj" not in str(refusal.value)


def test_two_database_urls_belong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_DATABASE_URL", "postgresql://saldo_app:hidden@db/saldo")
    with pytest.raises(Misconfigured, match="SALDO_DATABASE_ENGINE_URL") as refusal:
        load_settings()
    assert "hidden" not in str(refusal.value)
    monkeypatch.setenv("SALDO_DATABASE_ENGINE_URL", "postgresql://saldo_engine:hidden@db/saldo")
    settings = load_settings()
    assert not settings.embedded
    assert "hidden" not in repr(settings)


def test_keys_are_read_in_order_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    other = base64.urlsafe_b64encode(bytes(range(200, 232))).decode().rstrip("=")
    monkeypatch.setenv("SALDO_MASTER_KEYS", f"k2:{other}, k1:{KEY}")
    settings = load_settings()
    assert settings.master_keys == (
        MasterKey("k2", bytes(range(200, 232))),
        MasterKey("k1", bytes(range(32))),
    )
    assert "\\x01" not in repr(settings.master_keys)
    monkeypatch.setenv("SALDO_MASTER_KEYS", f"k1:{KEY},k1:{KEY}")
    with pytest.raises(Misconfigured, match="twice"):
        load_settings()


def test_proxies_are_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    assert [str(net) for net in load_settings().trusted_proxies] == ["10.0.0.0/8", "::1/128"]


def test_https_makes_it_secure_and_the_slash_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_PUBLIC_URL", "https://pay.example.com/")
    settings = load_settings()
    assert settings.secure
    assert settings.public_url == "https://pay.example.com"


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("[::1]", True),
        ("demo.localhost", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("0.0.0.0", False),  # noqa: S104 - that is the point
    ],
)
def test_what_counts_as_this_machine(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "some.env"
    file.write_text("SALDO_WEB_PORT=9000\nSALDO_TPP_BASIS='ES licence 42'\nOTHER=1\n")
    environ = {"SALDO_WEB_PORT": "9999", "SALDO_ENV_FILE": str(file)}
    read_env_file(environ)
    assert environ["SALDO_WEB_PORT"] == "9999"
    assert environ["SALDO_TPP_BASIS"] == "ES licence 42"
    assert "OTHER" not in environ


def test_a_named_file_must_be_there_and_dot_env_need_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ: dict[str, str] = {}
    read_env_file(environ)
    assert environ == {}
    (tmp_path / ".env").write_text("SALDO_DEMO=true\n")
    read_env_file(environ)
    assert environ == {"SALDO_DEMO": "true"}
    with pytest.raises(Misconfigured, match="SALDO_ENV_FILE"):
        read_env_file({}, tmp_path / "none")


def test_a_key_has_32_bytes() -> None:
    assert decode_key(KEY) == bytes(range(32))
    for wrong in ("", "AAAA", KEY + "AAAA", "é" * 43):
        with pytest.raises(ValueError, match="key"):
            decode_key(wrong)


def test_overrides_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_DEMO", "false")
    assert load_settings(demo=True).demo
    assert isinstance(load_settings(demo=True), Settings)
