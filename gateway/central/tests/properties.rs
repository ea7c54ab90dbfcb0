//! Properties of the intake and the ledger on a real database: whatever order, however often.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use central::catalogue;
use central::enrolment::{self, Person};
use central::identity::Token;
use central::intake::{self, shape};
use central::issuer::{Issuer, serial_number};
use central::ledger::{audit, grant, hold, release};
use central::store::{Priority, Store, StoreError, Tx, WriterTask};
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use protocols::id::GatewayId;
use protocols::unit::Points;
use protocols::uplink::{CatalogueService, EntryUpload, HoldOutcome, HoldRequest, Outcome, PrivateRecord, Results};
use serde_json::{Value, json};

const SERIAL: &str = "00003100000012345678";
const GRANTED: i64 = 10_000;
static NEXT: AtomicU32 = AtomicU32::new(0);

struct Centre {
    directory: PathBuf,
    store: Store,
    writer: WriterTask,
    issuer: Arc<Issuer>,
    gateway: GatewayId,
}

impl Centre {
    async fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("central-properties-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let keys = directory.join("keys.toml");
        let text = "dik = \"303132333435363738393A3B3C3D3E3F\"\ndtk = \"202122232425262728292A2B2C2D2E2F\"\n";
        std::fs::write(&keys, text).expect("a file");
        let (store, writer) = Store::open(&directory.join("central.db")).await.expect("a store");
        central::app::facts(&store).await.expect("a stream");
        let issuer = Arc::new(Issuer::from_file(&keys).expect("keys"));
        let gateway: GatewayId = "gw-demo".parse().expect("a name");
        let centre = Self { directory, store, writer, issuer, gateway: gateway.clone() };
        let fill = centre.store.writer.run(Priority::Person, 1, move |tx| {
            Box::pin(async move {
                enrolment::gateway(tx, &gateway, &Token::from_text("t"), true).await?;
                let person = Person {
                    reference: "p1".to_owned(),
                    name: "示范".to_owned(),
                    address: String::new(),
                    contacts: "[]".to_owned(),
                    conditions: "[]".to_owned(),
                    place: None,
                };
                enrolment::person(tx, &person).await?;
                enrolment::card(tx, &serial_number(SERIAL).expect("a number"), "p1").await?;
                let amount = Points::from_fen(GRANTED.unsigned_abs()).expect("an amount");
                catalogue::publish(tx, services(), "test").await?;
                grant::give(tx, "p1", amount, "first", "test").await
            })
        });
        fill.await.expect("filled");
        centre
    }

    async fn upload(&self, uploads: Vec<EntryUpload>) -> Results {
        let items = shape::read_all(&self.gateway, uploads);
        let (issuer, gateway) = (Arc::clone(&self.issuer), self.gateway.clone());
        let job = self.store.writer.run(Priority::Bulk, items.len(), move |tx| {
            Box::pin(async move { intake::take(tx, &issuer, &gateway, "j0000000000000001", items).await })
        });
        job.await.expect("taken")
    }

    async fn hold(&self, request: Value) -> HoldOutcome {
        let request: HoldRequest = serde_json::from_value(request).expect("a request");
        let Ok(checked) = hold::check(&self.issuer, &self.gateway, request) else { return HoldOutcome::Refused };
        let (issuer, gateway) = (Arc::clone(&self.issuer), self.gateway.clone());
        let job = self.store.writer.run(Priority::Person, 1, move |tx| {
            Box::pin(async move { hold::take(tx, &issuer, &gateway, &checked).await })
        });
        job.await.expect("answered").outcome
    }

    async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.store.readers).await.expect("a number")
    }

    async fn close(self) {
        self.store.readers.close().await;
        drop(self.store);
        self.writer.await.expect("the writer ends").expect("the database is closed");
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn block_on(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test)
}

fn entry(origin: &Value, kind: &str, about: &Value, body: &Value) -> String {
    json!({"v": 1, "origin": origin, "kind": kind, "about": about, "recorded_at": "2026-11-24T10:00:00+08:00",
        "clock": "trusted", "body": body})
    .to_string()
}

