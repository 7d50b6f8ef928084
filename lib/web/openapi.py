"""The API's description as OpenAPI 3.1, which `/api/v1/openapi.json` returns.

It is written by hand. A test sends requests by it to a running server, so that it stays true.
"""

from typing import Any, TypeAlias

_Json: TypeAlias = dict[str, Any]

_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")


def _ref(kind: str, name: str) -> _Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _json(schema: _Json) -> _Json:
    return {"application/json": {"schema": schema}}


def _header(description: str, **schema: Any) -> _Json:  # noqa: ANN401 - JSON Schema
    return {"description": description, "required": True, "schema": {"type": "string"} | schema}


def _problem(description: str, headers: _Json | None = None) -> _Json:
    return {
        "description": description,
        "headers": headers or {},
        "content": _json(_ref("schemas", "Problem")),
    }


_CHALLENGE = {"WWW-Authenticate": _header("How to sign in (RFC 9110, section 11.6.1)")}
_LATER = {"Retry-After": _header("Seconds to wait before the next try", pattern="^[1-9][0-9]*$")}

_RESPONSES = {
    "BadForm": _problem(
        "The form has no field `token`, or two, or one that is not UTF-8; or credentials are in the"
        " form and in HTTP Basic."
    ),
    "NoService": _problem("The service's credentials are missing or wrong.", _CHALLENGE),
    "TooLarge": _problem("The body is larger than 64 KiB."),
    "NoForm": _problem("The body has another content type."),
    "NoDatabase": _problem("The database does not answer. Nothing was done.", _LATER),
}

_FAULTS = {
    "400": _ref("responses", "BadForm"),
    "401": _ref("responses", "NoService"),
    "413": _ref("responses", "TooLarge"),
    "415": _ref("responses", "NoForm"),
    "503": _ref("responses", "NoDatabase"),
}

_TOKEN_FORM = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["token"],
                "properties": {
                    "token": {
                        "type": "string",
                        "minLength": 1,
                        "description": "The token. White space around it is removed.",
                    },
                },
                # Such as `token_type_hint`.
                "additionalProperties": {"type": "string", "description": "Ignored."},
            }
        }
    },
}

