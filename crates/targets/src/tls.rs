//! TLS towards a server: whose certificates are trusted, and for which name (M-68, I-CFG-13).

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Agrees on TLS with one server.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// Why there can be no TLS with a server.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// No certificate can be for it.
    #[error("`{0}` is neither a host name nor an address")]
    Name(String),
    /// `tls_ca` is no list of certificates.
    #[error("cannot use `{file}` as certificates: {reason}")]
    Authorities {
        /// Where they should be.
        file: String,
        /// Why they are not.
        reason: String,
    },
    /// The library refuses.
    #[error("cannot prepare TLS: {0}")]
    Library(#[from] rustls::Error),
}

impl Tls {
    /// Trusts the system's authorities, and those of the file `more`, for a server of this name.
    pub(super) fn new(host: &str, more: Option<&Path>) -> Result<Self, TlsError> {
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
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Agrees with the server, or says what is wrong with its certificate.
    pub(super) async fn agree<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> std::io::Result<TlsStream<S>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

/// What was agreed on.
pub(super) fn version<S>(stream: &TlsStream<S>) -> &'static str {
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