fn chain(entries: Vec<(String, Option<PrivateRecord>)>) -> Vec<EntryUpload> {
    let mut hash = shape::FIRST_HASH;
    let mut uploads = Vec::new();
    for (n, (entry, private)) in (1..).zip(entries) {
        hash = shape::link(&hash, &entry);
        uploads.push(EntryUpload { n: Some(n), entry, hash: hex::encode(hash), private });
    }
    uploads
}

/// Reports, alarms, and one entry that nobody can read.
fn reports(count: u64) -> Vec<EntryUpload> {
    let entries = (1..=count).map(|seq| {
        let origin = json!({"source": "device:btn-0001", "epoch": 1, "seq": seq});
        let body = json!({"kind": "sos", "urgency": "emergency", "device": "btn-0001", "boot": null, "up_ms": null,
            "at": null, "battery_mv": null, "rssi_dbm": null, "detail": null});
        match seq % 3 {
            0 => entry(&origin, "alarm.raised", &Value::Null, &body),
            1 => entry(&origin, "later.kind", &Value::Null, &json!({"seq": seq})),
            _ => format!("{{broken {seq}"),
        }
    });
    chain(entries.map(|entry| (entry, None)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any order, any cut into uploads, any number of repetitions: each entry once, and the whole chain verified.
    #[test]
    fn entries_in_any_order_and_number_are_kept_once_and_end_in_one_head(
        order in Just((0..24_usize).chain(0..24).collect::<Vec<_>>()).prop_shuffle(),
        cut in 1_usize..9,
    ) {
        block_on(async move {
            let centre = Centre::new().await;
            let uploads = reports(24);
            let mut first = std::collections::BTreeMap::new();
            let mut head = None;
            for batch in order.chunks(cut) {
                let results = centre.upload(batch.iter().map(|at| uploads[*at].clone()).collect()).await;
                for result in results.results {
                    let n = result.n.expect("a number");
                    let expected = match (n % 3, first.contains_key(&n)) {
                        (2, _) => Outcome::Refused,
                        (_, true) => Outcome::Duplicate,
                        (_, false) => Outcome::Accepted,
                    };
                    prop_assert_eq!(result.outcome, expected, "{}", n);
                    first.insert(n, ());
                }
                head = results.head;
            }
            let head = head.expect("a head");
            prop_assert_eq!((head.n, head.hash), (24, uploads[23].hash.clone()));
            prop_assert_eq!(centre.number("SELECT COUNT(*) FROM entries").await, 16);
            prop_assert_eq!(centre.number("SELECT COUNT(*) FROM alarms").await, 8);
            prop_assert_eq!(centre.number("SELECT COUNT(*) FROM quarantine").await, 8);
            prop_assert_eq!(centre.number("SELECT COUNT(*) FROM chain WHERE linked = 0 OR bytes IS NOT NULL").await, 0);
            centre.close().await;
            Ok(())
        })?;
    }

    /// One byte of one entry changed on the way: it is refused, or the chain is marked, and the head stays before it.
    #[test]
    fn a_changed_entry_never_gets_into_the_verified_prefix(at in 0_usize..12, ahead in any::<bool>()) {
        block_on(async move {
            let centre = Centre::new().await;
            let uploads = reports(12);
            let mut changed = uploads[at].clone();
            changed.entry.push(' ');
            let mut order: Vec<EntryUpload> = uploads.clone();
            order[at] = changed.clone();
            if ahead {
                centre.upload(vec![changed]).await;
            }
            let head = centre.upload(order).await.head.expect("a head");
            prop_assert_eq!(head.n, at as u64);
            prop_assert_eq!(centre.number("SELECT COUNT(*) FROM journals WHERE forked_n IS NOT NULL").await, 1);
            prop_assert_eq!(centre.number("SELECT COUNT(*) FROM gateways WHERE closed_reason IS NOT NULL").await, 1);
            centre.close().await;
            Ok(())
        })?;
    }

    /// Holds, intents, outcomes and releases in any order: the ledger always adds up, and nobody pays twice.
    #[test]
    fn the_ledger_adds_up_after_whatever_happens(steps in prop::collection::vec((0_u64..6, 0_u8..7), 1..40)) {
        block_on(async move {
            let centre = Centre::new().await;
            let mut entries = Vec::new();
            let mut sent = 0;
            for (sale, what) in steps {
                let origin = json!({"source": "gateway:gw-demo", "epoch": "j0000000000000001", "seq": 1_000 + sale});
                match what {
                    0 | 1 => drop(centre.hold(hold_request(&origin, 1 + sale)).await),
                    2 => entries.push(intent(&origin, 1 + sale)),
                    6 => ask_release(&centre, &format!("gateway:gw-demo/j0000000000000001/{}", 1_000 + sale)).await,
                    _ => {
                        let word = ["paid", "cancelled", "unknown"][usize::from(what) - 3];
                        let own = json!({"source": "gateway:gw-demo", "epoch": "j0000000000000001",
                            "seq": entries.len() + 1});
                        let body = json!({"sale": sale.to_string(), "outcome": word, "reason": null, "purse": null});
                        entries.push((entry(&own, "sale.outcome", &origin, &body), None));
                    }
                }
                let uploads = chain(entries.clone());
                if uploads.len() > sent {
                    centre.upload(uploads[sent..].to_vec()).await;
                    sent = uploads.len();
                }
                let mut reader = centre.store.readers.acquire().await.expect("a reader");
                prop_assert_eq!(audit::run(&mut reader).await.expect("an audit"), vec![]);
            }
            let owned = centre.number("SELECT COALESCE(SUM(amount), 0) FROM postings WHERE account LIKE 'elder:%' OR account LIKE 'held:%'").await;
            let paid = centre.number("SELECT COALESCE(SUM(amount), 0) FROM postings WHERE account LIKE 'provider:%'").await;
            prop_assert_eq!(owned + paid, GRANTED);
            prop_assert_eq!(centre.number("SELECT COUNT(*) FROM (SELECT subject FROM transactions WHERE kind IN ('post', 'void') GROUP BY subject HAVING COUNT(*) > 1)").await, 0);
            centre.close().await;
            Ok(())
        })?;
    }
}

async fn ask_release(centre: &Centre, origin: &str) {
    for actor in ["a", "b"] {
        let origin = origin.to_owned();
        let job = centre
            .store
            .writer
            .run(Priority::Person, 1, move |tx| Box::pin(async move { release::ask(tx, &origin, actor).await }));
        job.await.expect("answered");
    }
}

/// The price of a lunch, fen.
const LUNCH: u64 = 900;

fn services() -> Vec<CatalogueService> {
    let lunch = json!({"id": "meal-lunch", "provider": "canteen-01", "category": "meal", "name_zh": "午餐",
        "name_en": "Lunch", "price": LUNCH});
    vec![serde_json::from_value(lunch).expect("a service")]
}

fn hold_request(origin: &Value, lunches: u64) -> Value {
    json!({"v": 1, "origin": origin, "card": SERIAL,
        "proof": {"challenge": "1122334455667788", "response": "9c2b4dd8c4fec173"}, "items": items(lunches),
        "amount": lunches * LUNCH})
}

fn items(lunches: u64) -> Value {
    json!([{"service": "meal-lunch", "provider": "canteen-01", "quantity": lunches, "unit_price": LUNCH}])
}

fn intent(origin: &Value, lunches: u64) -> (String, Option<PrivateRecord>) {
    let bytes = json!({"card": SERIAL}).to_string();
    let mac = Hmac::<sha2::Sha256>::new_from_slice(&[1]).expect("any key will do").chain_update(&bytes);
    let body = json!({"sale": "s", "tender": "account", "items": items(lunches), "amount": lunches * LUNCH, "catalogue": 1,
        "purse": null, "private_hmac": hex::encode(mac.finalize().into_bytes())});
    let private = PrivateRecord { salt: "01".to_owned(), bytes };
    (entry(origin, "sale.intent", &Value::Null, &body), Some(private))
}

async fn max_pages(tx: &mut Tx, pages: &'static str) -> Result<(), StoreError> {
    sqlx::query(pages).fetch_all(&mut tx.conn).await?;
    Ok(())
}

/// A8.
#[tokio::test]
async fn a8_a_full_disk_is_said_and_nothing_is_half_kept_until_there_is_room() {
    let centre = Centre::new().await;
    let limit = centre.store.writer.run(Priority::Person, 1, |tx| Box::pin(max_pages(tx, "PRAGMA max_page_count = 1")));
    limit.await.expect("the limit is set to the present size");
    let large: Vec<_> = (0..200_u64)
        .map(|seq| {
            let origin = json!({"source": "device:btn-0001", "epoch": 2, "seq": seq});
            (entry(&origin, "later.kind", &Value::Null, &json!("x".repeat(4_000))), None)
        })
        .collect();
    let uploads = chain(large);
    let items = shape::read_all(&centre.gateway, uploads.clone());
    let (issuer, gateway) = (Arc::clone(&centre.issuer), centre.gateway.clone());
    let refused = centre.store.writer.run(Priority::Bulk, 200, move |tx| {
        Box::pin(async move { intake::take(tx, &issuer, &gateway, "j0000000000000001", items).await })
    });
    assert!(matches!(refused.await, Err(StoreError::Full)));
    assert_eq!(centre.number("SELECT COUNT(*) FROM entries").await, 0);
    assert_eq!(centre.number("SELECT COUNT(*) FROM journals").await, 0);
    let room =
        centre.store.writer.run(Priority::Person, 1, |tx| Box::pin(max_pages(tx, "PRAGMA max_page_count = 100000")));
    room.await.expect("there is room again");
    assert_eq!(centre.upload(uploads).await.head.expect("a head").n, 200);
    centre.close().await;
}

#[tokio::test]
async fn the_ledger_refuses_to_be_changed() {
    let centre = Centre::new().await;
    for statement in [
        "UPDATE postings SET amount = 0",
        "DELETE FROM postings",
        "UPDATE transactions SET actor = 'x'",
        "DELETE FROM transactions",
    ] {
        let job = centre.store.writer.run(Priority::Person, 1, move |tx| {
            Box::pin(async move {
                sqlx::query(statement).execute(&mut tx.conn).await?;
                Ok(())
            })
        });
        assert!(job.await.is_err(), "{statement}");
    }
    assert_eq!(centre.number("SELECT SUM(amount) FROM postings WHERE account = 'elder:p1'").await, GRANTED);
    centre.close().await;
}

/// A17.
#[tokio::test]
async fn a17_a_second_centre_on_one_database_is_refused() {
    let centre = Centre::new().await;
    let second = Store::open(&centre.directory.join("central.db")).await;
    assert!(matches!(second, Err(central::store::OpenError::InUse { .. })), "{second:?}");
    centre.close().await;
}

#[tokio::test]
async fn h2_a_database_of_a_later_version_is_refused_and_left_as_it_is() {
    let centre = Centre::new().await;
    let later = centre.store.writer.run(Priority::Person, 1, |tx| {
        Box::pin(async move {
            sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)")
                .execute(&mut tx.conn)
                .await?;
            Ok(())
        })
    });
    later.await.expect("a later migration");
    let directory = centre.directory.clone();
    centre.store.readers.close().await;
    drop(centre.store);
    centre.writer.await.expect("the writer ends").expect("the database is closed");
    let opened = Store::open(&directory.join("central.db")).await;
    assert!(matches!(opened, Err(central::store::OpenError::Schema(_))), "{opened:?}");
    std::fs::remove_dir_all(&directory).ok();
}
