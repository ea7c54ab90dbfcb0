//! Who gets in: hosts, origins, sessions, tokens, addresses.

use gateway::adapter::kiosk::{Access, CoreView, Credentials, Kiosk, KioskError, route_names};
use gateway::troubles::{Part, Troubles};
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::desk_rig::{Rig, StateDir, ask, credentials, lunch, refused, settings};
use crate::fake_core::{FakeCore, READER};

const STEP: &str = "/api/v1/alarms/btn-0001.1.42/acknowledge";

#[tokio::test]
async fn a_write_without_a_session_or_token_is_refused() {
    let rig = Rig::start().await;
    let sale = rig.request(Method::POST, "/api/v1/sales").header("idempotency-key", "k").json(&lunch());
    assert_eq!(refused(sale).await, (401, "login_missing".to_owned()));
    assert_eq!(refused(rig.request(Method::POST, STEP)).await, (401, "login_missing".to_owned()));
    assert_eq!(refused(rig.get("/api/v1/sales")).await, (401, "login_missing".to_owned()));
    assert_eq!(rig.core.state().wishes, 0);
}

#[tokio::test]
async fn the_kiosks_page_may_sell_but_not_step_alarms_nor_see_others_sales() {
    let rig = Rig::start().await;
    let kiosk = rig.kiosk_cookie().await;
    let sale = rig.page(Method::POST, "/api/v1/sales", &kiosk).header("idempotency-key", "k").json(&lunch());
    assert_eq!(ask(sale).await.0, 201);
    assert_eq!(refused(rig.page(Method::POST, STEP, &kiosk)).await, (403, "staff_only".to_owned()));
    for path in ["/api/v1/sales", "/api/v1/quarantine", "/api/v1/refusals"] {
        assert_eq!(refused(rig.page(Method::GET, path, &kiosk)).await, (403, "staff_only".to_owned()));
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_even_where_no_token_is_needed() {
    let rig = Rig::start().await;
    for header in ["Bearer 0", "Bearer", "Basic cm9ib3Q6eA==", ""] {
        let request = rig.get("/api/v1/status").header("authorization", header);
        assert_eq!(refused(request).await, (401, "token_wrong".to_owned()), "{header}");
    }
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing_and_a_foreign_page_never_does() {
    let rig = Rig::start().await;
    let staff = rig.staff_cookie().await;
    let bare = || rig.request(Method::POST, STEP).header("cookie", &staff);
    let foreign = (403, "origin_foreign".to_owned());
    assert_eq!(refused(bare()).await, foreign, "no word of the page's origin");
    let other_port = format!("http://127.0.0.1:{}", rig.addr().port() ^ 1);
    for origin in ["http://evil.example", "null", "http://127.0.0.1", other_port.as_str(), "file://"] {
        assert_eq!(refused(bare().header("origin", origin)).await, foreign, "{origin}");
    }
    for site in ["cross-site", "same-site", "none"] {
        let request = bare().header("origin", &rig.base).header("sec-fetch-site", site);
        assert_eq!(refused(request).await, foreign, "{site}");
    }
    assert_eq!(rig.core.state().wishes, 0);
    assert_eq!(ask(bare().header("origin", &rig.base)).await.0, 200);
}

/// A request as somebody sends it, with what makes it a forged one.
type Forge = fn(reqwest::RequestBuilder, &Rig) -> reqwest::RequestBuilder;
/// What is tried, with which session, how it is forged, and the refusal that it has to meet; none where it is granted.
type Attempt<'a> = (&'a str, Option<&'a str>, Forge, Option<(u16, &'a str)>);

#[tokio::test]
async fn no_route_of_staff_is_reached_without_staff_or_from_a_foreign_page() {
    let rig = Rig::start().await;
    let (kiosk, staff) = (rig.kiosk_cookie().await, rig.staff_cookie().await);
    let own: Forge = |request, rig| request.header("origin", &rig.base).header("sec-fetch-site", "same-origin");
    let evil: Forge =
        |request, _| request.header("origin", "http://evil.example").header("sec-fetch-site", "cross-site");
    let rebound: Forge = |request, rig| {
        let port = rig.addr().port();
        request.header("host", format!("evil.example:{port}")).header("origin", format!("http://evil.example:{port}"))
    };
    let bare: Forge = |request, _| request;
    let routes: Vec<_> = route_names().into_iter().filter(|route| route.access == Access::Staff).collect();
    assert!(routes.len() >= 11, "the whole table");
    for route in routes {
        let path = route.path.replace("{id}", "btn-0001");
        let reads = route.method == "GET";
        let cases: [Attempt<'_>; 8] = [
            ("no session", None, own, Some((401, "login_missing"))),
            ("no session, bare", None, bare, Some((401, "login_missing"))),
            ("the kiosk's session", Some(&kiosk), own, Some((403, "staff_only"))),
            ("a made-up session", Some("staff=0123456789abcdef"), own, Some((401, "login_missing"))),
            ("a foreign origin", Some(&staff), evil, (!reads).then_some((403, "origin_foreign"))),
            (
                "a foreign origin, the kiosk's session",
                Some(&kiosk),
                evil,
                Some((403, if reads { "staff_only" } else { "origin_foreign" })),
            ),
            ("a foreign host", Some(&staff), rebound, Some((421, "host_foreign"))),
            ("no word of the page", Some(&staff), bare, (!reads).then_some((403, "origin_foreign"))),
        ];
        for (what, cookie, forge, wanted) in cases {
            let request = rig.request(route.method.parse().expect("a method"), &path);
            let request = cookie.into_iter().fold(request, |request, cookie| request.header("cookie", cookie));
            let (status, body) = ask(forge(request, &rig)).await;
            match wanted {
                Some((code, word)) => {
                    let told = (status.as_u16(), body["error"]["code"].as_str().unwrap_or_default());
                    assert_eq!(told, (code, word), "{what}: {} {path}", route.method);
                }
                None => assert_eq!(status, 200, "{what}: {} {path}", route.method),
            }
        }
    }
    let state = rig.core.state();
    assert!(state.wishes == 0 && state.tests.is_empty() && state.sent_again.is_empty(), "nothing came to the core");
}

#[tokio::test]
async fn h8_a_foreign_host_name_is_refused_on_every_route() {
    let rig = Rig::start().await;
    let port = rig.addr().port();
    let evil = format!("evil.example:{port}");
    let near = format!("127.0.0.1.evil.example:{port}");
    for route in route_names() {
        let path = route.path.replace("{id}", "x").replace("{*file}", "words.js").replace("{file}", "kiosk.js");
        let method: Method = route.method.parse().expect("a method");
        for host in [evil.as_str(), near.as_str(), "127.0.0.1:1", "localhost", ""] {
            let request = rig.program(method.clone(), &path).header("host", host);
            assert_eq!(refused(request).await, (421, "host_foreign".to_owned()), "{host} {path}");
        }
    }
    let own = rig.get("/api/v1/status").header("host", format!("localhost:{port}"));
    assert_eq!(ask(own).await.0, 200);
}

#[tokio::test]
async fn h8_a_request_that_a_proxy_hands_on_is_not_from_here() {
    let rig = Rig::start().await;
    for header in ["forwarded", "x-forwarded-for", "x-real-ip", "via"] {
        for path in ["/metrics", "/api/v1/status", "/api/v1/alarms"] {
            let request = rig.get(path).header(header, "203.0.113.9");
            assert_eq!(refused(request).await, (401, "login_missing".to_owned()), "{header} {path}");
        }
        let page = rig.get("/").header(header, "203.0.113.9").send().await.expect("the page");
        assert!(!page.headers().contains_key("set-cookie"), "no kiosk session through a proxy");
        assert_eq!(ask(rig.program(Method::GET, "/api/v1/status").header(header, "x")).await.0, 200);
    }
}

/// An address of this machine that is not loopback, where it has one.
fn outer_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[tokio::test]
async fn h8_from_another_address_every_read_needs_a_token() {
    let Some(ip) = outer_address() else {
        eprintln!("SKIPPED: this machine has no address but loopback");
        return;
    };
    let state_dir = StateDir::new();
    let (known, token) = credentials();
    let settings = settings(&format!("{ip}:0"), &state_dir, known);
    let rig = Rig::start_with(settings, token, state_dir, FakeCore::new()).await;
    let base = format!("http://{}", rig.addr());
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    for route in route_names() {
        let path = route
            .path
            .replace("{id}", "0123456789abcdef0123456789abcdef")
            .replace("{*file}", "words.js")
            .replace("{file}", "kiosk.js");
        let method: Method = route.method.parse().expect("a method");
        let status = client.request(method, format!("{base}{path}")).send().await.expect("an answer").status();
        match route.access {
            Access::Read | Access::Desk | Access::Staff => assert_eq!(status, 401, "{path}"),
            Access::Open => assert_ne!(status, 401, "{path}"),
        }
    }
    let page = client.get(format!("{base}/")).send().await.expect("the page");
    assert!(!page.headers().contains_key("set-cookie"), "no kiosk session for another address");
    let status = client.get(format!("{base}/metrics")).bearer_auth(&rig.token).send().await.expect("an answer");
    assert_eq!(status.status(), 200);
}

fn make(listen: &str, credentials: Credentials, hosts: &[&str]) -> Result<(), KioskError> {
    let state_dir = StateDir::new();
    let mut settings = settings(listen, &state_dir, credentials);
    settings.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    let (desk, _wishes) = mpsc::channel(1);
    let (view, _queries) = CoreView::channel();
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    Kiosk::new(settings, desk, view, metrics, Troubles::default()).map(|_| ())
}

#[test]
fn h8_an_address_that_others_reach_is_not_bound_without_credentials_and_host_names() {
    let (known, _) = credentials();
    let bare = make("0.0.0.0:0", Credentials::default(), &["gateway.lan:8080"]);
    assert!(matches!(bare, Err(KioskError::CredentialsMissing(_))), "{bare:?}");
    let nameless = make("0.0.0.0:0", known.clone(), &[]);
    assert!(matches!(nameless, Err(KioskError::HostsMissing(_))), "{nameless:?}");
    make("0.0.0.0:0", known, &["gateway.lan:8080"]).expect("both are there");
    make("127.0.0.1:0", Credentials::default(), &[]).expect("loopback needs neither");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_tried_again_until_it_is_free() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("it is bound");
    let state_dir = StateDir::new();
    let (desk, wishes) = mpsc::channel(1);
    let (view, queries) = CoreView::channel();
    let troubles = Troubles::default();
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let settings = settings(&address.to_string(), &state_dir, Credentials::default());
    let (kiosk, mut server) = Kiosk::new(settings, desk, view, metrics, troubles.clone()).expect("good settings");
    FakeCore::new().serve(kiosk, wishes, queries);
    assert!(!server.bind().await);
    let told = troubles.now();
    assert!(told[0].0 == Part::Kiosk && told[0].1.contains(&address.to_string()), "{told:?}");
    let server = tokio::spawn(server.run(std::future::pending()));
    drop(other);
    let answered = async {
        loop {
            let Ok(mut stream) = TcpStream::connect(address).await else {
                tokio::task::yield_now().await;
                continue;
            };
            let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.expect("written");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("an answer");
            break answer;
        }
    };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(15), answered).await;
    assert!(answer.expect("it answers once the port is free").starts_with(b"HTTP/1.1 200"));
    assert_eq!(troubles.now(), []);
    server.abort();
}

