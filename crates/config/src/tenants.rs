//! `[tenants]`: the folder with the settings of those who share this engine, and the limits and ranges of all of them.

use std::net::IpAddr;
use std::path::PathBuf;

use super::{Limits, Reader};

/// Longest name of a tenant, in bytes.
const MAX_NAME: usize = 63;

/// `[tenants]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantsSettings {
    /// Holds a file `NAME.toml` a tenant, and a folder `NAME` with what that file may name.
    pub dir: PathBuf,
    /// Limits of every tenant whose own settings say nothing else.
    pub limits: Limits,
    /// Ranges inside of the operator's network that tenants may file_scope; none but these.
    pub allow: Vec<ipnet::IpNet>,
}

impl TenantsSettings {
    /// Reads the table; none without a folder.
    #[allow(clippy::needless_pass_by_value)] // a reader is used up by its `finish`
    pub(super) fn read(table: Reader<'_>) -> Option<Self> {
        let limits = table.table("limits").map(|table| {
            let limits = Limits::read(&table, &Limits::tenant_defaults());
            table.finish();
            limits
        });
        let allow = read_ip_ranges(&table, "allow");
        let dir = table.required_text("dir").map(|dir| table.folder().join(dir));
        table.finish();
        Some(Self { dir: dir?, limits: limits.unwrap_or_else(Limits::tenant_defaults), allow })
    }

    /// True for a name that a tenant can have: it is a folder, a part of addresses, and never mistaken for another.
    #[must_use]
    pub fn is_valid_name(name: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        name != "default"
            && name.len() <= MAX_NAME
            && name.bytes().next().is_some_and(plain)
            && name.bytes().all(|byte| plain(byte) || byte == b'-')
    }
}

/// A list of ranges such as `10.1.0.0/16` or addresses such as `10.1.2.3`.
pub fn read_ip_ranges(table: &Reader<'_>, key: &str) -> Vec<ipnet::IpNet> {
    let mut ranges = Vec::new();
    for range in table.texts(key).unwrap_or_default() {
        match range.parse().or_else(|_| range.parse::<IpAddr>().map(Into::into)) {
            Ok(range) => ranges.push(range),
            Err(_) => table
                .error(key, format!("`{key}`: `{range}` is no range such as 10.1.0.0/16, and no address")),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_paths_and_addresses_and_never_look_alike() {
        for name in ["a", "acme", "acme-2", "0day", "x-"] {
            assert!(TenantsSettings::is_valid_name(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in ["", "default", "Acme", "a.b", "a/b", "..", "-a", "a_b", "a b", "ä", "a\n", &long] {
            assert!(!TenantsSettings::is_valid_name(name), "{name}");
        }
    }
}
