"""A connector's settings as a lender fills them in for himself, and which of them are not his.

Nothing of the operator's own access data ever fills a gap: a field that is left open stands at its
default. What does come from the operator is the way to the provider (addresses, proxy, time-outs)
and lists that hold no secret.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.domain.errors import Invalid
from app.ports import Connector
from app.side_ports import FieldKind, OwnField
from connectors._http import is_loopback_host, is_public
from connectors._settings import ConnectorSettings

# The way out of this house: the operator's alone.
_OPERATORS: Final = frozenset(
    {
        "proxy",
        "ca_file",
        "connect_seconds",
        "timeout_seconds",
        "payment_timeout_seconds",
        "refresh_seconds",
        "read_seconds",
        "webhook_keys_url",
        "page_hosts",
    }
)
# Where the borrower is sent or calls go. Empty: the operator's.
_ADDRESSES: Final = frozenset(
    {
        "base_url",
        "auth_url",
        "api_url",
        "link_url",
        "transactions_link_url",
        "pay_link_url",
        "hosted_url",
        "host",
    }
)
# They belong to the address: with another one they would lead elsewhere on the operator's machine.
_WITH_THE_HOST: Final = frozenset({"port", "security"})
# Lists without secrets: those of the operator serve every lender who brings none.
_LISTS: Final = frozenset({"banks", "reference"})
# What those say to the operator, in words for whoever has no access to this machine.
_SAID: Final = {
    "client_cert": "PEM file of a certificate of yours with its chain, where the provider demands "
    "one (mutual TLS).",
    "client_key": "PEM file of the certificate's key, if it is not in the same file.",
}
_RARE: Final = frozenset({"client_cert", "client_key", "client_key_password"})
# Where the provider calls us: known as soon as the set-up has its name.
_OUR_ADDRESS: Final = "webhook_url"


def own_fields(connector: Connector) -> tuple[OwnField, ...]:
    """What a lender fills in, files and secrets too: what is rarely needed comes last."""
    found = [
        _field(name, field)
        for name, field in connector.settings.model_fields.items()
        if name not in _OPERATORS and name != _OUR_ADDRESS
    ]
    return tuple(sorted(found, key=lambda one: one.rare))


def _field(name: str, field: FieldInfo) -> OwnField:
    kinds = set(_alternatives(field.annotation))
    default = "" if field.default is PydanticUndefined else field.default
    usual = "" if default is None or isinstance(default, SecretStr | Path) else str(default)
    said = _SAID.get(name) or _for_lenders(field.description or "")
    rare = name in _RARE or (name in _ADDRESSES and bool(usual))
    if Path in kinds:
        return OwnField(name, FieldKind.FILE, said, shared=name in _LISTS, rare=rare)
    if SecretStr in kinds or name.endswith("_iban"):
        return OwnField(name, FieldKind.SECRET, said, rare=rare)
    if bool in kinds:
        return OwnField(name, FieldKind.TICK, said, usual="yes" if default else "")
    if get_origin(field.annotation) is Literal:
        return OwnField(
            name, FieldKind.CHOICE, said, usual, tuple(map(str, get_args(field.annotation)))
        )
    if name in _ADDRESSES:
        return OwnField(name, FieldKind.TEXT, said, shared=bool(usual), rare=rare, leads=True)
    if name in _WITH_THE_HOST:
        return OwnField(name, FieldKind.TEXT, said, usual, leads=True)
    return OwnField(name, FieldKind.TEXT, said, usual)


def _for_lenders(description: str) -> str:
    """Without the sentences about the operator's machine, unless nothing else is said."""
    sentences = re.split(r"(?<=\.)\s", description)
    return " ".join(one for one in sentences if "this machine" not in one) or description


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if union else (annotation,)


def own_settings(
    connector: Connector,
    operator: ConnectorSettings,
    values: Mapping[str, str],
    files: Mapping[str, Path],
    hook_url: str,
) -> ConnectorSettings:
    """The settings of a lender's set-up. `operator`: the same connector's of this installation.

    Raises `Invalid` naming the field. An address that a lender names is public and https, and
    stays so with every connection that is made to it.
    """
    given: dict[str, Any] = {}
    named = False
    for name, field in connector.settings.model_fields.items():
        theirs = getattr(operator, name)
        if name in _OPERATORS or (name in _WITH_THE_HOST and not values.get("host")):
            given[name] = theirs
        elif name == _OUR_ADDRESS:
            given[name] = hook_url
        elif name in _ADDRESSES:
            typed = values.get(name, "")
            given[name] = typed or theirs
            if _is_own(typed, theirs):
                named = True
                _check_address(name, typed)
        elif name in files:
            given[name] = files[name]
        elif name in _LISTS:
            given[name] = theirs
        else:
            given[name] = values.get(name) or _default(field)
    if named:
        # Through a proxy nobody here would see where a name leads.
        fields = connector.settings.model_fields
        given |= {name: _default(fields[name]) for name in ("proxy", "ca_file") if name in fields}
    try:
        # Every field is given, so that nothing is read from the environment.
        made = connector.settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise Invalid(name, _plain(str(first["msg"]))) from None
    if not isinstance(made, ConnectorSettings):
        raise Invalid("connector", "cannot be set up by a lender.")
    made.lent(public_only=named)
    return made


def leads_to(
    connector: Connector, operator: ConnectorSettings, values: Mapping[str, str]
) -> Mapping[str, str]:
    """The hosts that a lender's set-up leads to and the operator's does not, by field."""
    named = {
        name: typed
        for name in connector.settings.model_fields
        if name in _ADDRESSES and _is_own(typed := values.get(name, ""), getattr(operator, name))
    }
    return {
        name: typed if name == "host" else (urlsplit(typed).hostname or typed)
        for name, typed in named.items()
    }


def _is_own(typed: str, theirs: object) -> bool:
    return bool(typed) and typed.rstrip("/") != str(theirs)


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _check_address(name: str, typed: str) -> None:
    host = typed if name == "host" else (urlsplit(typed).hostname or "")
    if name != "host" and not typed.startswith("https://"):
        raise Invalid(name, "must begin with https://.")
    if is_loopback_host(host) or not _may_be_public(host):
        raise Invalid(name, "is no public address.", mend="Ask whoever runs this installation.")


def _may_be_public(host: str) -> bool:
    try:
        return is_public(ip_address(host.strip("[]")))
    except ValueError:
        # A name: looked at with every connection.
        return bool(host)


def _plain(message: str) -> str:
    said = message.removeprefix("Value error, ")
    return f"{said[:1].lower()}{said[1:]}".rstrip(".") + "."
