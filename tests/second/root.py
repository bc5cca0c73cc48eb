"""The trust root, what it says of freshness and revocations, and what a host has seen before.

Roots come as a chain: a person said the hash of the first, each next one is signed by enough keys of the one before and
by enough of its own.
"""

import base64

import permissions
from answer import Malformed, Refused, form, need
from envelope import SKEW, Envelope, Key, Role, public_key
from forms import is_digest, is_id, is_plain, period, time, version_range
from shape import U32, U64, Maybe, flag, kept, listing, mapping, one_of, parsed, record, text, variant

DIGEST, ID, RANGE, TIME, PERIOD = text(is_digest), text(is_id), kept(version_range), parsed(time), parsed(period)
LEVELS = ("local", "certified")
ROLES = listing(one_of("planner", "executor", "reflector", "auditor", "verifier", "guard", "provider", "service"))
JOB = record(repository=text(), workflow=text())
KEYS = dict(threshold=U32, keyids=listing(DIGEST))
CERTIFIERS = record(
    threshold=U32,
    independent=flag,
    keys=listing(record(keyid=DIGEST, level=one_of(*LEVELS))),
    jobs=Maybe(listing(record(job=JOB, owner=text(), level=one_of(*LEVELS)), 1)),
)
ROOT = record(
    _type=text(),
    version=U64,
    previousSha256=Maybe(DIGEST),
    issued=TIME,
    expires=TIME,
    keys=mapping(
        DIGEST,
        record(
            alg=one_of("ed25519"),
            public=text(),
            owner=text(),
            custody=Maybe(one_of("file", "ssh-agent", "pkcs11", "exec")),
            notBefore=Maybe(TIME),
            notAfter=Maybe(TIME),
        ),
    ),
    roles=record(
        **{
            "root": record(**KEYS),
            "certifier": CERTIFIERS,
            "revoker": record(**KEYS),
            "freshness": record(**KEYS, maxAge=PERIOD, offlineGrace=PERIOD),
            "ci-issuer": Maybe(record(**KEYS, maxLifetime=PERIOD)),
        }
    ),
    namespaces=listing(
        record(
            prefix=text(),
            publisher=record(**KEYS),
            terminating=flag,
            roles=ROLES,
            maxPermissions=permissions.SHAPE,
            jobs=Maybe(listing(JOB, 1)),
        )
    ),
)
FRESHNESS = record(_type=text(), version=U64, issued=TIME, expires=TIME, revocations=record(version=U64, sha256=DIGEST))
WHAT = variant(
    file=record(sha256=DIGEST),
    release=record(id=ID, versions=RANGE),
    key=record(keyid=DIGEST, invalidAfter=TIME),
    certifier=record(name=text(), versions=RANGE, check=Maybe(text())),
    advisory=record(advisory=text(), crate=text(), versions=RANGE),
)
REVOCATIONS = record(
    _type=text(),
    version=U64,
    issued=TIME,
    expires=TIME,
    entries=listing(record(what=WHAT, action=one_of("warn", "recertify", "block-load", "kill"), reason=text())),
)
MINUTES = 60
STEP_MAX, FIRST_MAX = 1_000_000_000, 1 << 40


