"""The OpenAPI description: what FastAPI derives, plus the hot routes it does not see."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from auction.handlers import ACTIONS as MARKET_ACTIONS
from ledger.native import ACTIONS as NATIVE_ACTIONS
from node.api.codes import KINDS
from node.api.schemas import ERRORS, Page, ProblemModel, Reply, SubmittedModel

ENVELOPE_EXAMPLE: dict[str, object] = {
    "actions": [{"amount_micro": 1500000, "memo": "", "to": "3b" * 32, "type": "transfer"}],
    "chain": "twinchain-local",
    "expires": 0,
    "from": "9f" * 32,
    "nonce": 0,
    "sig": "00" * 64,
}
DESCRIPTION = """\
A node of the Digital-Twin-as-a-Service market.  Money is in micro-tokens, shares in parts per
million, satisfaction in basis points, time in heights or milliseconds; there are no fractions.
Every error is `application/problem+json` with a stable `code`.
"""
ACTIONS = (*NATIVE_ACTIONS, *MARKET_ACTIONS)
CODE = {"type": "string", "enum": sorted(KINDS)}


def describe(app: FastAPI) -> dict[str, Any]:
    """Build the description once."""
    document: dict[str, Any] = get_openapi(
        title="TwinChain", version=app.version, description=DESCRIPTION, routes=app.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (ProblemModel, Reply[SubmittedModel], Reply[list[SubmittedModel]], Page[Any]):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, definition in schema.pop("$defs", {}).items():
            schemas.setdefault(name, definition)
        schemas.setdefault(schema["title"].replace("[", "_").replace("]", "_"), schema)
    references, actions = msgspec.json.schema_components(
        ACTIONS, ref_template="#/components/schemas/{name}"
    )
    schemas.update({name: _whole(schema) for name, schema in actions.items()})
    schemas["Envelope"] = _envelope(list(references))
    schemas["Code"] = CODE
    paths = document["paths"]
    paths["/v1/txs"] = {"post": _submit("submit_transactions", "Submit transactions")}
    paths["/v1/txs:check"] = {"post": _submit("check_transactions", "Check without keeping")}
    for methods in paths.values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
    return document


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """On the wire every field is present, also one that has a default in the program."""
    properties = schema.get("properties")
    return {**schema, "required": sorted(properties)} if properties else schema


def _envelope(actions: list[dict[str, Any]]) -> dict[str, object]:
    return {
        "type": "object",
        "description": "A signed envelope in canonical JSON; see docs/api.md.",
        "required": ["actions", "chain", "expires", "from", "nonce", "sig"],
        "additionalProperties": False,
        "properties": {
            "actions": {
                "type": "array",
                "minItems": 1,
                "maxItems": 64,
                "items": {"oneOf": actions},
            },
            "chain": {"type": "string"},
            "expires": {"type": "integer", "minimum": 0},
            "from": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "nonce": {"type": "integer", "minimum": 0},
            "sig": {"type": "string", "pattern": "^[0-9a-f]{128}$"},
        },
        "example": ENVELOPE_EXAMPLE,
    }


def _submit(operation: str, summary: str) -> dict[str, object]:
    one = {"$ref": "#/components/schemas/Envelope"}
    answer = {"$ref": "#/components/schemas/Reply_SubmittedModel_"}
    answers = {"$ref": "#/components/schemas/Reply_list_SubmittedModel__"}
    content = {"application/json": {"schema": {"oneOf": [answer, answers]}}}
    location = {"description": "Where to follow it.", "schema": {"type": "string"}}
    responses: dict[str, object] = {
        "200": {"description": "Known already; its status.", "content": content},
        "202": {
            "description": "Accepted, at least one of them.",
            "headers": {"Location": location},
            "content": content,
        },
        **{str(code): value for code, value in ERRORS.items()},
    }
    return {
        "tags": ["transactions"],
        "summary": summary,
        "operationId": operation,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [one, {"type": "array", "items": one, "minItems": 1}]},
                    "example": ENVELOPE_EXAMPLE,
                }
            },
        },
        "responses": responses,
    }
