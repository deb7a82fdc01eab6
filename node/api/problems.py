"""Errors of the HTTP API: one shape (RFC 9457), one table of stable codes, no other way to fail.

Every answer that is not a success is `application/problem+json` with a `code` that never changes
its meaning.  Refusals of the ledger carry the ledger's own code; their status comes from the table
here, or 422 when the ledger has learnt a refusal that the table does not know yet.
"""

import logging
from collections.abc import Mapping, Sequence

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from node.api.codes import KINDS, REFUSED

PROBLEM_TYPE = "application/problem+json"
DETAIL_MAX = 500
"""Characters of a `detail`: an answer must not grow with what a stranger sent."""

log = logging.getLogger("twinchain.api")


class FieldError(msgspec.Struct, frozen=True):
    """One wrong place: `where` is a path such as `query.limit`, `body` or a check's name."""

    where: str
    message: str


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a refusal, as RFC 9457 wants it plus `code`, `hint` and `errors`."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    errors: tuple[FieldError, ...] = ()
    hash: str = ""


class Problem(Exception):
    """A refusal on its way to the client; `code` decides status, title and hint.

    subject: the transaction it is about, where the client needs its hash.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        subject: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.code = str(code)
        self.detail = _shown(detail)
        self.errors = tuple(errors)
        self.subject = subject
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        return KINDS.get(self.code, REFUSED).status

    def document(self) -> ProblemDocument:
        """The body for the client."""
        kind = KINDS.get(self.code, REFUSED)
        return ProblemDocument(
            type=f"/docs#problem-{self.code}",
            title=kind.title,
            status=kind.status,
            code=self.code,
            detail=self.detail,
            hint=kind.hint,
            errors=self.errors,
            hash=self.subject.hex(),
        )

    def response(self) -> Response:
        """The whole answer.  Refusals for lack of room say when to come back."""
        headers = dict(self.headers)
        if self.status in (429, 503):
            headers.setdefault("Retry-After", "1")
        headers.setdefault("Cache-Control", "no-store")
        body = msgspec.json.encode(self.document())
        return Response(body, self.status, headers, PROBLEM_TYPE)


def not_found(what: str) -> Problem:
    """There is no such thing; `what` is a phrase such as "block 17"."""
    return Problem("not_found", f"There is no {what} here.")


def invalid(where: str, message: str) -> Problem:
    """A parameter or body of the wrong form."""
    return Problem("validation_error", f"{where}: {message}", errors=[FieldError(where, message)])


async def answer_problem(_request: Request, error: Exception) -> Response:
    """Handler for Problem."""
    return error.response() if isinstance(error, Problem) else internal_error(error)


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Handler for what the router raises itself: unknown route, wrong method."""
    if not isinstance(error, HTTPException):
        return internal_error(error)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        allowed = headers.get("Allow", "other methods")
        detail = f"This route answers {allowed}, not {request.method[:16]}."
        return Problem("method_not_allowed", detail, headers=headers).response()
    if error.status_code == 404:
        return Problem("not_found", "There is no such route.", headers=headers).response()
    return Problem("validation_error", str(error.detail), headers=headers).response()


async def answer_validation(_request: Request, error: Exception) -> Response:
    """Handler for parameters that do not fit their declared form: 400, not FastAPI's 422."""
    describe = getattr(error, "errors", None)
    if describe is None:
        return internal_error(error)
    errors = [
        FieldError(".".join(_shown(str(part)) for part in item["loc"]), _shown(item["msg"]))
        for item in list(describe())[:20]
    ]
    detail = "; ".join(f"{item.where}: {item.message}" for item in errors)
    return Problem("validation_error", detail, errors=errors).response()


def internal_error(error: BaseException) -> Response:
    """A bug: logged in full here, told to the client without a word of what was inside."""
    log.error("request failed unexpectedly", exc_info=error)
    return Problem("internal_error", "The request could not be answered.").response()


def _shown(text: str) -> str:
    """`text` in one bounded line: no control characters, no lone surrogates."""
    if text.isascii() and text.isprintable():
        return text[:DETAIL_MAX]
    clean = "".join(char if char.isprintable() else "?" for char in text[:DETAIL_MAX])
    return clean.encode("utf-8", "replace").decode("utf-8")
