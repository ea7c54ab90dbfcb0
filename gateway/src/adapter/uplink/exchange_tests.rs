//! An exchange by host name, with a resolver that fails or lies.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use reqwest::Url;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::super::credentials::Credentials;
use super::super::resolver::{Found, Resolver};
use super::super::settings::{Deadlines, UplinkSettings};
use super::*;

const HOST: &str = "centre.example";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const PLAN: Plan = Plan {
    path: Duration::from_secs(2),
    overlap: None,
    total: Duration::from_secs(2),
    insist: false,
    retry_after_ms_max: 1_000,
};

fn nothing(_: String) -> Found {
    Box::pin(std::future::ready(Err(std::io::ErrorKind::NotFound.into())))
}

fn elsewhere(_: String) -> Found {
    Box::pin(std::future::ready(Ok(vec![ELSEWHERE])))
}

/// Token and, where given, root, from files that are gone afterwards.
fn credentials(root: Option<&str>) -> Credentials {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("uplink-exchange-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
        path
    };
    let settings = UplinkSettings {
        urls: Vec::new(),
        token_file: file("token", "made-up-token-0123456789"),
        ca_file: root.map(|root| file("ca.pem", root)),
        client_cert_file: None,
        client_key_file: None,
        deadlines: Deadlines::default(),
    };
    let credentials = Credentials::load(&settings).unwrap();
    std::fs::remove_dir_all(directory).unwrap();
    credentials
}

/// A server on `on` that says who it is; its port.
async fn server(on: IpAddr, says: &'static str, port: u16) -> u16 {
    let listener = TcpListener::bind((on, port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(move || async move { says })).await });
    port
}

fn exchange(resolver: &Resolver, port: u16) -> Exchange {
    let url = Url::parse(&format!("http://{HOST}:{port}/")).unwrap();
    let centre = Centre::new(vec![url], credentials(None), resolver.clone(), Duration::from_secs(1));
    Exchange::new(&centre, PLAN).unwrap()
}

async fn ask(exchange: &Exchange) -> Result<String, UplinkFailure> {
    let request = Request::direct(&"gw-1".parse().unwrap(), "7b1c", String::from("{}"));
    exchange.make(request, None, |body| String::from_utf8(body.to_vec()).ok()).await
}

#[tokio::test]
async fn c10_with_the_resolver_gone_the_address_that_answered_last_is_tried() {
    let port = server(HERE, "here", 0).await;
    let resolver = Resolver::with(nothing, Duration::from_secs(1));
    assert_eq!(ask(&exchange(&resolver, port)).await, Err(UplinkFailure::Unreachable));
    resolver.answered(HOST, HERE);
    assert_eq!(ask(&exchange(&resolver, port)).await, Ok(String::from("here")));
}

#[tokio::test]
async fn c10_when_the_resolver_points_to_where_nobody_is_the_good_address_is_tried_in_the_same_exchange() {
    let port = server(HERE, "here", 0).await;
    let resolver = Resolver::with(elsewhere, Duration::from_secs(1));
    resolver.answered(HOST, HERE);
    assert_eq!(ask(&exchange(&resolver, port)).await, Ok(String::from("here")));
}

#[tokio::test]
async fn the_address_that_answered_is_remembered_for_every_lane() {
    let port = server(ELSEWHERE, "elsewhere", 0).await;
    let resolver = Resolver::with(elsewhere, Duration::from_secs(1));
    assert_eq!(ask(&exchange(&resolver, port)).await, Ok(String::from("elsewhere")));
    server(HERE, "here", port).await;
    resolver.answered(HOST, HERE);
    resolver.silent(HOST);
    let lane = exchange(&resolver, port);
    assert_eq!(ask(&lane).await, Ok(String::from("elsewhere")), "a lane does not share the doubts of another");
}

/// A TLS server for [`HOST`] with a certificate of its own, which is returned; it answers every connection.
async fn tls_server(on: IpAddr, port: u16) -> (String, u16) {
    let pair = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
    let root = pair.cert.pem();
    let chain = vec![CertificateDer::from_pem_slice(root.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pair.signing_key.serialize_pem().as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((on, port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(socket).await {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhere";
                stream.write_all(answer).await.unwrap();
                let _gone = stream.shutdown().await;
            }
        }
    });
    (root, port)
}

#[tokio::test]
async fn c10_a_resolver_that_points_to_an_impostor_gets_nothing_and_the_good_address_is_tried_next() {
    let (root, port) = tls_server(HERE, 0).await;
    tls_server(ELSEWHERE, port).await;
    let resolver = Resolver::with(elsewhere, Duration::from_secs(1));
    resolver.answered(HOST, HERE);
    let url = Url::parse(&format!("https://{HOST}:{port}/")).unwrap();
    let centre = Centre::new(vec![url], credentials(Some(&root)), resolver, Duration::from_secs(1));
    let exchange = Exchange::new(&centre, PLAN).unwrap();
    assert_eq!(ask(&exchange).await, Err(UplinkFailure::Unreachable));
    assert_eq!(ask(&exchange).await, Ok(String::from("here")));
}
