//! A made-up district for demonstrations and tests: people, cards, devices, a catalogue, a gateway and two operators.
//!
//! **Invariant:** every person, number and price here is made up.
//! **Invariant:** run again, it changes nothing: tokens are read back from the files that the first run wrote.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use protocols::card::value::ApplicationSerialNumber;
use protocols::id::{ActorId, DeviceId, GatewayId};
use protocols::unit::Points;
use protocols::uplink::{CatalogueService, ServicePicture};
use serde::Serialize;

use crate::app;
use crate::catalogue::{self, Policy};
use crate::config::{Config, ConfigError, Unchecked};
use crate::enrolment::{self, Coordinates, Device, EnrolAnswer, Person};
use crate::identity::Token;
use crate::issuer::serial_number;
use crate::ledger::grant;
use crate::login::password::{self, PasswordError};
use crate::store::{Priority, StoreError, Tx};

/// The gateway of the demonstration.
const GATEWAY: &str = "gw-demo";
/// Its operators.
const OPERATORS: [&str; 2] = ["op-demo", "op-night"];
/// The one who grants.
const GRANTER: &str = "seed-demo";
/// Characters of a drawn password: 64 bits, and short enough to be typed.
const PASSWORD_LEN: usize = 16;
/// Points that each account begins with, fen.
const GRANT_FEN: u64 = 50_000;
/// Made-up master keys of an issuer that exists nowhere.
const KEYS: &str = "# Made-up master keys of the demonstration's card issuer.
dik = \"303132333435363738393A3B3C3D3E3F\"
dtk = \"202122232425262728292A2B2C2D2E2F\"
";

/// Where the gateway stands on the made-up map.
const PLACE: Place = (30.2500, 120.1700);

/// Degrees north and east.
type Place = (f64, f64);

/// Reference, name, address, serial number of the card, place on the made-up map.
const PEOPLE: [(&str, &str, &str, &str, Place); 4] = [
    ("person-0001", "王秀英", "示范街道 1 号 1 单元 101", "00003100000012345678", (30.2512, 120.1684)),
    ("person-0002", "李建国", "示范街道 1 号 2 单元 302", "00003100000012345679", (30.2514, 120.1688)),
    ("person-0003", "陈桂兰", "示范街道 8 号 501", "00003100000012345680", (30.2478, 120.1722)),
    ("person-0004", "周阿福", "示范街道 12 号 203", "00003100000012345681", (30.2533, 120.1741)),
];

/// Id, kind, place, person.
const DEVICES: [(&str, &str, &str, Option<&str>); 5] = [
    ("btn-0001", "button", "卧室", Some("person-0001")),
    ("btn-0002", "button", "卧室", Some("person-0002")),
    ("cord-0001", "pull_cord", "卫生间", Some("person-0003")),
    ("pend-0001", "pendant", "随身", Some("person-0004")),
    ("btn-9001", "button", "照料中心大厅", None),
];

/// A service of the demonstration.
struct DemoService {
    id: &'static str,
    provider: &'static str,
    category: &'static str,
    picture: ServicePicture,
    names: (&'static str, &'static str),
    descriptions: (&'static str, &'static str),
    /// What the elder pays, and what it costs before the city's share, fen.
    prices: (u64, u64),
}

