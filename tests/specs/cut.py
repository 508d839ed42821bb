"""Cuts the official Berlin Group description to the operations Saldo uses.

    python tests/specs/cut.py psd2-api_v1.3.11.yaml > tests/specs/berlin_group_1.3.11.yaml

Nothing is rewritten: operations that are not in `USED` are left out, then every component that
nothing refers to any more, and the examples. The result is checked against, not hand-edited.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PAYMENT = "/v1/{payment-service}/{payment-product}"
USED: dict[str, tuple[str, ...]] = {
    PAYMENT: ("post",),
    PAYMENT + "/{paymentId}": ("delete",),
    PAYMENT + "/{paymentId}/status": ("get",),
    PAYMENT + "/{paymentId}/authorisations": ("post",),
    "/v1/accounts": ("get",),
    "/v1/accounts/{account-id}/balances": ("get",),
    "/v1/accounts/{account-id}/transactions": ("get",),
    "/v1/consents": ("post",),
    "/v1/consents/{consentId}": ("get", "delete"),
    "/v1/consents/{consentId}/status": ("get",),
    "/v1/consents/{consentId}/authorisations": ("post",),
}

HEADER = """\
# NextGenPSD2 XS2A Framework, version {version}, cut to the operations Saldo uses.
#
# Origin:  the OpenAPI description "NextGenPSD2 XS2A Framework" published by The Berlin Group,
#          https://www.berlin-group.org/nextgenpsd2-downloads
# Licence: Creative Commons Attribution 4.0 International (CC BY 4.0),
#          https://creativecommons.org/licenses/by/4.0/
#          Attribution: (c) The Berlin Group, Joint Initiative on a PSD2 Compliant XS2A Interface.
# Changed: cut by tests/specs/cut.py. Left out are the operations not listed there, the examples,
#          and the components nothing refers to any more. Comments and line breaks of the
#          original are lost; no remaining definition was altered.
"""


def refs(node: Any) -> Iterator[str]:
    """Every "$ref" below `node`."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def without_examples(node: Any) -> Any:
    """The same tree without `examples` beside a schema (in media types and parameters)."""
    if isinstance(node, dict):
        beside_schema = "schema" in node
        return {
            key: without_examples(value)
            for key, value in node.items()
            if not (beside_schema and key in {"example", "examples"})
        }
    if isinstance(node, list):
        return [without_examples(value) for value in node]
    return node


def cut(whole: dict[str, Any]) -> dict[str, Any]:
    """The used operations and, transitively, the components they refer to."""
    paths = {
        path: {verb: whole["paths"][path][verb] for verb in verbs} for path, verbs in USED.items()
    }
    paths = without_examples(paths)
    components = without_examples(whole["components"])
    wanted: dict[str, dict[str, Any]] = {"securitySchemes": components["securitySchemes"]}
    queue = list(refs(paths))
    while queue:
        _, _, section, name = queue.pop().split("/")
        if name not in wanted.setdefault(section, {}):
            wanted[section][name] = components[section][name]
            queue.extend(refs(components[section][name]))
    ordered = {section: dict(sorted(wanted[section].items())) for section in sorted(wanted)}
    return {
        "openapi": whole["openapi"],
        "info": whole["info"],
        "servers": whole["servers"],
        "paths": paths,
        "components": ordered,
    }


def main() -> None:
    whole = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.stdout.write(HEADER.format(version=whole["info"]["version"]) + "\n")
    yaml.safe_dump(cut(whole), sys.stdout, allow_unicode=True, sort_keys=False, width=100)


if __name__ == "__main__":
    main()
