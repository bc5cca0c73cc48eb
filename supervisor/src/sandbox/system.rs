//! What every program needs of a machine, and nothing that belongs to somebody.
//!
//! Invariant: no secret of the machine lies in it (`/etc/shadow`, private keys, host keys, sudo's rules).
//! Not here: what a person names besides (the host's policy).

use super::Place;

const FOLDERS: [&str; 9] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"];

/// Of `/etc`: who is who, names and hosts, time and language, the loader, public certificates, alternatives, and what
/// compilers and interpreters read as they start.
const ETC: [&str; 40] = [
    "passwd",
    "group",
    "nsswitch.conf",
    "hosts",
    "host.conf",
    "hostname",
    "resolv.conf",
    "gai.conf",
    "networks",
    "protocols",
    "services",
    "rpc",
    "ethertypes",
    "localtime",
    "timezone",
    "locale.alias",
    "locale.conf",
    "default/locale",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ld.so.preload",
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "ca-certificates.conf",
    "pki/tls/certs",
    "pki/tls/cert.pem",
    "pki/ca-trust/extracted",
    "os-release",
    "debian_version",
    "lsb-release",
    "mime.types",
    "magic",
    "terminfo",
    "inputrc",
    "bash.bashrc",
    "profile",
    "fonts",
    "python3",
];

/// To be read by every command.
pub fn system_places() -> Vec<Place> {
    let etc = ETC.iter().map(|name| Place::read(format!("/etc/{name}")));
    FOLDERS.iter().map(Place::read).chain(etc).collect()
}