class Root:
    """A root that is authentic and holds together."""

    def __init__(self, data, now, said=None, before=None):
        envelope = Envelope(data, "application/vnd.orch.trust-root+json")
        self.sha256 = envelope.sha256
        if before is None:
            need(said == self.sha256, "root")
        else:
            ours = envelope.signers(before.role.publics(), None)
            need(before.role.is_enough([(keyid, now) for keyid in ours], now), "root")
        self.document, _ = envelope.says(ROOT, "trust-root/v1")
        document = self.document
        if before is not None:
            need(document["version"] == before.document["version"] + 1, "root")
            need(document.get("previousSha256") == before.sha256, "root")
        try:
            self.hold_together()
        except Malformed as error:
            raise Refused("root") from error
        known = {**(before.role.publics() if before else {}), **self.role.publics()}
        # Who signed as a key of a version before that is not here is nobody's to say.
        later_alone = before is None and document["version"] > 1
        signers, issued = envelope.signers(known, None if later_alone else "root"), document["issued"]
        need(issued <= now + SKEW, "root")
        need(self.role.is_enough([(keyid, issued) for keyid in signers], now), "root")

    def check_in_force(self, now):
        need(now <= self.document["expires"], "root")

    def hold_together(self):
        document = self.document
        form(document["version"] >= 1 and (document["version"] == 1) == ("previousSha256" not in document), "version")
        form(document["expires"] > document["issued"], "expires")
        keys = {}
        for keyid, said in document["keys"].items():
            form(is_line(said["owner"]), "owner")
            key = Key(public_key(said["public"]), said["owner"], said.get("notBefore"), said.get("notAfter"))
            form(key.id == keyid, "key id")
            keys[keyid] = key

        def role(said, ids=None, independent=False):
            ids = said["keyids"] if ids is None else ids
            need(all(keyid in keys for keyid in ids), "role")
            return Role(said["threshold"], [keys[keyid] for keyid in ids], independent)

        roles = document["roles"]
        said = roles["certifier"]
        self.certifier = role(said, [one["keyid"] for one in said["keys"]], said["independent"])
        self.levels = {one["keyid"]: one["level"] for one in said["keys"]}
        self.certifier_jobs = said.get("jobs", [])
        self.issuer = None
        if "ci-issuer" in roles:
            form(roles["ci-issuer"]["maxLifetime"] <= 15 * MINUTES, "maxLifetime")
            self.issuer = role(roles["ci-issuer"])
        namespaces = document["namespaces"]
        prefixes = [entry["prefix"] for entry in namespaces]
        form(len(namespaces) <= 1024 and len(set(prefixes)) == len(prefixes), "namespaces")
        for entry in namespaces:
            form(entry["prefix"].endswith("/") and entry["terminating"], "prefix")
            name = entry["prefix"][:-1]
            form(is_id(name if "/" in name else f"{name}/x"), "prefix")
            permissions.check_form(entry["maxPermissions"])
        jobs = [job for entry in namespaces for job in entry.get("jobs", [])]
        jobs += [entry["job"] for entry in self.certifier_jobs]
        form(all(is_line(job["repository"]) and is_line(job["workflow"]) for job in jobs), "job")
        form(all(is_line(entry["owner"]) for entry in self.certifier_jobs), "owner")
        self.publishers = []
        for entry in namespaces:
            self.publishers += [(entry, key) for key in role(entry["publisher"]).keys.values()]
        form(not any(key.id in self.certifier.keys for _, key in self.publishers), "a key that publishes and certifies")
        self.role, self.revoker, self.freshness = (role(roles[name]) for name in ("root", "revoker", "freshness"))

    def namespace(self, plugin):
        """The entry of the longest prefix."""
        fits = [entry for entry in self.document["namespaces"] if f"{plugin}/".startswith(entry["prefix"])]
        return max(fits, key=lambda entry: len(entry["prefix"]), default=None)


def is_line(value):
    return is_plain(value, 256) and value.strip() == value


