"""HTTP to others. Permission: `http`, each request by one of its rules. Requests are effects, also those that only read.

A secret's word (`wit_world.imports.secrets`) stands for the secret in a header; the host fills it in on the way.
"""

import json as _json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from componentize_py_types import Err
from wit_world.imports import outgoing_handler
from wit_world.imports import w4si_http_types as wire
from wit_world.imports.streams import StreamError_Closed

_URL = re.compile(r"(https?)://([^/?#]+)([^#]*)", re.IGNORECASE)
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
_WRITE_BYTES_MAX = 4096
_READ_BYTES = 65536
ANSWER_BYTES_MAX = 16 * 1024 * 1024
_SENT_TWICE = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
_NOT_SENT = ("DnsTimeout", "DnsError", "ConnectionRefused", "DestinationUnavailable", "ConnectionTimeout")


class HttpError(Exception):
    """Why a request has no answer. `fault`: the word of `wasi:http` (`HttpRequestDenied`), or what is wrong."""

    def __init__(self, method: str, url: str, fault: str) -> None:
        super().__init__(f"{method} {re.split('[?#]', url)[0]}: {fault}")
        self.fault = fault
        # The same request may succeed later, and nothing can happen twice by it.
        self.retriable = fault in _NOT_SENT or (fault == "closed" and method in _SENT_TWICE)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return _json.loads(self.content)


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: str | bytes = b"",
    json: Any = None,
    timeout: float | None = None,
    bytes_max: int = ANSWER_BYTES_MAX,
) -> Answer:
    """Sends a request and waits for the whole answer, `timeout` in seconds. Redirects are not followed."""
    method = method.upper()
    found = _URL.match(url)
    if found is None:
        raise HttpError(method, url, "it is no `http://` or `https://` address")
    content = _json.dumps(json).encode() if json is not None else body.encode() if isinstance(body, str) else body
    named = [(name.lower(), value) for name, value in (headers or {}).items()]
    if json is not None:
        named.append(("content-type", "application/json"))
    if content or method in ("POST", "PUT", "PATCH"):
        named.append(("content-length", str(len(content))))
    try:
        fields = wire.Fields.from_list([(name, value.encode()) for name, value in named])
        outgoing = wire.OutgoingRequest(fields)
        known = method in _METHODS
        outgoing.set_method(getattr(wire, f"Method_{method.capitalize()}")() if known else wire.Method_Other(method))
        outgoing.set_scheme(wire.Scheme_Https() if found[1].lower() == "https" else wire.Scheme_Http())
        outgoing.set_authority(found[2])
        outgoing.set_path_with_query(found[3] if found[3].startswith("/") else f"/{found[3]}")
        upload = outgoing.body()
        future = outgoing_handler.handle(outgoing, _within(timeout))
        with future:
            _send(upload, content)
            return _receive(_answered(future), bytes_max)
    except Err as error:
        fault = type(error.value).__name__.removeprefix("ErrorCode_") if error.value is not None else "it cannot be sent"
        raise HttpError(method, url, fault) from None
    except _Broken as broken:
        raise HttpError(method, url, str(broken)) from None


def get(url: str, **options: Any) -> Answer:
    return request("GET", url, **options)


def post(url: str, **options: Any) -> Answer:
    return request("POST", url, **options)


class _Broken(Exception):
    pass


def _within(timeout: float | None) -> wire.RequestOptions | None:
    if timeout is None:
        return None
    options = wire.RequestOptions()
    nanoseconds = max(1, round(timeout * 1e9))
    options.set_connect_timeout(nanoseconds)
    options.set_first_byte_timeout(nanoseconds)
    options.set_between_bytes_timeout(nanoseconds)
    return options


def _send(upload: wire.OutgoingBody, content: bytes) -> None:
    """What is opened is given back in its order: a stream before its body."""
    try:
        with upload.write() as stream:
            for at in range(0, len(content), _WRITE_BYTES_MAX):
                stream.blocking_write_and_flush(content[at : at + _WRITE_BYTES_MAX])
    except Err:
        # Who answers before it has everything has answered.
        upload.__exit__(None, None, None)
        return
    wire.OutgoingBody.finish(upload, None)


def _answered(future: wire.FutureIncomingResponse) -> wire.IncomingResponse:
    with future.subscribe() as ready:
        ready.block()
    outer = future.get()
    inner = getattr(outer, "value", None)
    if isinstance(inner, Err) or isinstance(outer, Err):
        raise inner if isinstance(inner, Err) else _Broken("closed")
    if inner is None:
        raise _Broken("closed")
    return inner.value


def _receive(response: wire.IncomingResponse, bytes_max: int) -> Answer:
    with response:
        status = response.status()
        with response.headers() as fields:
            headers = {name.lower(): value.decode("latin-1") for name, value in fields.entries()}
        body = response.consume()
    content = bytearray()
    fault = None
    with body.stream() as stream:
        while fault is None and len(content) <= bytes_max:
            try:
                content += stream.blocking_read(_READ_BYTES)
            except Err as error:
                fault = error.value
    wire.IncomingBody.finish(body).__exit__(None, None, None)
    if len(content) > bytes_max:
        raise _Broken(f"more than {bytes_max} bytes")
    if not isinstance(fault, StreamError_Closed):
        raise _Broken("the answer broke off")
    return Answer(status, headers, bytes(content))
