"""Requests that a service answers: `handle(request: Request) -> Response`. Permission: `wasi.http_types`.

A fresh instance for each request. What is thrown is logged and answered with 500, without its text. At most 1 MiB comes in.
"""

import json as _json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from componentize_py_types import Err, Ok
from wit_world.imports import w4si_http_types as wire
from wit_world.imports.streams import StreamError_Closed

from orch_sdk import log
from orch_sdk.call import failed
from orch_sdk.failure import Failure

BODY_BYTES_MAX = 1024 * 1024
_READ_BYTES = 65536
_WRITE_BYTES_MAX = 4096


@dataclass
class Request:
    """What a client asks. `query`: what follows the first `?`, as it came; names of headers in small letters."""

    method: str
    path: str
    query: str | None
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return _json.loads(self.content)


class Response:
    """What the client gets: text as UTF-8, or bytes."""

    def __init__(
        self,
        content: str | bytes = b"",
        status: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
    ) -> None:
        is_text = isinstance(content, str)
        self.content = content.encode() if isinstance(content, str) else content
        self.status = status
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        if content_type is not None or (is_text and "content-type" not in self.headers):
            self.headers["content-type"] = content_type or "text/plain; charset=utf-8"

    @classmethod
    def json(cls, value: Any, status: int = 200, *, headers: Mapping[str, str] | None = None) -> "Response":
        return cls(_json.dumps(value), status, headers=headers, content_type="application/json")


class _Unread(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


def serve(function: Any, incoming: wire.IncomingRequest, answer: wire.ResponseOutparam) -> None:
    """One request. The entry that `orch-plugin build` writes uses it."""
    log._begin()
    try:
        response = function(_read(incoming))
        if not isinstance(response, Response):
            raise TypeError(f"`handle` gave a `{type(response).__name__}` and no `Response`")
        outgoing = _outgoing(response)
    except _Unread as unread:
        response = Response("the request could not be read\n", unread.status)
        outgoing = _outgoing(response)
    except BaseException as error:
        if isinstance(error, Failure):
            log.error(error.message)
        else:
            failed(error)
        response = Response("the service failed\n", 500)
        outgoing = _outgoing(response)
    finally:
        log._end()
    body = outgoing.body()
    wire.ResponseOutparam.set(answer, Ok(outgoing))
    _send(body, response.content)


def _read(incoming: wire.IncomingRequest) -> Request:
    path, mark, query = (incoming.path_with_query() or "/").partition("?")
    with incoming.headers() as fields:
        headers = {name.lower(): value.decode("latin-1") for name, value in fields.entries()}
    method = incoming.method()
    word = method.value if isinstance(method, wire.Method_Other) else type(method).__name__.removeprefix("Method_").upper()
    content, fault = bytearray(), None
    body = incoming.consume()
    with body.stream() as stream:
        while fault is None and len(content) <= BODY_BYTES_MAX:
            try:
                content += stream.blocking_read(_READ_BYTES)
            except Err as error:
                fault = error.value
    wire.IncomingBody.finish(body).__exit__(None, None, None)
    if len(content) > BODY_BYTES_MAX:
        raise _Unread(413)
    if not isinstance(fault, StreamError_Closed):
        raise _Unread(400)
    return Request(word, path, query if mark else None, headers, bytes(content))


def _outgoing(response: Response) -> wire.OutgoingResponse:
    named = [(name, value.encode()) for name, value in response.headers.items()]
    try:
        outgoing = wire.OutgoingResponse(wire.Fields.from_list(named))
    except Err:
        raise ValueError("the response has a header that is not allowed") from None
    try:
        outgoing.set_status_code(response.status)
    except Err:
        raise ValueError(f"the response has the status {response.status}, which does not exist") from None
    return outgoing


def _send(body: wire.OutgoingBody, content: bytes) -> None:
    try:
        with body.write() as stream:
            for at in range(0, len(content), _WRITE_BYTES_MAX):
                stream.blocking_write_and_flush(content[at : at + _WRITE_BYTES_MAX])
    except Err:
        # The client went away, or the host's limit was reached: the body ends here, unfinished.
        log.warn("the response could not be sent to its end")
        body.__exit__(None, None, None)
        return
    try:
        wire.OutgoingBody.finish(body, None)
    except Err:
        log.warn("the response's body is not as long as its `content-length` says")
