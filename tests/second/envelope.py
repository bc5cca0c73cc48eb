"""DSSE envelopes in their one form, and how many of a role's keys it takes.

An envelope is its own compact spelling with a line end behind it; so is its payload, without one.
"""

import hashlib

import curve
import strict
from answer import Malformed, Refused, need
from forms import decode64, is_digest
from shape import listing, record, text

BYTES_MAX = 1 << 20
SIGNATURES_MAX = 16
KEYS_MAX = 256
SKEW = 300

ENVELOPE = record(payloadType=text(), payload=text(), signatures=listing(record(keyid=text(), sig=text())))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Envelope:
    """In canonical form, and of the wanted payload type; nobody looked at signatures or payload yet."""

    def __init__(self, data, payload_type, bytes_max=BYTES_MAX):
        need(len(data) <= bytes_max, "package")
        try:
            outer = ENVELOPE(strict.read(data), True)
            need(strict.text_of(outer).encode() + b"\n" == data, "envelope")
            need(outer["payloadType"] == payload_type, "envelope")
            self.payload = decode64(outer["payload"])
        except Malformed as error:
            raise Refused("envelope") from error
        self.signatures = [(one["keyid"], one["sig"]) for one in outer["signatures"]]
        ids = [keyid for keyid, _ in self.signatures]
        need(1 <= len(ids) <= SIGNATURES_MAX and len(set(ids)) == len(ids), "envelope")
        need(all(is_digest(keyid) for keyid in ids), "envelope")
        head = f"DSSEv1 {len(payload_type.encode())} {payload_type} {len(self.payload)} "
        self.message = head.encode() + self.payload
        self.sha256 = sha256(data)

    def signers(self, keys, otherwise):
        """Who of these keys (by id) signed, in order. Each signature of theirs must hold; `otherwise` is the family of
        a signature by another key, or nothing if that does not matter."""
        found = []
        for keyid, sig in self.signatures:
            if keyid not in keys:
                need(otherwise is None, otherwise)
                continue
            try:
                holds = curve.verifies(keys[keyid], self.message, decode64(sig))
            except Malformed:
                holds = False
            need(holds, "signature")
            found.append(keyid)
        return found

    def says(self, shape, kind, predicate_type=None):
        """What it says, and how it spells that; read only now that somebody who counts has vouched for it."""
        try:
            value = strict.read(self.payload)
            read = shape(value, True)
            need(value["_type"] == kind and value.get("predicateType") == predicate_type, "envelope")
            need(strict.text_of(value).encode() == self.payload, "envelope")
        except Malformed as error:
            raise Refused("envelope") from error
        return read, value


class Key:
    """A key in a role: whose it is and when it counts. Both ends belong to the time in force."""

    def __init__(self, public, owner, not_before=None, not_after=None, signs_until=None):
        self.public, self.owner, self.id = public, owner, sha256(public)
        self.not_before, self.not_after, self.signs_until = not_before, not_after, signs_until

    def fault(self, signed_at, now):
        """`early`, `ended` or `late`, if a signature of that time does not count now."""
        if self.not_before is not None and min(now, signed_at) < self.not_before:
            return "early"
        if self.not_after is not None and max(now, signed_at) > self.not_after:
            return "ended"
        return "late" if self.signs_until is not None and signed_at > self.signs_until else None


def public_key(text):
    """The 32 bytes of a key that is worth verifying with."""
    data = decode64(text)
    if not curve.is_usable(data):
        raise Malformed("key")
    return data


class Role:
    """So many of these keys, or of different owners."""

    def __init__(self, threshold, keys, independent=False):
        self.threshold, self.independent, self.keys = threshold, independent, {key.id: key for key in keys}
        need(1 <= len(keys) <= KEYS_MAX and len(self.keys) == len(keys), "role")
        need(1 <= threshold <= self.different(self.keys), "role")

    def publics(self):
        return {keyid: key.public for keyid, key in self.keys.items()}

    def different(self, ids):
        return len({self.keys[one].owner if self.independent else one for one in ids if one in self.keys})

    def is_enough(self, signed, now, revoked=lambda keyid, at: False):
        """`signed`: pairs of key id and time."""
        count = [
            keyid
            for keyid, at in signed
            if keyid in self.keys and not self.keys[keyid].fault(at, now) and not revoked(keyid, at)
        ]
        return self.different(count) >= self.threshold
