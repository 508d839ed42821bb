"""An example for every schema, made from the examples of its fields: never out of date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_DEEPEST = 8

_BY_FORMAT: Final[Mapping[str, str]] = {
    "uuid": "0190d9a4-7c1b-7e34-9a52-3f8a1f0b7c11",
    "date": "2026-03-31",
    "date-time": "2026-03-31T09:30:00Z",
}

# What travels under these names, where the field itself gives no example.
_BY_NAME: Final[Mapping[str, Any]] = {
    "external_ref": "L-2024-0042",
    "borrower_ref": "C-1001",
    "loan_ref": "L-2024-0042",
    "product": "consumer loan",
    "amount": "120.00",
    "paid": "0.00",
    "currency": "EUR",
    "name": "Ana Núñez",
    "country": "ES",
    "region": "MD",
    "time_zone": "Europe/Madrid",
    "language": "es",
    "connector": "berlin_group",
    "bank_id": "banco-sol",
    "end_to_end_ref": "SALDO-8KQ2",
    "channel": "sms",
    "wording": "click_and_pay/1",
    "wording_version": "1",
    "actor": "saldo",
    "purpose": "repayment_monitoring",
    "purposes": ["scoring", "repayment_monitoring"],
    "iban_masked": "ES•• •••• 1332",
    "state": "open",
    "kind": "dispute",
    "source": "api",
    "set_by": "api sk_Qx1aB",
    "next_cursor": None,
    "ended_at": None,
    "ended_why": "",
    "closed_at": None,
    "close_reason": None,
    "cancel_reason": None,
    "lifted_at": None,
    "lifted_by": None,
    "withdrawn_at": None,
    "withdrawn_via": None,
    "error_code": "",
    "why_unusable": "",
    "note": "",
    "outcome": None,
}


def sample(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int = 0) -> Any:
    """A value that fits `schema`; references are looked up in `components` (the schemas)."""
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return sample(components[name], components, depth + 1) if depth < _DEEPEST else None
    if "const" in schema:
        return schema["const"]
    if "example" in schema:
        return _in_order(schema["example"], schema, components)
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return sample(_first_real(schema[key]), components, depth + 1)
    return _by_type(schema, components, depth)


def _in_order(value: Any, schema: Mapping[str, Any], components: Mapping[str, Any]) -> Any:
    """The same value with its fields in the schema's order: as a person would write it."""
    if "$ref" in schema:
        schema = components[str(schema["$ref"]).rpartition("/")[2]]
    if isinstance(value, list):
        return [_in_order(one, schema.get("items", {}), components) for one in value]
    if not isinstance(value, dict):
        return value
    fields = schema.get("properties", {})
    names = [name for name in fields if name in value] + [n for n in value if n not in fields]
    return {name: _in_order(value[name], fields.get(name, {}), components) for name in names}


def _first_real(choices: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((one for one in choices if one.get("type") != "null"), choices[0])


def _field(name: str, field: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Any:
    if name in _BY_NAME and not {"examples", "example", "enum", "const", "$ref"} & set(field):
        return _BY_NAME[name]
    return sample(field, components, depth + 1)


def _by_type(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Any:
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {
                name: _field(name, field, components, depth)
                for name, field in schema["properties"].items()
            }
        case "object":
            return {}
        case "array":
            return [sample(schema.get("items", {}), components, depth + 1)]
        case "integer" | "number":
            return schema.get("minimum", schema.get("default", 1))
        case "boolean":
            return schema.get("default", True)
        case "string":
            return _BY_FORMAT.get(str(schema.get("format")), schema.get("default", "…"))
        case _:
            return None
