"""Secrets by their names: words that the host replaces in headers, on the way out. Permission: `secrets.use`."""

from wit_world.imports import secrets as _host


def word(name: str) -> str:
    """Stands for the secret, in values of headers and for the host that it is bound to."""
    return _host.placeholder(name)


def bearer(name: str) -> dict[str, str]:
    """The header `authorization: Bearer ..`: `http.get(url, headers=secrets.bearer("token"))`."""
    return {"authorization": f"Bearer {word(name)}"}


def basic(user: str, name: str) -> dict[str, str]:
    """The header `authorization: Basic ..` of RFC 7617."""
    return {"authorization": f"Basic {_host.basic(user, name)}"}


def hmac_sha256(name: str, message: str | bytes, encoding: str = "hex") -> str:
    """Stands for the HMAC of a message by the secret, in `hex` or `base64`."""
    content = message.encode() if isinstance(message, str) else message
    return _host.hmac_sha256(name, content, _host.Encoding[encoding.upper()])