class Lists:
    """Freshness document and revocation list, verified together."""

    def __init__(self, root, freshness, revocations, now):
        need(freshness is not None, "freshness")
        self.verify_freshness(root, freshness, now, lambda keyid, at: False)
        need(revocations is not None, "freshness")
        envelope = Envelope(revocations, "application/vnd.orch.revocations+json", 4 << 20)
        signers = envelope.signers(root.revoker.publics(), "list")
        self.list, _ = envelope.says(REVOCATIONS, "revocations/v1")
        issued = self.list["issued"]
        need(root.revoker.is_enough([(keyid, issued) for keyid in signers], now, self.revokes), "list")
        self.listed = (self.list["version"], envelope.sha256)
        pinned = self.document["revocations"]
        need(self.listed == (pinned["version"], pinned["sha256"]), "list")
        need(issued <= now + SKEW, "list")
        need(len(self.list["entries"]) <= 20_000 and all(map(entry_is_plain, self.list["entries"])), "list")
        self.verify_freshness(root, freshness, now, self.revokes)

    def verify_freshness(self, root, data, now, revoked):
        envelope = Envelope(data, "application/vnd.orch.freshness+json")
        signers = envelope.signers(root.freshness.publics(), "freshness")
        self.document, _ = envelope.says(FRESHNESS, "freshness/v1")
        issued = self.document["issued"]
        need(root.freshness.is_enough([(keyid, issued) for keyid in signers], now, revoked), "freshness")
        need(issued <= now + SKEW, "freshness")
        said = root.document["roles"]["freshness"]
        self.fresh_until = min(self.document["expires"], issued + said["maxAge"])
        self.grace_until = self.fresh_until + said["offlineGrace"]
        self.fresh = (self.document["version"], envelope.sha256)

    def revokes(self, keyid, at):
        entries = [entry["what"] for entry in self.list["entries"] if entry["action"] != "warn"]
        keys = [what["key"] for what in entries if "key" in what]
        return any(one["keyid"] == keyid and at >= one["invalidAfter"] for one in keys)

    def check(self, root, now):
        """Asked at each load, because time goes on."""
        root.check_in_force(now)
        need(now <= self.list["expires"], "list")
        need(now <= self.grace_until, "freshness")


def entry_is_plain(entry):
    ((_, said),) = entry["what"].items()
    texts = [entry["reason"]] + [said[name] for name in ("name", "check", "advisory", "crate") if name in said]
    return all(is_plain(one, 256) for one in texts)


class Seen:
    """What this host has seen. It moves only with what was verified whole."""

    def __init__(self, now):
        self.latest, self.fresh, self.listed, self.releases = now, None, None, {}

    def check_clock(self, now):
        need(now + SKEW >= self.latest, "seen")

    def take(self, lists, now):
        self.check_clock(now)
        for before, found in ((self.fresh, lists.fresh), (self.listed, lists.listed)):
            check_step(before and before[0], found[0])
            need(before is None or found[0] > before[0] or found == before, "seen")
        self.fresh, self.listed, self.latest = lists.fresh, lists.listed, max(self.latest, now)

    def check_release(self, release, manifest):
        before = self.releases.get((release["id"], release["channel"]))
        counter = release["releaseCounter"]
        check_step(before and before[0], counter)
        need(before is None or counter > before[0] or (counter, manifest) == before, "seen")


def check_step(before, found):
    need(found <= (FIRST_MAX if before is None else before + STEP_MAX), "seen")


class Anchor:
    """Everything that an operator with a trust root goes by."""

    def __init__(self, case, now):
        read = lambda data: None if data is None else base64.b64decode(data)
        roots, taken = [read(one) for one in case["roots"]], case["taken"]
        self.root = Root(roots[0], taken, said=case["said"])
        self.root.check_in_force(taken)
        for data in roots[1:]:
            self.root = Root(data, taken, before=self.root)
        self.seen = Seen(taken)
        for update in case["before"]:
            try:
                self.update(read(update["freshness"]), read(update["revocations"]), update["at"])
            except Refused:
                pass  # An update that fails moves nothing.
        for one in case["seen"]:
            self.seen.releases[one["id"], one["channel"]] = (one["releaseCounter"], one["manifest"])
        # What lies on the disk must be what was taken.
        stored = Envelope(read(case["file"]), "application/vnd.orch.trust-root+json")
        need(stored.sha256 == self.root.sha256, "root")
        self.update(read(case["freshness"]), read(case["revocations"]), now)

    def update(self, freshness, revocations, now):
        lists = Lists(self.root, freshness, revocations, now)
        before = dict(vars(self.seen))
        self.seen.take(lists, now)
        try:
            lists.check(self.root, now)
        except Refused:
            vars(self.seen).update(before)
            raise
        self.lists = lists