/// Made up, as the prices and the city's share in them are.
const SERVICES: [DemoService; 12] = [
    DemoService {
        id: "meal-lunch",
        provider: "canteen-01",
        category: "meal",
        picture: ServicePicture::Meal,
        names: ("午餐", "Lunch"),
        descriptions: ("一荤两素一汤，十一点到一点", "Meat, two vegetables and soup, from eleven to one"),
        prices: (1_250, 1_800),
    },
    DemoService {
        id: "meal-dinner",
        provider: "canteen-01",
        category: "meal",
        picture: ServicePicture::Meal,
        names: ("晚餐", "Dinner"),
        descriptions: ("软烂好消化，四点半到六点", "Soft and light, from half past four to six"),
        prices: (1_000, 1_500),
    },
    DemoService {
        id: "meal-delivery",
        provider: "canteen-01",
        category: "meal",
        picture: ServicePicture::Meal,
        names: ("送餐上门", "Meal delivered"),
        descriptions: ("把午餐送到您家里", "Your lunch is brought to your home"),
        prices: (300, 600),
    },
    DemoService {
        id: "home-clean",
        provider: "home-care-01",
        category: "home",
        picture: ServicePicture::Clean,
        names: ("居家保洁(1 小时)", "Cleaning, 1 hour"),
        descriptions: ("上门打扫房间一小时", "Your rooms are cleaned for an hour"),
        prices: (3_500, 5_000),
    },
    DemoService {
        id: "home-laundry",
        provider: "home-care-01",
        category: "home",
        picture: ServicePicture::Laundry,
        names: ("洗衣服", "Laundry"),
        descriptions: ("取走一袋衣服，洗好送回", "One bag is fetched, washed and brought back"),
        prices: (1_200, 2_000),
    },
    DemoService {
        id: "home-chores",
        provider: "home-care-01",
        category: "home",
        picture: ServicePicture::Shop,
        names: ("代办跑腿", "Errands"),
        descriptions: ("帮您买菜、取药、交费", "Shopping, medicine, bills"),
        prices: (1_500, 1_500),
    },
    DemoService {
        id: "home-repair",
        provider: "home-care-01",
        category: "home",
        picture: ServicePicture::Repair,
        names: ("家里小修", "Small repairs"),
        descriptions: ("换灯泡、修水龙头", "A bulb, a tap"),
        prices: (2_500, 4_000),
    },
    DemoService {
        id: "bath-assist",
        provider: "home-care-01",
        category: "bath",
        picture: ServicePicture::Bath,
        names: ("助浴", "Help with bathing"),
        descriptions: ("护理员帮您洗澡，约一小时", "A carer helps you bathe, about an hour"),
        prices: (8_000, 12_000),
    },
    DemoService {
        id: "hair-cut",
        provider: "home-care-01",
        category: "bath",
        picture: ServicePicture::Haircut,
        names: ("理发", "Haircut"),
        descriptions: ("在中心一楼理发室", "In the centre, ground floor"),
        prices: (1_000, 2_000),
    },
    DemoService {
        id: "rehab-session",
        provider: "rehab-01",
        category: "rehab",
        picture: ServicePicture::Rehab,
        names: ("康复训练(45 分钟)", "Rehabilitation, 45 minutes"),
        descriptions: ("康复师一对一", "One therapist, for you alone"),
        prices: (6_000, 9_000),
    },
    DemoService {
        id: "walk-hour",
        provider: "home-care-01",
        category: "company",
        picture: ServicePicture::Walk,
        names: ("陪伴散步(1 小时)", "Company on a walk, 1 hour"),
        descriptions: ("有人陪您走走、说说话", "Somebody walks and talks with you"),
        prices: (2_000, 3_000),
    },
    DemoService {
        id: "doctor-visit",
        provider: "clinic-01",
        category: "company",
        picture: ServicePicture::Doctor,
        names: ("陪同看病(半天)", "Company to the doctor, half a day"),
        descriptions: ("陪您去医院，挂号、取药", "To the hospital with you, and home again"),
        prices: (6_000, 10_000),
    },
];

