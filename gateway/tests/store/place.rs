//! The state directory: first boot, losses, strangers, a new beginning.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gateway::adapter::store::{Journal, OpenError};

use crate::rows::{Chain, Dir, alter, put, start};

async fn one_report(dir: &Dir) -> String {
    let (mut running, restored) = start(dir).await;
    running.commit(vec![Chain::default().report("btn-0001", 1)], vec![put("k", "1")]).await;
    running.close().await;
    restored.journal
}

async fn refusal(dir: &Dir) -> OpenError {
    Journal::open(dir.path()).await.map(|_| ()).expect_err("the journal is refused")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn only_the_owner_can_see_the_journal() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path()).expect("writable");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    let (mut running, _) = start(&dir).await;
    running.commit(vec![Chain::default().report("btn-0001", 1)], vec![]).await;
    assert_eq!(mode(dir.path()), 0o700);
    let names: Vec<_> = fs::read_dir(dir.path()).expect("ours").map(|file| file.expect("ours").path()).collect();
    assert!(names.iter().any(|name| name.ends_with("journal.db-wal")), "{names:?}");
    for name in names {
        assert_eq!(mode(&name), 0o600, "{}", name.display());
    }
    running.close().await;
}

/// A5.
#[tokio::test]
async fn a5_a_first_boot_that_lost_power_is_done_again() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path()).expect("writable");
    fs::write(dir.path().join("journal.db.new"), vec![0x53; 10_000]).expect("writable");
    fs::write(dir.path().join("journal.db.new-wal"), vec![1; 5_000]).expect("writable");
    fs::write(dir.path().join("enrolled.new"), "ab").expect("writable");
    let id = one_report(&dir).await;

    // Power went after the file had its name and before the mark was set.
    fs::remove_file(dir.path().join("enrolled")).expect("it was set");
    let (running, restored) = start(&dir).await;
    assert_eq!((restored.journal.as_str(), restored.last_n), (id.as_str(), 1));
    assert_eq!(fs::read_to_string(dir.path().join("enrolled")).expect("set again").trim(), id);
    running.close().await;
}

/// A16.
#[tokio::test]
async fn a16_a_missing_or_empty_journal_of_an_enrolled_gateway_is_no_first_boot() {
    let dir = Dir::new();
    let id = one_report(&dir).await;
    fs::write(dir.db(), "").expect("ours");
    let error = refusal(&dir).await;
    assert!(matches!(&error, OpenError::Lost { journal, empty: true, .. } if *journal == id), "{error}");
    fs::remove_file(dir.db()).expect("ours");
    let error = refusal(&dir).await;
    assert!(matches!(&error, OpenError::Lost { empty: false, .. }), "{error}");
    assert!(error.needs_a_person());
    assert!(error.to_string().contains("gateway journal init --replace"), "{error}");
    assert!(!dir.db().exists());
}