_PROBLEM = {
    "type": "object",
    "description": "An error, in the form of RFC 6749, section 5.2.",
    "required": ["error", "error_description"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
    "additionalProperties": False,
}

_INACTIVE = {
    "type": "object",
    "description": "Any other token: ended, expired, unknown, or of another service.",
    "required": ["active"],
    "properties": {"active": {"const": False}},
    "additionalProperties": False,
}

_TEXT = {"type": "string", "minLength": 1}
_SECONDS = {"type": "integer", "minimum": 0, "description": "Seconds since 1970 in UTC."}
_ACTIVE = {
    "type": "object",
    "description": "A token of the calling service that is good now.",
    "required": [
        "active",
        "sub",
        "username",
        "client_id",
        "organization_id",
        "service",
        "token_type",
        "iat",
        "jti",
    ],
    "properties": {
        "active": {"const": True},
        "sub": _TEXT,
        "username": _TEXT,
        "client_id": _TEXT,
        "organization_id": _TEXT,
        "service": _TEXT,
        "token_type": {"const": "Bearer"},
        "iat": _SECONDS,
        "exp": _SECONDS,
        "jti": _TEXT,
    },
    "additionalProperties": False,
}

_OF_SERVICE = "/api/v1/services/{service_id}"
_SERVICE_IN_QUERY = {
    "name": "service",
    "in": "query",
    "description": "Take tokens of this service only.",
    "schema": {"type": "string"},
}
_SERVICE_IN_PATH = {
    "name": "service_id",
    "in": "path",
    "required": True,
    "description": "Take tokens of this service only.",
    "schema": {"type": "string", "minLength": 1},
    "example": "erecording",
}
_REST = {
    "name": "rest",
    "in": "path",
    "required": True,
    "description": "The path that the gateway's client requests, with slashes. It is ignored, and"
    " so is the query string, which comes from the client too. It may be empty.",
    "schema": {"type": "string"},
}


def _status(word: str) -> _Json:
    return {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": word}},
        "additionalProperties": False,
    }


def _answered(description: str, *schemas: _Json) -> _Json:
    """Return a response whose JSON body matches one of `schemas`."""
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    return {"description": description, "content": _json(schema)}


def _verify(method: str, name: str, *parameters: _Json) -> _Json:
    return {
        "operationId": f"{name}_{method}",
        "summary": "Is the token of this request good?",
        "description": "For gateways, with any method. Two tokens, or none, are answered with 401;"
        " the same one in both headers counts once.",
        "parameters": list(parameters),
        "security": [{"token": []}],
        "responses": {
            "200": {
                "description": "The token is good. There is no body. Characters beyond ASCII are"
                " percent-encoded in the headers.",
                "headers": {
                    "X-Token-Username": _header("The username of the token's user"),
                    "X-Organization-ID": _header("The token's organization"),
                    "X-Token-Service": _header("The token's service"),
                },
            },
            "401": _problem("The token is not good, or there is none.", _CHALLENGE),
            "503": _ref("responses", "NoDatabase"),
        },
    }


def _verify_path(name: str, *parameters: _Json) -> _Json:
    """Return one path of verify, with every method."""
    return {method: _verify(method, name, *parameters) for method in _METHODS}


_PATHS = {
    "/api/v1/introspect": {
        "post": {
            "operationId": "introspect",
            "summary": "Is this token good, and whose is it? (RFC 7662)",
            "security": [{"service": []}],
            "requestBody": _TOKEN_FORM,
            "responses": {
                "200": _answered(
                    "The facts about the token.",
                    _ref("schemas", "Active"),
                    _ref("schemas", "Inactive"),
                ),
                **_FAULTS,
            },
        }
    },
    "/api/v1/verify": _verify_path("verify", _SERVICE_IN_QUERY),
    "/api/v1/verify/{rest}": _verify_path("verify_behind", _REST),
    f"{_OF_SERVICE}/verify": _verify_path("verify_of_service", _SERVICE_IN_PATH),
    f"{_OF_SERVICE}/verify/{{rest}}": _verify_path(
        "verify_of_service_behind", _SERVICE_IN_PATH, _REST
    ),
    "/api/v1/revoke": {
        "post": {
            "operationId": "revoke",
            "summary": "End this token (RFC 7009)",
            "description": "A service can end its own tokens. If TOKEN_DESK_OPEN_REVOKE is set,"
            " whoever has a token can end it without credentials.",
            "security": [{"service": []}],
            "requestBody": _TOKEN_FORM,
            "responses": {
                "200": _answered(
                    "The token has ended, or there was none.",
                    {"type": "object", "additionalProperties": False},
                ),
                **_FAULTS,
            },
        }
    },
    "/api/v1/openapi.json": {
        "get": {
            "operationId": "describe",
            "summary": "This description",
            "responses": {"200": _answered("OpenAPI 3.1.", {"type": "object"})},
        }
    },
    "/healthz": {
        "get": {
            "operationId": "healthz",
            "summary": "Does the process answer?",
            "responses": {"200": _answered("The process answers.", _status("ok"))},
        }
    },
    "/readyz": {
        "get": {
            "operationId": "readyz",
            "summary": "Does the database answer, and has it the newest tables?",
            "responses": {
                "200": _answered("The database is ready.", _status("ready")),
                "503": _answered(
                    "The database is not ready.", _status("migrating"), _ref("schemas", "Problem")
                ),
            },
        }
    },
}

DOCUMENT: _Json = {
    "openapi": "3.1.0",
    "info": {
        "title": "Token Desk",
        "version": "1",
        "description": "Verification of API tokens, for the services that accept them.",
    },
    "paths": _PATHS,
    "components": {
        "schemas": {"Problem": _PROBLEM, "Active": _ACTIVE, "Inactive": _INACTIVE},
        "responses": _RESPONSES,
        "securitySchemes": {
            "service": {
                "type": "http",
                "scheme": "basic",
                "description": "A service's client id and secret, percent-encoded (RFC 6749,"
                " section 2.3.1). Alternatively, `client_id` and `client_secret` in the form.",
            },
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "Alternatively, the header in the setting TOKEN_DESK_TOKEN_HEADER.",
            },
        },
    },
}
