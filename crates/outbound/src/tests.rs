//! The client against real servers on loopback, with names that a test makes up.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use super::*;
use campanile_config::{Document, Problems, Reader, Secret};

/// Answers each look-up with the next list; the last one again and again.
struct Scripted(Mutex<VecDeque<Vec<IpAddr>>>);

impl Scripted {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect())))
    }
}

#[async_trait]
impl Resolver for Scripted {
    async fn look_up(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        next.ok_or_else(|| io::Error::other("no such name"))
    }
}

/// A server that answers every request with the same bytes and then, unless it is to hang, closes.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Close,
    Hang,
}

impl Server {
    async fn start(address: &str, answer: &str, then: Then) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counted, answer) = (Arc::clone(&connections), answer.to_owned());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if then == Then::Hang {
                        tokio::time::sleep(Duration::from_secs(60)).await;
                    }
                });
            }
        });
        Self { port, connections }
    }

    fn url(&self, host: &str) -> Url {
        format!("http://{host}:{}/path?key=hush", self.port).parse().unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

fn opened(ranges: &[&str]) -> Allowed {
    Allowed::new(ranges.iter().map(|range| range.parse().unwrap()).collect())
}

fn client(ranges: &[&str], resolver: Arc<dyn Resolver>) -> Client {
    Outbound::new(opened(ranges), resolver).client(&Tls::default()).unwrap()
}

async fn get(client: &Client, url: Url) -> Result<Response, OutboundError> {
    client.send(Request::get(url)).await
}

fn is_forbidden(result: &Result<Response, OutboundError>) -> bool {
    matches!(result, Err(OutboundError::Forbidden { .. }))
}

#[tokio::test]
async fn an_address_in_numbers_does_not_pass_the_guard() {
    let server = Server::start("127.0.0.1", OK, Then::Close).await;
    let closed = client(&[], Arc::new(SystemResolver));
    for host in ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "0.0.0.0"] {
        assert!(is_forbidden(&get(&closed, server.url(host)).await), "{host}");
    }
    for host in ["[::1]", "[::ffff:127.0.0.1]", "[::7f00:1]", "[64:ff9b::7f00:1]", "[::]"] {
        assert!(is_forbidden(&get(&closed, server.url(host)).await), "{host}");
    }
    assert_eq!(server.connections(), 0);
    let open = client(&["127.0.0.0/8"], Arc::new(SystemResolver));
    assert_eq!(get(&open, server.url("127.0.0.1")).await.unwrap().body, "ok");
}

#[tokio::test]
async fn a_name_does_not_pass_the_guard_and_the_error_says_what_to_do() {
    let server = Server::start("127.0.0.1", OK, Then::Close).await;
    let closed = client(&[], Scripted::new(&[&["127.0.0.1", "::1"]]));
    let refused = get(&closed, server.url("hooks.example.org")).await;
    assert!(is_forbidden(&refused), "{refused:?}");
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("loopback address") && text.contains("allow = [\""), "{text}");
    assert!(!text.contains("hush"), "{text}");
    assert!(is_forbidden(&get(&client(&[], Arc::new(SystemResolver)), server.url("localhost")).await));
    assert_eq!(server.connections(), 0);
    let open = client(&["127.0.0.1/32"], Scripted::new(&[&["127.0.0.1"]]));
    assert_eq!(get(&open, server.url("hooks.example.org")).await.unwrap().status, 200);
}

