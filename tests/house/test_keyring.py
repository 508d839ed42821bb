"""Keys: given by the operator, or made once and never replaced."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.domain.errors import Misconfigured
from app.keyring import ensure_keys, keys_file, load_keys
from app.settings import MasterKey, Settings, load_settings

GIVEN = bytes(range(32))
GIVEN_TEXT = base64.b64encode(GIVEN).decode()


def own(folder: Path) -> Settings:
    return load_settings(data_dir=folder)


def external(folder: Path) -> Settings:
    url = SecretStr("postgresql://somebody@db/saldo")
    return load_settings(data_dir=folder, database_url=url, database_engine_url=url)


def test_the_first_start_makes_them_and_every_other_keeps_them(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ensure_keys(own(tmp_path)), range(16)))
    first = load_keys(own(tmp_path))
    ensure_keys(own(tmp_path))
    assert load_keys(own(tmp_path)) == first
    assert len(first.hash_key) == len(first.masters[0].key) == 32
    assert first.hash_key != first.masters[0].key
    assert stat.S_IMODE(keys_file(tmp_path).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_a_database_of_ones_own_asks_for_keys_of_ones_own(tmp_path: Path) -> None:
    ensure_keys(external(tmp_path))
    assert not keys_file(tmp_path).exists()
    with pytest.raises(Misconfigured, match="SALDO_MASTER_KEYS"):
        load_keys(external(tmp_path))


def test_given_keys_win_one_by_one(tmp_path: Path) -> None:
    ensure_keys(own(tmp_path))
    filed = load_keys(own(tmp_path))
    master = MasterKey("mine", GIVEN)
    half = load_keys(load_settings(data_dir=tmp_path, master_keys=(master,)))
    assert half.masters == (master,)
    assert half.hash_key == filed.hash_key
    both = load_settings(data_dir=tmp_path, master_keys=(master,), hash_key=SecretStr(GIVEN_TEXT))
    assert load_keys(both).hash_key == GIVEN


def test_nothing_is_made_when_both_are_given(tmp_path: Path) -> None:
    both = load_settings(
        data_dir=tmp_path, master_keys=(MasterKey("a", GIVEN),), hash_key=SecretStr(GIVEN_TEXT)
    )
    ensure_keys(both)
    assert not keys_file(tmp_path).exists()


@pytest.mark.parametrize("content", ["", "{}", '{"master_keys": ["x"], "hash_key": "y"}'])
def test_a_damaged_file_is_said_and_kept(tmp_path: Path, content: str) -> None:
    keys_file(tmp_path).write_text(content)
    ensure_keys(own(tmp_path))
    with pytest.raises(Misconfigured, match="backup"):
        load_keys(own(tmp_path))
    assert keys_file(tmp_path).read_text() == content


def test_before_the_first_start_it_says_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="saldo serve"):
        load_keys(own(tmp_path))
