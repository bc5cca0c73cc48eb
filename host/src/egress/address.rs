//! Which addresses a rule by name covers: those of the public network.
//!
//! Source: IANA's registries of special-purpose addresses for IPv4 and IPv6.
//! Invariant: an address within an address (mapped, translated, tunnelled) is checked as what it leads to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_public_four(four),
        IpAddr::V6(six) => is_public_six(six),
    }
}

/// What an address leads to: of one that is within another, mapped, translated or tunnelled, that one.
pub(super) fn leads_to(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => within(six).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let four = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (a, b) {
        // Mapped, and the translations of NAT64.
        (0, 0) if [c, d, e] == [0; 3] && f == 0xffff => four(g, h),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => four(g, h),
        // 6to4.
        (0x2002, _) => four(b, c),
        _ => None,
    }
}

fn is_public_four(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, private, shared (RFC 6598), loopback, link-local with the clouds' metadata, private, private.
        (0 | 10 | 127, ..) | (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, documentation, the old 6to4 relays, benchmarks, documentation.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224.., ..) => true,
        _ => false,
    };
    !special
}

fn is_public_six(address: Ipv6Addr) -> bool {
    if let Some(four) = within(address) {
        return is_public_four(four);
    }
    let [a, b, ..] = address.segments();
    match (a, b) {
        // Teredo, benchmarks, ORCHID, protocol assignments; documentation.
        (0x2001, 0..=0x1ff) | (0x2001, 0xdb8) => false,
        (0x3fff, 0..=0xfff) => false,
        // Global unicast, and nothing else: no unspecified, loopback, local, site-local or multicast.
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn only_addresses_of_the_public_network_are_reached_by_name() {
        for public in [
            "1.1.1.1",
            "93.184.216.34",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "223.255.255.254",
            "2606:4700::1",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }
}