#[tokio::test]
async fn malformed_http_ends_that_connection_only() {
    let rig = Rig::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"\x00\x00\x00",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(rig.addr()).await.expect("a connection");
        stream.write_all(bytes).await.expect("written");
        stream.shutdown().await.expect("half closed");
        let mut answer = Vec::new();
        drop(tokio::time::timeout(std::time::Duration::from_secs(5), stream.read_to_end(&mut answer)).await);
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    let mut stream = TcpStream::connect(rig.addr()).await.expect("a connection");
    let head =
        format!("GET / HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nx: {}\r\n\r\n", rig.addr().port(), "x".repeat(64 * 1024));
    drop(stream.write_all(head.as_bytes()).await);
    let mut answer = Vec::new();
    drop(tokio::time::timeout(std::time::Duration::from_secs(5), stream.read_to_end(&mut answer)).await);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "a head of 64 KiB is not taken");
    assert_eq!(ask(rig.get("/api/v1/status")).await.0, 200);
}

#[tokio::test]
async fn refused_requests_are_shown_to_staff_and_counted_without_what_was_sent() {
    let rig = Rig::start().await;
    let mut body = lunch();
    body["items"][0]["service"] = serde_json::json!("no-such-thing");
    assert_eq!(refused(rig.sale("secret-key", &body)).await, (422, "service_unknown".to_owned()));
    let (_, refusals) = ask(rig.program(Method::GET, "/api/v1/refusals")).await;
    let newest = refusals.get(1).cloned().unwrap_or_default();
    assert_eq!(newest["from"], "request");
    assert_eq!((newest["code"].as_str(), newest["route"].as_str()), (Some("service_unknown"), Some("/api/v1/sales")));
    assert!(!refusals.to_string().contains("secret-key") && !refusals.to_string().contains(READER));
    let metrics = rig.get("/metrics").send().await.expect("metrics").text().await.expect("text");
    assert!(metrics.contains("kiosk_requests_refused_total{code=\"service_unknown\"}"), "{metrics}");
}

