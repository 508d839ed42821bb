"""The keys of this installation: from the settings, or made once into `keys.json`.

`keys.json` (0600, data folder) is only made for an installation with a private PostgreSQL. With a
database of your own the keys must not depend on one machine's disk, so they are settings there.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.errors import Misconfigured
from app.settings import KEY_BYTES, MasterKey, Settings, decode_key


@dataclass(frozen=True, slots=True)
class Keyring:
    """Master keys (the first encrypts, all decrypt) and the key of the look-up hashes."""

    masters: tuple[MasterKey, ...]
    hash_key: bytes = field(repr=False)


def load_keys(settings: Settings) -> Keyring:
    """The keys to work with. Each of the two settings, where set, wins over the file.

    Raises Misconfigured when one is neither set nor on file.
    """
    masters = settings.master_keys
    hash_text = settings.hash_key.get_secret_value()
    if masters and hash_text:
        return Keyring(masters, decode_key(hash_text))
    filed = _read(keys_file(settings.data_dir)) if settings.embedded else None
    if filed is None:
        missing = "SALDO_HASH_KEY" if masters else "SALDO_MASTER_KEYS"
        mend = (
            "`saldo serve` makes the keys at its first start."
            if settings.embedded
            else "Make one with: head -c 32 /dev/urandom | base64 (see .env.example)."
        )
        raise Misconfigured(missing, "no key is set", mend)
    return Keyring(masters or filed.masters, decode_key(hash_text) if hash_text else filed.hash_key)


def ensure_keys(settings: Settings) -> None:
    """Make `keys.json` if this installation needs it and has none. Never replaces a key."""
    path = keys_file(settings.data_dir)
    given = settings.master_keys and settings.hash_key.get_secret_value()
    if given or not settings.embedded or path.exists():
        return
    content = {"master_keys": [f"k1:{_new_key()}"], "hash_key": _new_key()}
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(handle)
    try:
        path.hardlink_to(draft)  # refuses to replace: two first starts get the same keys
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def keys_file(data_dir: Path) -> Path:
    """Where generated keys lie. Back it up apart from the database."""
    return data_dir / "keys.json"


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _read(path: Path) -> Keyring | None:
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        masters = tuple(MasterKey.parse(text) for text in content["master_keys"])
        return Keyring(masters, decode_key(content["hash_key"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise Misconfigured(
            "SALDO_DATA_DIR", f"{path} cannot be read", "Restore it from your backup."
        ) from None
