"""ed25519, strictly: which 32 bytes are a point worth using, and which 64 bytes are a signature by it.

The arithmetic is that of RFC 8032, section 5.1.4, in extended coordinates; the equation itself is checked by the
package `cryptography`.
"""

import functools

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def decompress(data):
    """The point of these bytes, if they are its one encoding."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(one):
    a, b = one[0] * one[0] % P, one[1] * one[1] % P
    h = a + b
    e, g = h - (one[0] + one[1]) ** 2 % P, a - b
    f = 2 * one[2] * one[2] % P + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def is_identity(point):
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


@functools.lru_cache(maxsize=None)
def is_usable(data):
    """True of the one encoding of a point that has the order of the group."""
    point = decompress(data) if len(data) == 32 else None
    if point is None or is_identity(point):
        return False
    result = (0, 1, 1, 0)
    for bit in bin(L)[2:]:
        result = double(result)
        if bit == "1":
            result = add(result, point)
    return is_identity(result)


def verifies(key, message, signature):
    """True if these 64 bytes are the one signature of that key over the message."""
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= L:
        return False
    if not is_usable(key) or not is_usable(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
