//! The guard's rules: the ranges that are no part of the public internet, and those of them that are opened.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Class of an address that is not reached without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonPublicAddress {
    /// This machine.
    Loopback,
    /// This network segment.
    LinkLocal,
    /// A private network, also a carrier's.
    Private,
    /// Services by which clouds hand out credentials.
    Metadata,
    /// No single machine.
    Multicast,
    /// Set aside: for documentation, tests, the future.
    Reserved,
}

impl fmt::Display for NonPublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Private => "a private address",
            Self::Metadata => "a cloud's metadata address",
            Self::Multicast => "a multicast address",
            Self::Reserved => "a reserved address",
        })
    }
}

/// Addresses at which clouds hand out credentials: Amazon, Google, Azure and others; Amazon by IPv6; Alibaba; Oracle.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// The ranges that the operator has opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(Vec<IpNet>);

impl Allowed {
    /// Opens these ranges.
    #[must_use]
    pub fn new(ranges: Vec<IpNet>) -> Self {
        Self(ranges)
    }

    /// Checks that connections may go to this address.
    ///
    /// A metadata address is opened only by its own range of one, not by a wider one around it; a multicast address
    /// never.
    ///
    /// # Errors
    /// The class of an address that is not public, and that the operator has not opened.
    pub fn check(&self, address: IpAddr) -> Result<(), NonPublicAddress> {
        // `::ffff:127.0.0.1` connects to this machine as `127.0.0.1` does: an address that embeds another one is judged by
        // that one, and opened by a range around either.
        let effective = embedded(address);
        let Some(class) = classify(effective) else { return Ok(()) };
        let named = |range: &IpNet| {
            let named = range.contains(&address) || range.contains(&effective);
            let alone = range.prefix_len() == range.max_prefix_len();
            named && (alone || class != NonPublicAddress::Metadata)
        };
        if class != NonPublicAddress::Multicast && self.0.iter().any(named) { Ok(()) } else { Err(class) }
    }
}

/// The IPv4 address that an IPv6 one stands for, if it does: mapped, compatible, NAT64, 6to4, Teredo.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match [a, b, c, d, e, f] {
        // ::ffff:a.b.c.d, ::ffff:0:a.b.c.d, and ::a.b.c.d but not :: and ::1
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] => v4(g, h),
        [0, 0, 0, 0, 0, 0] if g != 0 || h > 1 => v4(g, h),
        // 64:ff9b::a.b.c.d, and 64:ff9b:1::/48, whose networks mostly end the same way
        [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, _, _, _] => v4(g, h),
        [0x2002, _, _, _, _, _] => v4(b, c),
        [0x2001, 0, _, _, _, _] => v4(!g, !h),
        _ => address,
    }
}