/// A11.
#[tokio::test]
async fn a11_a_trashed_file_is_refused_and_kept() {
    let dir = Dir::new();
    one_report(&dir).await;
    let mut bytes = fs::read(dir.db()).expect("ours");
    bytes[..100].fill(0xa5);
    fs::write(dir.db(), &bytes).expect("ours");
    let error = refusal(&dir).await;
    assert!(error.needs_a_person(), "{error}");
    assert_eq!(fs::read(dir.db()).expect("ours"), bytes);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_kept() {
    let dir = Dir::new();
    one_report(&dir).await;
    fs::remove_file(dir.db()).expect("ours");
    foreign_database(&dir.db()).await;
    let before = fs::read(dir.db()).expect("ours");
    let error = refusal(&dir).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(fs::read(dir.db()).expect("ours"), before);
}

async fn foreign_database(path: &Path) {
    use sqlx::{ConnectOptions, Connection};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.expect("writable");
    sqlx::query("CREATE TABLE entry (n INTEGER)").execute(&mut connection).await.expect("writable");
    connection.close().await.expect("writable");
}

#[tokio::test]
async fn the_journal_of_another_gateway_is_refused() {
    let (mine, other) = (Dir::new(), Dir::new());
    let id = one_report(&mine).await;
    let foreign = one_report(&other).await;
    fs::copy(other.db(), mine.db()).expect("ours");
    let error = refusal(&mine).await;
    assert!(
        matches!(&error, OpenError::OtherJournal { enrolled, found } if *enrolled == id && *found == foreign),
        "{error}"
    );
}

#[tokio::test]
async fn h2_a_newer_schema_is_refused_and_the_file_untouched() {
    let dir = Dir::new();
    one_report(&dir).await;
    alter(
        &dir.db(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', TRUE, x'00', 0)",
    )
    .await;
    let before = fs::read(dir.db()).expect("ours");
    let error = refusal(&dir).await;
    assert!(matches!(error, OpenError::NewerSchema { found: 99, known: 2 }), "{error}");
    assert!(!error.needs_a_person() && error.forbids_running());
    assert_eq!(fs::read(dir.db()).expect("ours"), before);
}

/// A14, A15.
#[tokio::test]
async fn a14_a15_a_journal_that_went_back_is_refused() {
    let dir = Dir::new();
    let (mut running, _) = start(&dir).await;
    let mut chain = Chain::default();
    running.commit((1..=3).map(|seq| chain.report("btn-0001", seq)).collect(), vec![]).await;
    running.close().await;
    let old = fs::read(dir.db()).expect("ours");
    let (mut running, _) = start(&dir).await;
    running.commit((4..=9).map(|seq| chain.report("btn-0001", seq)).collect(), vec![]).await;
    running.close().await;

    fs::write(dir.db(), old).expect("ours");
    let error = refusal(&dir).await;
    assert!(matches!(error, OpenError::WentBack { noted: 9, found: 3 }), "{error}");
    assert!(error.needs_a_person());
}

#[tokio::test]
async fn an_entry_that_was_exchanged_for_another_is_refused() {
    let (dir, fork) = (Dir::new(), Dir::new());
    one_report(&dir).await;
    let (mut running, _) = start(&fork).await;
    running.commit(vec![Chain::default().report("btn-0009", 1)], vec![]).await;
    running.close().await;
    fs::copy(fork.db(), dir.db()).expect("ours");
    fs::copy(fork.path().join("enrolled"), dir.path().join("enrolled")).expect("ours");
    let error = refusal(&dir).await;
    assert!(matches!(error, OpenError::Forked { n: 1 }), "{error}");
}

#[tokio::test]
async fn a_note_of_the_head_that_a_power_cut_tore_is_ignored() {
    let dir = Dir::new();
    one_report(&dir).await;
    for torn in ["", "\0\0\0\0", "00000000000000000009 abcd\n", "00000000000000000001"] {
        fs::write(dir.path().join("head"), torn).expect("ours");
        let (running, restored) = start(&dir).await;
        assert_eq!(restored.last_n, 1);
        running.close().await;
    }
}

#[tokio::test]
async fn a_new_journal_sets_the_old_one_aside_where_it_still_opens() {
    let dir = Dir::new();
    let old = one_report(&dir).await;
    let error = Journal::init(dir.path(), false).await.expect_err("one is there");
    assert!(matches!(error, OpenError::AlreadyThere { .. }), "{error}");

    let begun = Journal::init(dir.path(), true).await.expect("it is replaced");
    assert_ne!(begun.journal, old);
    let (running, restored) = start(&dir).await;
    assert_eq!((restored.journal, restored.last_n, restored.state.len()), (begun.journal, 0, 0));
    running.close().await;

    let back = Dir::new();
    fs::create_dir_all(back.path()).expect("writable");
    fs::rename(begun.aside.expect("the old one was set aside"), back.db()).expect("ours");
    let (running, restored) = start(&back).await;
    assert_eq!((restored.journal, restored.last_n), (old, 1));
    running.close().await;
}

#[tokio::test]
async fn init_begins_a_journal_where_none_was_and_after_a_loss() {
    let dir = Dir::new();
    let begun = Journal::init(dir.path(), false).await.expect("nothing is there");
    assert_eq!(begun.aside, None);
    fs::remove_file(dir.db()).expect("ours");
    assert!(matches!(refusal(&dir).await, OpenError::Lost { .. }));
    let again = Journal::init(dir.path(), true).await.expect("it is replaced");
    let (running, restored) = start(&dir).await;
    assert_eq!(restored.journal, again.journal);
    running.close().await;
}
