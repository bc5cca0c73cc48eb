"""One package against the operator's rules: every step of admission, in order."""

import base64
import json
import re

import certificate
import manifest
import permissions
from answer import Malformed, Refused, need
from certificate import SUBJECTS, Certificate
from component import Facts
from envelope import SKEW, Envelope, Key, public_key, sha256
from forms import covers, is_id, time, version
from root import DIGEST, JOB, TIME, Anchor
from shape import U64, Maybe, kept, one_of, record, text

SIZES = {
    "manifest.json": 256 << 10, "component.wasm": 64 << 20, "sbom.cdx.json": 4 << 20,
    "release.dsse.json": 1 << 20, "LICENSE": 1 << 20, "README.md": 1 << 20,
}  # fmt: skip
ENVELOPES = re.compile(r"(certificates|delegations)/[0-9a-f]{16}\.dsse\.json")
RELEASE = record(
    _type=text(),
    subject=SUBJECTS,
    predicateType=text(),
    predicate=record(
        id=text(is_id),
        version=kept(version),
        releaseCounter=U64,
        channel=text(),
        issuedAt=TIME,
        notAfter=TIME,
        source=Maybe(record(uri=text(), commit=text())),
    ),
)
DELEGATION = record(
    _type=text(),
    key=text(),
    purpose=one_of("release", "certificate"),
    job=JOB,
    commit=text(),
    subject=DIGEST,
    issued=TIME,
    expires=TIME,
)


class Publisher:
    """A key that may publish under some namespaces."""

    def __init__(self, key, namespaces, maximum=None, roles=None, threshold=1):
        self.key, self.namespaces, self.maximum, self.roles, self.threshold = key, namespaces, maximum, roles, threshold

    def reach(self, plugin):
        holds = [one for one in self.namespaces if one.endswith("/") and f"{plugin}/".startswith(one)]
        return max(map(len, holds), default=0)


def of_namespace(entry, key):
    said = entry["publisher"]["threshold"]
    return Publisher(key, [entry["prefix"]], entry["maxPermissions"], entry["roles"], said)


class Package:
    """The files, read once."""

    def __init__(self, files):
        self.files = files
        for name, data in files.items():
            most = SIZES.get(name, (1 << 20) if ENVELOPES.fullmatch(name) else None)
            need(most is not None and len(data) <= most, "package")
        need({"manifest.json", "component.wasm", "sbom.cdx.json"} <= set(files), "package")
        need(all(len(self.envelopes(folder)) <= 16 for folder in ("certificates", "delegations")), "package")
        self.digests = {name: sha256(data) for name, data in files.items()}

    def envelopes(self, folder):
        return [(name, self.files[name]) for name in sorted(self.files) if name.startswith(folder + "/")]

    def plain(self):
        return {name: digest for name, digest in self.digests.items() if not name.endswith(".dsse.json")}

    def are_subjects(self, subjects):
        said = [(one["name"], one["digest"]["sha256"]) for one in subjects]
        return sorted(said) == sorted(self.plain().items())

    def read_manifest(self):
        self.manifest = manifest.read(self.files["manifest.json"])
        self.id, self.version = self.manifest["id"], self.manifest["version"]

    def check_files(self):
        declared = self.manifest["integrity"]["files"]
        for file in declared:
            need(file["path"] in self.files, "package")
            need(file["sha256"] == self.digests[file["path"]], "files")
            need(file["size"] == len(self.files[file["path"]]), "files")
        names = [file["path"] for file in declared] + ["manifest.json"]
        need(sorted(names) == sorted(self.plain()), "files")


