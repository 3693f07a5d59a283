//! TLS over a connection that the dialer made, for what is not HTTP: mail relays and chat servers (M-68, I-CFG-13).
//!
//! Not one thing with [`super::Tls`]: that holds certificates of the settings for the HTTP client, which agrees on TLS
//! by itself and for whatever host a URL names; this one is for a single server, by name, over any stream, at any time
//! of the conversation (STARTTLS).

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;

use super::limits;

/// TLS with one server: the authorities that are trusted, and the name that its certificate must be for.
pub struct TlsConnector {
    connector: tokio_rustls::TlsConnector,
    name: ServerName<'static>,
}

/// A server that there can be no TLS with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A host that no certificate can be for.
    #[error("`{0}` is neither a host name nor an address")]
    Name(String),
    /// A file (`tls_ca`) that is no list of certificates.
    #[error("cannot use `{file}` as certificates: {reason}")]
    Authorities {
        /// Path of the file.
        file: String,
        /// The reader's own words.
        reason: String,
    },
    /// Settings that the TLS library refuses.
    #[error("cannot prepare TLS: {0}")]
    Library(#[from] rustls::Error),
}

impl std::fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConnector").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TlsConnector {
    /// Trusts the system's authorities, and those of the PEM file `more`, for a server of this name or address. Reads
    /// files: for the start, not for each connection.
    ///
    /// # Errors
    /// When the host is no name, or the file has no certificates.
    pub fn new(host: &str, more: Option<&Path>) -> Result<Self, TlsError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.to_owned()))?;
        let mut trusted = system().clone();
        if let Some(file) = more {
            add(&mut trusted, file)
                .map_err(|reason| TlsError::Authorities { file: file.display().to_string(), reason })?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        Ok(Self { connector: tokio_rustls::TlsConnector::from(Arc::new(config)), name })
    }

    /// Agrees with the server over a stream that nothing but the handshake is in any more. Not cancel safe: the stream is
    /// lost with the future.
    ///
    /// # Errors
    /// When the connection breaks, the certificate is not right (the text says in which way), or the server does not do its
    /// part within [`limits::TLS_HANDSHAKE`].
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let handshake = self.connector.connect(self.name.clone(), stream);
        tokio::time::timeout(limits::TLS_HANDSHAKE, handshake).await.unwrap_or_else(|_| {
            let text = format!("no handshake within {} s", limits::TLS_HANDSHAKE.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        })
    }
}

/// The version of TLS that was agreed on, for people.
pub fn tls_version<S>(stream: &TlsStream<S>) -> &'static str {
    match stream.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS",
    }
}

/// The system's authorities; read once, since there are many and they are the same for all targets.
fn system() -> &'static RootCertStore {
    static SYSTEM: OnceLock<RootCertStore> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        let mut trusted = RootCertStore::empty();
        // A few that cannot be used are found on every system, and some containers have none at all.
        trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        trusted
    })
}

fn add(trusted: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    let mut found = 0;
    for certificate in certificates {
        trusted.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        found += 1;
    }
    if found == 0 { Err("there is no PEM certificate in it".to_owned()) } else { Ok(()) }
}