fn classify(address: IpAddr) -> Option<NonPublicAddress> {
    if METADATA.contains(&address) {
        return Some(NonPublicAddress::Metadata);
    }
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

fn classify_v4(v4: Ipv4Addr) -> Option<NonPublicAddress> {
    let [a, b, c, _] = v4.octets();
    match (a, b, c) {
        // Linux takes 0.0.0.0 for this machine.
        (0 | 127, _, _) => Some(NonPublicAddress::Loopback),
        (169, 254, _) => Some(NonPublicAddress::LinkLocal),
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => {
            Some(NonPublicAddress::Private)
        }
        (224..=239, _, _) => Some(NonPublicAddress::Multicast),
        (192, 0, 0 | 2)
        | (192, 88, 99)
        | (198, 18..=19, _)
        | (198, 51, 100)
        | (203, 0, 113)
        | (240.., _, _) => Some(NonPublicAddress::Reserved),
        _ => None,
    }
}

fn classify_v6(v6: Ipv6Addr) -> Option<NonPublicAddress> {
    let [a, b, ..] = v6.segments();
    match (a, b) {
        _ if v6.is_loopback() || v6.is_unspecified() => Some(NonPublicAddress::Loopback),
        (0xfe80..=0xfebf, _) => Some(NonPublicAddress::LinkLocal),
        // Unique local, and the site-local of old.
        (0xfc00..=0xfdff | 0xfec0..=0xfeff, _) => Some(NonPublicAddress::Private),
        (0xff00.., _) => Some(NonPublicAddress::Multicast),
        // Documentation, discard, benchmarks.
        (0x2001, 0xdb8 | 2) | (0x3fff, 0..=0xfff) | (0x100, 0) => Some(NonPublicAddress::Reserved),
        // Only 2000::/3 is given out to the world; and what carries IPv4 to the world is judged by that.
        (0x2000..=0x3fff, _) => None,
        _ => Some(NonPublicAddress::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ranges: &[&str], address: &str) -> Result<(), NonPublicAddress> {
        let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
        Allowed::new(ranges).check(address.parse().unwrap())
    }

    #[test]
    fn what_is_inside_is_not_reached() {
        for (address, inside) in [
            ("127.0.0.1", NonPublicAddress::Loopback),
            ("127.255.0.3", NonPublicAddress::Loopback),
            ("0.0.0.0", NonPublicAddress::Loopback),
            ("0.1.2.3", NonPublicAddress::Loopback),
            ("::1", NonPublicAddress::Loopback),
            ("::", NonPublicAddress::Loopback),
            ("169.254.1.1", NonPublicAddress::LinkLocal),
            ("fe80::1", NonPublicAddress::LinkLocal),
            ("febf::1", NonPublicAddress::LinkLocal),
            ("10.0.0.1", NonPublicAddress::Private),
            ("172.16.0.1", NonPublicAddress::Private),
            ("172.31.255.255", NonPublicAddress::Private),
            ("192.168.1.1", NonPublicAddress::Private),
            ("100.64.0.1", NonPublicAddress::Private),
            ("100.127.255.255", NonPublicAddress::Private),
            ("fc00::1", NonPublicAddress::Private),
            ("fd12:3456::1", NonPublicAddress::Private),
            ("fec0::1", NonPublicAddress::Private),
            ("169.254.169.254", NonPublicAddress::Metadata),
            ("fd00:ec2::254", NonPublicAddress::Metadata),
            ("100.100.100.200", NonPublicAddress::Metadata),
            ("224.0.0.1", NonPublicAddress::Multicast),
            ("ff02::1", NonPublicAddress::Multicast),
            ("255.255.255.255", NonPublicAddress::Reserved),
            ("240.0.0.1", NonPublicAddress::Reserved),
            ("192.0.2.1", NonPublicAddress::Reserved),
            ("198.18.0.1", NonPublicAddress::Reserved),
            ("2001:db8::1", NonPublicAddress::Reserved),
            ("100::1", NonPublicAddress::Reserved),
            ("4000::1", NonPublicAddress::Reserved),
        ] {
            assert_eq!(judged(&[], address), Err(inside), "{address}");
        }
    }

    #[test]
    fn the_world_is_reached() {
        for address in
            ["1.1.1.1", "9.255.255.255", "11.0.0.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1"]
        {
            assert_eq!(judged(&[], address), Ok(()), "{address}");
        }
        for address in ["2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"] {
            assert_eq!(judged(&[], address), Ok(()), "{address}");
        }
    }

    #[test]
    fn ipv4_in_ipv6_is_judged_by_what_is_behind_it() {
        for (address, inside) in [
            ("::ffff:127.0.0.1", NonPublicAddress::Loopback),
            ("::ffff:0:127.0.0.1", NonPublicAddress::Loopback),
            ("::127.0.0.1", NonPublicAddress::Loopback),
            ("::ffff:10.0.0.1", NonPublicAddress::Private),
            ("64:ff9b::10.0.0.1", NonPublicAddress::Private),
            ("64:ff9b:1::169.254.169.254", NonPublicAddress::Metadata),
            ("2002:7f00:1::", NonPublicAddress::Loopback),
            ("2002:a9fe:a9fe::1", NonPublicAddress::Metadata),
            // Teredo writes the client's address with all bits turned over.
            ("2001:0:1:2:3:4:80ff:fffe", NonPublicAddress::Loopback),
        ] {
            assert_eq!(judged(&[], address), Err(inside), "{address}");
        }
    }

    #[test]
    fn only_what_the_operator_named_is_opened() {
        assert_eq!(judged(&["10.1.0.0/16"], "10.1.2.3"), Ok(()));
        assert_eq!(judged(&["10.1.0.0/16"], "::ffff:10.1.2.3"), Ok(()));
        assert_eq!(judged(&["10.1.0.0/16"], "10.2.0.1"), Err(NonPublicAddress::Private));
        assert_eq!(judged(&["fd12::/16"], "fd12::7"), Ok(()));
        assert_eq!(judged(&["127.0.0.1/32"], "127.0.0.2"), Err(NonPublicAddress::Loopback));
        assert_eq!(judged(&["0.0.0.0/0"], "169.254.169.254"), Err(NonPublicAddress::Metadata));
        assert_eq!(judged(&["169.254.169.254/32"], "169.254.169.254"), Ok(()));
        assert_eq!(judged(&["0.0.0.0/0", "::/0"], "224.0.0.1"), Err(NonPublicAddress::Multicast));
    }

    proptest::proptest! {
        #[test]
        fn an_address_in_any_disguise_is_judged_like_itself(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let plain = Allowed::default().check(IpAddr::V4(v4));
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            let mut disguises = vec![
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, !high, !low),
            ];
            if bits > 1 {
                disguises.push(Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low));
            }
            for disguise in disguises {
                proptest::prop_assert_eq!(Allowed::default().check(IpAddr::V6(disguise)), plain);
            }
        }
    }
}