/// Why the demonstration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The centre's database cannot be used.
    #[error(transparent)]
    Start(#[from] app::StartError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be written or read.
    #[error("cannot write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
    /// A password in its file is none.
    #[error("a password of the demonstration cannot be used: delete its file")]
    Password(#[source] PasswordError),
    /// The database was not closed well.
    #[error("the database was not closed")]
    NotClosed,
}

/// A token and where it is kept.
#[derive(Debug, Serialize)]
pub struct Identity {
    /// Whose it is.
    pub id: String,
    /// The token.
    pub token: String,
    /// The file that keeps it.
    pub token_file: PathBuf,
}

/// A made-up card.
#[derive(Debug, Serialize)]
pub struct DemoCard {
    /// Its serial number, 20 digits.
    pub serial: &'static str,
    /// Its reference.
    pub card: String,
    /// Whose it is; also the account's reference.
    pub person: &'static str,
}

/// An operator's name, token and password, and where they are kept.
#[derive(Debug, Serialize)]
pub struct DemoOperator {
    /// The name.
    pub id: String,
    /// The token, for programs.
    pub token: String,
    /// The file that keeps it.
    pub token_file: PathBuf,
    /// The password, for people.
    pub password: String,
    /// The file that keeps it.
    pub password_file: PathBuf,
}

/// What the demonstration has.
#[derive(Debug, Serialize)]
pub struct District {
    /// Where the centre will listen.
    pub listen: String,
    /// The gateway.
    pub gateway: Identity,
    /// The operators.
    pub operators: Vec<DemoOperator>,
    /// The cards.
    pub cards: Vec<DemoCard>,
    /// The devices.
    pub devices: Vec<&'static str>,
    /// The services.
    pub services: Vec<&'static str>,
    /// The issuer's keys.
    pub issuer_keys: Option<PathBuf>,
}

/// Makes the demonstration in the database of a configuration; the issuer's key file is made where it is missing.
///
/// # Errors
/// The configuration, the files or the database cannot be used.
pub async fn run(unchecked: Unchecked) -> Result<District, SeedError> {
    if let Some(keys) = &unchecked.config.issuer_keys {
        write_once(keys, KEYS)?;
    }
    let config = unchecked.check()?;
    let directory = config.database.parent().unwrap_or_else(|| Path::new("")).join("demo");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .map_err(|source| SeedError::File { path: directory.clone(), source })?;
    let gateway = identity(&directory, GATEWAY)?;
    let operators = OPERATORS.iter().map(|id| operator(&directory, id)).collect::<Result<Vec<_>, _>>()?;
    let (store, writer) = app::open(&config).await?;
    app::facts(&store).await?;
    let secrets = operators.iter().map(secrets).collect::<Result<Vec<_>, _>>()?;
    let token = Token::from_text(&gateway.token);
    let cards = store
        .writer
        .run(Priority::Person, 1, move |tx| Box::pin(async move { fill(tx, &token, &secrets).await }))
        .await?;
    drop(store);
    writer.await.map_err(|_| SeedError::NotClosed)??;
    Ok(district(&config, gateway, operators, cards))
}

fn district(config: &Config, gateway: Identity, operators: Vec<DemoOperator>, cards: Vec<DemoCard>) -> District {
    District {
        listen: config.listen.to_string(),
        gateway,
        operators,
        cards,
        devices: DEVICES.iter().map(|(id, ..)| *id).collect(),
        services: SERVICES.iter().map(|service| service.id).collect(),
        issuer_keys: config.issuer_keys.clone(),
    }
}

async fn fill(tx: &mut Tx, token: &Token, operators: &[Secrets]) -> Result<Vec<DemoCard>, StoreError> {
    let gateway: GatewayId = GATEWAY.parse().expect("the demonstration's gateway has a name");
    enrolment::gateway(tx, &gateway, token, true).await?;
    enrolment::gateway_place(tx, &gateway, place(PLACE)).await?;
    for Secrets { id, token, password_hash } in operators {
        let known: Option<Option<String>> = sqlx::query_scalar("SELECT password FROM actors WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut tx.conn)
            .await?;
        enrolment::operator(tx, id, token).await?;
        if known.flatten().is_none() {
            password::set(tx, id, password_hash).await?;
        }
    }
    let mut cards = Vec::new();
    for (reference, name, address, serial, at) in PEOPLE {
        let person = Person {
            reference: reference.to_owned(),
            name: name.to_owned(),
            address: address.to_owned(),
            contacts: r#"[{"name":"示范联系人","phone":"000-0000-0000"}]"#.to_owned(),
            conditions: "[]".to_owned(),
            place: Some(place(at)),
        };
        enrolment::person(tx, &person).await?;
        let number: ApplicationSerialNumber =
            serial_number(serial).expect("the demonstration's cards have serial numbers");
        let EnrolAnswer::Enrolled(card) = enrolment::card(tx, &number, reference).await? else { continue };
        let amount = Points::from_fen(GRANT_FEN).expect("the demonstration's grant is an amount");
        grant::give(tx, reference, amount, &format!("{GRANTER}-{reference}"), GRANTER).await?;
        cards.push(DemoCard { serial, card, person: reference });
    }
    devices(tx, &gateway).await?;
    let made: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM catalogues").fetch_one(&mut tx.conn).await?;
    if made == 0 {
        catalogue::publish(tx, services(), GRANTER).await?;
        let sale_max = Points::from_fen(20_000).expect("the demonstration's limit is an amount");
        catalogue::publish_policy(tx, &Policy { from: "2026-01-01".to_owned(), sale_max }, GRANTER).await?;
    }
    Ok(cards)
}

async fn devices(tx: &mut Tx, gateway: &GatewayId) -> Result<(), StoreError> {
    for (id, kind, place, person) in DEVICES {
        let device = Device {
            id: id.parse::<DeviceId>().expect("the demonstration's devices have names"),
            kind: kind.to_owned(),
            place: place.to_owned(),
            person: person.map(str::to_owned),
            gateway: Some(gateway.clone()),
            standby: BTreeSet::new(),
            silent_after_s: 3 * 3_600,
            heartbeat_s: 3_600,
        };
        enrolment::device(tx, &device).await?;
    }
    Ok(())
}

fn services() -> Vec<CatalogueService> {
    let amount = |fen| Points::from_fen(fen).expect("the demonstration's prices are amounts");
    SERVICES
        .iter()
        .map(|service| CatalogueService {
            id: service.id.parse().expect("the demonstration's services have names"),
            provider: service.provider.parse().expect("the demonstration's providers have names"),
            category: service.category.to_owned(),
            name_zh: service.names.0.to_owned(),
            name_en: service.names.1.to_owned(),
            price: amount(service.prices.0),
            full_price: Some(amount(service.prices.1)),
            picture: Some(service.picture),
            description_zh: Some(service.descriptions.0.to_owned()),
            description_en: Some(service.descriptions.1.to_owned()),
        })
        .collect()
}

fn place((lat, lon): Place) -> Coordinates {
    Coordinates::new(lat, lon).expect("the demonstration's places are on the map")
}

/// What is kept of an operator's token and password.
struct Secrets {
    id: ActorId,
    token: Token,
    password_hash: String,
}

fn secrets(operator: &DemoOperator) -> Result<Secrets, SeedError> {
    Ok(Secrets {
        id: operator.id.parse().expect("the demonstration's operators have names"),
        token: Token::from_text(&operator.token),
        password_hash: password::hash(&operator.password).map_err(SeedError::Password)?,
    })
}

fn operator(directory: &Path, id: &str) -> Result<DemoOperator, SeedError> {
    let Identity { id, token, token_file } = identity(directory, id)?;
    let path = directory.join(format!("{id}.password"));
    let drawn = Token::draw().map_err(|_| SeedError::Randomness)?;
    let password = drawn.expose().get(..PASSWORD_LEN).unwrap_or_default();
    write_once(&path, &format!("{password}\n"))?;
    let text = std::fs::read_to_string(&path).map_err(|source| SeedError::File { path: path.clone(), source })?;
    Ok(DemoOperator { id, token, token_file, password: text.trim().to_owned(), password_file: path })
}

fn identity(directory: &Path, id: &str) -> Result<Identity, SeedError> {
    let path = directory.join(format!("{id}.token"));
    let drawn = Token::draw().map_err(|_| SeedError::Randomness)?;
    write_once(&path, &format!("{}\n", drawn.expose()))?;
    let text = std::fs::read_to_string(&path).map_err(|source| SeedError::File { path: path.clone(), source })?;
    Ok(Identity { id: id.to_owned(), token: text.trim().to_owned(), token_file: path })
}

/// Writes a file for its owner alone, unless it is there.
fn write_once(path: &Path, text: &str) -> Result<(), SeedError> {
    let failed = |source| SeedError::File { path: path.to_owned(), source };
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}
