"""Answers of the API to requests that never become an operation: JSON as the GraphQL specification has it."""

from __future__ import annotations

import json

from django.http import JsonResponse

# The codes of answers that no operation gives.
CODES = {
    400: "BAD_REQUEST",
    403: "CSRF_FAILED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    408: "TIMEOUT",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL",
    503: "INTERNAL",
}
JSON = "application/json"
# Strict clients ask for it: its status says whether the operation was carried out.
RESPONSE_JSON = "application/graphql-response+json"


def is_api(path: str) -> bool:
    """Tell whether an address is the API's."""
    return path in {"/graphql", "/graphql/"}


def failed_request(message: str, code: str) -> dict[str, object]:
    """Return the body of an answer to a request that was not carried out: errors, and no data."""
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def failure(status: int, message: str, code: str = "", *, media_type: str = JSON) -> JsonResponse:
    """Return the answer. Its code is that of the status, unless another is given."""
    content = failed_request(message, code or CODES[status])
    return JsonResponse(content, status=status, content_type=f"{media_type}; charset=utf-8")


def failure_bytes(status: int, message: str) -> bytes:
    """Return the body alone, where Django has not come into play yet."""
    return json.dumps(failed_request(message, CODES[status])).encode()