class Admission:
    """The rules of one case, and what is known of its package so far."""

    def __init__(self, case):
        self.now, self.rules = case["now"], case["rules"]
        try:
            self.publishers = [
                Publisher(key_of(one), one["namespaces"], one.get("maxPermissions")) for one in self.rules["publishers"]
            ]
            self.certifiers = [(key_of(one), one["profile"]) for one in self.rules["certifiers"]]
        except Malformed as error:
            raise Refused("key") from error
        self.wanted = {name: self.rules[name] for name in ("level", "threshold", "independent")}
        self.anchor = None
        if case["anchor"] is not None:
            self.anchor = Anchor(case["anchor"], self.now)
            root = self.anchor.root
            self.publishers = [of_namespace(entry, key) for entry, key in root.publishers]
            self.certifiers = [(key, root.levels[key.id]) for key in root.certifier.keys.values()]
            self.wanted["threshold"] = max(self.wanted["threshold"], root.certifier.threshold)
            self.wanted["independent"] |= root.certifier.independent
        self.package = Package({name: base64.b64decode(data) for name, data in case["files"].items()})

    def run(self):
        package, now = self.package, self.now
        package.read_manifest()
        package.check_files()
        self.delegated = {}
        for name, data in package.envelopes("delegations"):
            self.take_delegation(name, data)
        self.check_release()
        files = package.envelopes("certificates")
        self.certificates = [Certificate(package, name, data, self.certifiers, now) for name, data in files]
        signed = [one.key.id for one in self.certificates] + self.signers
        for one in self.certificates:
            one.check_source(self.release)
        need(set(self.delegated) <= set(signed), "delegation")
        agreed = certificate.agree(self.certificates, self.certifiers, self.wanted, [], now)
        facts = Facts(package.files["component.wasm"]).as_json()
        self.check_fit(facts)
        need(facts == agreed["facts"], "facts")
        agreed = self.check_standing(signed)
        self.check_grant()
        return agreed

    def take_delegation(self, name, data):
        root = self.anchor and self.anchor.root
        role = root and root.issuer
        envelope = Envelope(data, "application/vnd.orch.delegation+json")
        signers = envelope.signers(role.publics() if role else {}, "delegation")
        said, _ = envelope.says(DELEGATION, "delegation/v1")
        issued, expires = said["issued"], said["expires"]
        need(role.is_enough([(keyid, issued) for keyid in signers], self.now), "delegation")
        most = root.document["roles"]["ci-issuer"]["maxLifetime"]
        try:
            public = public_key(said["key"])
        except Malformed as error:
            raise Refused("delegation") from error
        key = Key(public, said["job"]["repository"], not_before=issued, signs_until=expires)
        need(name == f"delegations/{key.id[:16]}.dsse.json", "delegation")
        need(said["subject"] == self.package.digests["manifest.json"], "delegation")
        need(issued < expires <= issued + most and issued <= self.now, "delegation")
        if said["purpose"] == "release":
            entry = root.namespace(self.package.id)
            need(entry is not None and said["job"] in entry.get("jobs", []), "delegation")
            self.publishers.append(of_namespace(entry, key))
        else:
            entry = next((one for one in root.certifier_jobs if one["job"] == said["job"]), None)
            need(entry is not None, "delegation")
            key.owner = entry["owner"]
            self.certifiers.append((key, entry["level"]))
        self.delegated[key.id] = [(keyid, issued) for keyid in signers]

    def check_release(self):
        package, now = self.package, self.now
        need("release.dsse.json" in package.files, "publisher")
        envelope = Envelope(package.files["release.dsse.json"], "application/vnd.in-toto+json")
        keys = {one.key.id: one.key.public for one in self.publishers}
        self.signers = envelope.signers(keys, "publisher")
        statement, _ = envelope.says(RELEASE, "https://in-toto.io/Statement/v1", "urn:orch:plugin-release:v1")
        self.release = said = statement["predicate"]
        longest = max((one.reach(package.id) for one in self.publishers), default=0)
        owners = []
        for keyid in self.signers:
            owns = lambda one: longest > 0 and one.reach(package.id) == longest
            mine = [one for one in self.publishers if one.key.id == keyid and owns(one)]
            need(mine, "publisher")
            fault = mine[0].key.fault(said["issuedAt"], now)
            need(fault != "late", "delegation")
            need(fault is None, "publisher")
            owners.append(mine[0])
        self.publisher = owners[0]
        needed = self.publisher.threshold
        need(len(owners) <= needed, "envelope")
        need(len(owners) == needed, "publisher")
        need(package.are_subjects(statement["subject"]), "release")
        need((said["id"], said["version"]) == (package.id, package.version), "release")
        need(now <= said["notAfter"] and said["issuedAt"] <= now + SKEW, "release")
        roles = self.publisher.roles
        need(roles is None or set(package.manifest["roles"]) <= set(roles), "publisher")

    def check_fit(self, facts):
        """The component is what its manifest says it is."""
        asked = self.package.manifest["permissions"]
        need(all(permissions.asks_for(asked, name, facts["exports"]) for name in facts["imports"]), "fit")
        inner = [name for name in facts["innerImports"] if "engine" not in facts or set(name) & set("=<")]
        need(all(permissions.asks_for(asked, name) is not None for name in inner), "fit")
        for role in self.package.manifest["roles"]:
            wasi = r"wasi:http/incoming-handler@0\.2\.([0-9]|1[0-2])"
            provided = {(package, "provide") for package in ("notify", "llm", "embed", "retrieve")}
            wanted = provided if role == "provider" else {(role, role)}
            is_it = (lambda name: re.fullmatch(wasi, name)) if role == "service" else (lambda name: permissions.ours(name) in wanted)
            need(any(is_it(name) for name in facts["exports"]), "fit")
        least = sum(memory["min"] for memory in facts["memories"])
        need(least <= self.package.manifest["limits"]["memoryMiB"] << 20, "fit")

    def check_standing(self, signed):
        """Nobody took it back, and it is the one that is pinned or no older than the last one."""
        package, anchor, deny = self.package, self.anchor, self.rules["deny"]
        if anchor is not None:
            anchor.lists.check(anchor.root, self.now)
        behind = signed + [issuer for key in signed for issuer, _ in self.delegated.get(key, [])]
        need(package.id not in deny["ids"], "denied")
        need(not set(package.digests.values()) & set(deny["digests"]), "denied")
        need(not set(behind) & set(deny["keys"]), "denied")
        entries = [] if anchor is None else anchor.lists.list["entries"]
        hits = [hit for entry in entries for hit in self.hits(entry) if entry["action"] != "warn"]
        need(not any(key is None for key in hits), "revoked")
        try:
            agreed = certificate.agree(self.certificates, self.certifiers, self.wanted, hits, self.now)
        except Refused as refused:
            raise (Refused("revoked") if hits else refused)
        pin = self.rules["lock"]
        if pin is not None and pin["id"] == package.id:
            found = (package.version, package.digests["manifest.json"], package.digests["component.wasm"])
            need((pin["version"], pin["manifest"], pin["component"]) == found, "lock")
        elif anchor is not None:
            anchor.seen.check_release(self.release, package.digests["manifest.json"])
        return agreed

    def hits(self, entry):
        """What this entry is about: None for the whole package, else the key of each certificate that it sets aside."""
        package = self.package
        ((kind, said),) = entry["what"].items()
        if kind == "file":
            return [None] if said["sha256"] in package.digests.values() else []
        if kind == "release":
            return [None] if said["id"] == package.id and covers(said["versions"], package.version) else []
        if kind == "key":
            gone = lambda signatures: any(key == said["keyid"] and at >= said["invalidAfter"] for key, at in signatures)
            behind = lambda key, at: [(key, at), *self.delegated.get(key, [])]
            release = [one for key in self.signers for one in behind(key, self.release["issuedAt"])]
            found = [one.key.id for one in self.certificates if gone(behind(one.key.id, one.signed))]
            return ([None] if gone(release) else []) + found
        if kind == "certifier":
            ran = lambda one: "check" not in said or said["check"] in [check["id"] for check in one.says["checks"]]
            tool = lambda one: one.says["certifier"]
            by = lambda one: tool(one)["name"] == said["name"] and covers(said["versions"], tool(one)["version"])
            return [one.key.id for one in self.certificates if by(one) and ran(one)]
        made_of = components(package.files["sbom.cdx.json"])
        found = [one.get("version") for one in made_of if one["name"] == said["crate"]]
        return [None] if any(one is None or covers(said["versions"], one) for one in found) else []

    def check_grant(self):
        package, rules = self.package, self.rules
        asked, allowed, maximum = package.manifest["permissions"], rules["allow"], self.publisher.maximum
        granted = permissions.with_stars_named(asked, allowed, maximum)
        need(maximum is None or permissions.is_within(granted, maximum), "grant")
        need(permissions.is_within(granted, allowed), "grant")
        approval = rules["approval"]
        need(approval is not None and approval["id"] == package.id, "grant")
        need(permissions.is_within(asked, permissions.SHAPE(approval["permissions"], False)), "grant")


def key_of(said):
    at = lambda name: time(said[name]) if said.get(name) is not None else None
    return Key(public_key(said["key"]), said["owner"], at("notBefore"), at("notAfter"))


def components(data):
    """Every component that a CycloneDX file names, nested ones and the described one too."""
    try:
        document = json.loads(data.decode("utf-8"))
        need(document["bomFormat"] == "CycloneDX", "revoked")
        described = document.get("metadata", {}).get("component")
        level = ([described] if described is not None else []) + document["components"]
        found = []
        for _ in range(64):
            need(all(isinstance(one["name"], str) for one in level), "revoked")
            need(all(isinstance(one.get("version"), str | None) for one in level), "revoked")
            found += level
            level = [inner for one in level for inner in one.get("components", [])]
            need(len(found) <= 100_000, "revoked")
            if not level:
                return found
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("revoked") from error
    raise Refused("revoked")
