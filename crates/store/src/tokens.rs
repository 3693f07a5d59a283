//! Tokens for the API: roles and terms. Only their hashes are kept.

use serde::Serialize;

use campanile_model::Timestamp;

/// SHA-256 of a token. Tokens are 256 random bits, so nothing slower is needed to keep them from being guessed.
pub type TokenHash = [u8; 32];

/// Rights of a token's bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Everything with one tenant's builds, deliveries and callbacks; no tokens that may more.
    Tenant,
    /// Tell of events and upload logs, and nothing else.
    Ingest,
    /// Look, and change nothing.
    Read,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Tenant, Self::Ingest, Self::Read];

    /// The lower-case name, as stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Tenant => "tenant",
            Self::Ingest => "ingest",
            Self::Read => "read",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Tells if this role includes all that `other` may do.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Tenant => other != Self::Admin,
            Self::Ingest | Self::Read => self == other,
        }
    }
}

impl Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A token as it is known once it was handed out: not its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Token {
    /// Identity, by which it is revoked.
    pub id: String,
    /// Tenant that it is for.
    pub tenant: String,
    /// Purpose, in words of whoever made it; the audit log shows it.
    pub name: String,
    /// Rights of its bearer.
    pub role: Role,
    /// Time of its creation.
    pub created: Timestamp,
    /// End of its term; absent for none.
    pub expires: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_role_includes() {
        let may =
            |role: Role| Role::ALL.into_iter().filter(|other| role.includes(*other)).collect::<Vec<_>>();
        assert_eq!(may(Role::Admin), Role::ALL);
        assert_eq!(may(Role::Tenant), [Role::Tenant, Role::Ingest, Role::Read]);
        assert_eq!(may(Role::Ingest), [Role::Ingest]);
        assert_eq!(may(Role::Read), [Role::Read]);
        assert!(Role::ALL.into_iter().all(|role| Role::from_name(role.name()) == Some(role)));
        assert_eq!(Role::from_name("root"), None);
    }
}