#[tokio::test]
async fn of_several_addresses_only_open_ones_are_connected_to() {
    let inner = Server::start("127.0.0.2", OK, Then::Close).await;
    // Nobody listens at 127.0.0.1 on that port, so a client that tried all addresses would come to the other one.
    let open = client(&["127.0.0.1/32"], Scripted::new(&[&["127.0.0.2", "127.0.0.1"]]));
    let result = get(&open, inner.url("hooks.example.org")).await;
    assert!(matches!(result, Err(OutboundError::Connection { .. })), "{result:?}");
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let outer = Server::start("127.0.0.1", OK, Then::Close).await;
    let inner = TcpListener::bind(("127.0.0.2", outer.port)).await.unwrap();
    let names = Scripted::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let open = client(&["127.0.0.1/32"], names);
    assert_eq!(get(&open, outer.url("rebind.example.org")).await.unwrap().status, 200);
    assert!(is_forbidden(&get(&open, outer.url("rebind.example.org")).await));
    let knock = tokio::time::timeout(Duration::from_millis(100), inner.accept()).await;
    assert!(knock.is_err(), "the inner server was connected to");
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let inner = Server::start("127.0.0.2", OK, Then::Close).await;
    let answer = format!(
        "HTTP/1.1 307 Moved\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        inner.url("127.0.0.2")
    );
    let outer = Server::start("127.0.0.1", &answer, Then::Close).await;
    let open = client(&["127.0.0.0/8"], Arc::new(SystemResolver));
    assert_eq!(get(&open, outer.url("127.0.0.1")).await.unwrap().status, 307);
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn an_endless_body_is_cut_and_a_hanging_one_ends() {
    let long = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(100_000));
    let server = Server::start("127.0.0.1", &long, Then::Hang).await;
    let open = client(&["127.0.0.1/32"], Arc::new(SystemResolver));
    let request = Request::get(server.url("127.0.0.1")).max_response(1_000);
    let response = open.send(request).await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (1_000, true));
    assert_eq!(response.excerpt().chars().count(), 301);

    let hanging = Request::get(server.url("127.0.0.1")).timeout(Duration::from_millis(200));
    let error = open.send(hanging).await.unwrap_err();
    assert!(matches!(error, OutboundError::Timeout { .. }), "{error:?}");
    let silent = Server::start("127.0.0.1", "", Then::Hang).await;
    let waiting = Request::get(silent.url("127.0.0.1")).timeout(Duration::from_millis(200));
    assert!(matches!(open.send(waiting).await, Err(OutboundError::Timeout { .. })));
}

#[tokio::test]
async fn no_secret_is_shown() {
    let answer = "HTTP/1.1 401 No\r\nContent-Length: 36\r\nConnection: close\r\n\r\nbad token bell-tower,\r\n\x07 Basic YTpi ";
    let server = Server::start("127.0.0.1", answer, Then::Close).await;
    let open = client(&["127.0.0.1/32"], Arc::new(SystemResolver));
    let secret = Secret::new("bell-tower");
    let request = Request::get(server.url("127.0.0.1"))
        .secret_header(AUTHORIZATION, "token ", &secret)
        .unwrap()
        .header(HeaderName::from_static("x-plain"), "plain")
        .unwrap();
    let debugged = format!("{request:?}");
    assert!(debugged.contains("plain") && !debugged.contains("bell-tower"), "{debugged}");
    let response = open.send(request).await.unwrap();
    assert_eq!(response.excerpt(), "bad token ***, Basic YTpi");
    let basic = Request::get(server.url("127.0.0.1")).basic_auth("a", &Secret::new("b"));
    assert_eq!(open.send(basic).await.unwrap().excerpt(), "***ad token ***ell-tower, Basic ***");

    let gone = Request::get("http://127.0.0.1:1/hooks/T0K3N?key=hush".parse().unwrap());
    let text = open.send(gone).await.unwrap_err().to_string();
    assert!(text.contains("cannot reach http://127.0.0.1:1:"), "{text}");
    assert!(!text.contains("hush") && !text.contains("T0K3N"), "{text}");
    let broken =
        Request::get(server.url("127.0.0.1")).secret_header(AUTHORIZATION, "", &Secret::new("a\r\nb: bell"));
    assert!(!broken.unwrap_err().to_string().contains("bell"));
}

#[tokio::test]
async fn only_http_and_no_credentials_in_the_address() {
    let open = client(&["0.0.0.0/0"], Arc::new(SystemResolver));
    for address in ["file:///etc/passwd", "ftp://127.0.0.1/", "http://ada:hush@127.0.0.1/"] {
        let error = get(&open, address.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, OutboundError::Address(_)), "{address}: {error:?}");
        assert!(!error.to_string().contains("hush"));
    }
}

#[test]
fn settings_name_the_ranges() {
    let problems = Problems::new();
    let source = "[outbound]\nallow = [\"10.1.0.0/16\", \"127.0.0.1\", \"everything\"]\n";
    let document = Document::parse(std::path::Path::new("campanile.toml"), source, &problems);
    let outbound = Outbound::from_settings(&Reader::root(&document, &problems));
    let told: Vec<String> = problems.into_sorted().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["campanile.toml:2: error: `allow`: `everything` is no range such as 10.1.0.0/16, and no address"]
    );
    assert!(outbound.allows("10.1.2.3".parse().unwrap()));
    assert!(outbound.allows("127.0.0.1".parse().unwrap()));
    assert!(!outbound.allows("127.0.0.2".parse().unwrap()));
}

mod tls {
    use super::*;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::server::WebPkiClientVerifier;
    use rustls::{RootCertStore, ServerConfig};