#[tokio::test]
async fn refused_reports_of_devices_are_shown_among_refused_requests_by_their_time() {
    let rig = Rig::start().await;
    assert_eq!(refused(rig.request(Method::DELETE, "/api/v1/status")).await.0, 405);
    let (_, refusals) = ask(rig.program(Method::GET, "/api/v1/refusals")).await;
    let all = refusals.as_array().expect("a list");
    let from: Vec<_> = all.iter().filter_map(|one| one["from"].as_str()).collect();
    assert_eq!(from, ["device", "request", "device"], "{refusals}");
    assert_eq!((&all[0]["device"], &all[0]["code"]), (&"btn-0003".into(), &"oversize".into()));
    assert_eq!((&all[2]["device"], &all[2]["sample"]), (&serde_json::Value::Null, &"btn-4711".into()));
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up_and_others_are_served_meanwhile() {
    let rig = Rig::start().await;
    let mut stream = TcpStream::connect(rig.addr()).await.expect("a connection");
    let head = format!(
        "POST /api/v1/sales HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\n\
         content-type: application/json\r\ncontent-length: 500\r\n\r\n{{",
        rig.addr().port(),
        rig.token
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    assert_eq!(ask(rig.get("/api/v1/status")).await.0, 200);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(std::time::Duration::from_secs(40), read).await.expect("given up").expect("read");
    assert!(answer.starts_with(b"HTTP/1.1 503"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(rig.core.state().wishes, 0);
}