    /// An authority, and where its certificates lie as files.
    struct Authority {
        issuer: CertifiedIssuer<'static, KeyPair>,
        folder: tempfile::TempDir,
    }

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["campanile".to_owned()]).unwrap();
            let client = params.signed_by(&key, &issuer).unwrap();
            std::fs::write(folder.path().join("cert.pem"), client.pem()).unwrap();
            std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
            Self { issuer, folder }
        }

        fn client(&self, settings: &str) -> Client {
            let problems = Problems::new();
            let file = self.folder.path().join("campanile.toml");
            let document = Document::parse(&file, settings, &problems);
            let tls = Tls::read(&Reader::root(&document, &problems));
            assert_eq!(problems.into_sorted(), []);
            Outbound::new(opened(&["127.0.0.1/32"]), Scripted::new(&[&["127.0.0.1"]])).client(&tls).unwrap()
        }

        /// A server that wants a certificate of this authority, speaks HTTP/2 and counts connections.
        async fn server(&self) -> Server {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["push.example.org".to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &self.issuer).unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_client_cert_verifier(verifier.unwrap())
                .with_single_cert(
                    vec![certificate.der().clone()],
                    PrivateKeyDer::Pkcs8(key.serialize_der().into()),
                )
                .unwrap();
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let connections = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&connections);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        let service = hyper::service::service_fn(
                            |request: hyper::Request<hyper::body::Incoming>| async move {
                                let version = format!("{:?}", request.version());
                                Ok::<_, io::Error>(hyper::Response::new(version))
                            },
                        );
                        let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            });
            Server { port, connections }
        }
    }

    const ALL: &str = "tls_ca = \"ca.pem\"\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n";

    #[tokio::test]
    async fn own_authority_client_certificate_http_2_and_kept_connections() {
        let authority = Authority::new();
        let server = authority.server().await;
        let url: Url = format!("https://push.example.org:{}/", server.port).parse().unwrap();
        let trusted = authority.client(ALL);
        for _ in 0..3 {
            assert_eq!(get(&trusted, url.clone()).await.unwrap().body, "HTTP/2.0");
        }
        assert_eq!(server.connections(), 1);

        let without_certificate = authority.client("tls_ca = \"ca.pem\"\n");
        // TLS 1.3 tells of a missing client certificate after the handshake, and the close may overtake the alert.
        let refused = get(&without_certificate, url.clone()).await.unwrap_err();
        assert!(
            matches!(refused, OutboundError::Tls { .. } | OutboundError::Connection { .. }),
            "{refused:?}"
        );
        let strangers = authority.client("");
        let refused = get(&strangers, url).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Tls { .. }), "{refused:?}");
    }

    #[test]
    fn certificates_that_are_none_are_named() {
        let problems = Problems::new();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("text"), "hello").unwrap();
        let source = "tls_ca = \"gone.pem\"\ntls_key = \"text\"\n";
        let document = Document::parse(&folder.path().join("campanile.toml"), source, &problems);
        let _ = Tls::read(&Reader::root(&document, &problems));
        let told: Vec<String> = problems.into_sorted().into_iter().map(|problem| problem.text).collect();
        assert!(
            told.len() == 2 && told[0].contains("cannot read") && told[1].contains("needs `tls_cert`"),
            "{told:?}"
        );
    }
}

/// A tenant is not told where a name leads inside, by HTTP and by all else.
#[tokio::test]
async fn a_refused_name_does_not_tell_a_tenant_where_it_leads() {
    let inside = Scripted::new(&[&["10.1.2.3"]]);
    let guarded = resolver::Guarded { resolver: inside, allowed: opened(&[]), is_tenants: true };
    let dialed = Dialer::guarded(guarded.clone()).connect("db.internal", 25).await.unwrap_err().to_string();
    let client = Outbound::with_guard(guarded).client(&Tls::default()).unwrap();
    let asked = get(&client, "http://db.internal/".parse().unwrap()).await.unwrap_err().to_string();
    for told in [dialed, asked] {
        assert!(
            told.contains("an address that tenants may not connect to") && !told.contains("10.1"),
            "{told}"
        );
        assert!(!told.contains("private"), "{told}");
    }
}

/// Keys in an address are in nobody's quotes.
#[test]
fn a_far_side_that_repeats_the_address_is_not_quoted() {
    let url: Url =
        "http://hooks.example.org/services/T0/B0/k3yk3y?key=SECRET-url&q=%41BCDEFGHI&x=1".parse().unwrap();
    let secrets = Request::get(url).secrets;
    let said = "GET /services/T0/B0/k3yk3y?key=SECRET-url&q=%41BCDEFGHI&x=1, that is SECRET-url, ABCDEFGHI";
    assert_eq!(campanile_config::mask(said, &secrets), "GET ***?***, that is ***, ***");
}
