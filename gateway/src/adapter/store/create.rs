//! First boot: a journal appears complete or not at all.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, SqliteConnection};

use super::connect;
use super::error::OpenError;
use super::failure::StoreFailure;
use super::head::head_path;
use super::place::{Place, beside, private_file};

pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// What lies at the journal's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A file with content.
    File,
    /// A file of no bytes.
    Empty,
    /// Nothing.
    Nothing,
}

/// Looks at the path without opening the file.
pub fn look(path: &Path) -> Result<Found, OpenError> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() == 0 => Ok(Found::Empty),
        Ok(_) => Ok(Found::File),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(source) => Err(OpenError::Place { path: path.to_owned(), source }),
    }
}

/// Makes the journal aside, syncs it, gives it its name; returns its id. A power cut at any point leaves either no journal
/// or a complete one.
pub async fn create(place: &Place) -> Result<String, OpenError> {
    let path = place.journal();
    let aside = beside(&path, ".new");
    let failed = |source| OpenError::Place { path: aside.clone(), source };
    for suffix in ["", "-wal", "-shm", "-journal"] {
        remove(&beside(&aside, suffix)).map_err(failed)?;
    }
    remove(&head_path(place.dir())).map_err(failed)?;
    let file = private_file(&aside, OpenOptions::new().truncate(true)).map_err(failed)?;
    let id = fill(&aside).await?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&aside, &path).map_err(failed)?;
    place.sync().map_err(failed)?;
    Ok(id)
}

async fn fill(path: &Path) -> Result<String, OpenError> {
    let mut id = [0_u8; 16];
    getrandom::fill(&mut id).map_err(OpenError::Random)?;
    let id = hex::encode(id);
    let mut connection = connect::writing(path).await?;
    migrate(&mut connection).await?;
    sqlx::query("INSERT INTO journal (one, id) VALUES (1, ?)").bind(&id).execute(&mut connection).await?;
    connect::checkpoint(&mut connection, connect::Checkpoint::Truncate).await?;
    connection.close().await?;
    Ok(id)
}

/// Brings the schema up to date: each step and its record in one transaction.
pub async fn migrate(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    MIGRATIONS.run(connection).await.map_err(|error| {
        if let MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _) = &error {
            let failure = StoreFailure::from(inner);
            if failure.is_of_the_disk() {
                return OpenError::Store(failure);
            }
        }
        OpenError::Migration(error)
    })
}

/// Gives the journal another name, its log with it, so that it opens there as it is; returns the name.
pub fn set_aside(place: &Place) -> Result<PathBuf, OpenError> {
    let path = place.journal();
    let free = (1_u32..).map(|number| beside(&path, &format!(".aside-{number}"))).find(|name| !name.exists());
    let aside = free.expect("there are more numbers than files");
    // The file last: until then a repeated call finds it and takes the rest along.
    let moved = ["-wal", "-shm", ""].into_iter().try_for_each(|suffix| {
        match std::fs::rename(beside(&path, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    });
    moved.and_then(|()| place.sync()).map_err(|source| OpenError::Place { path, source })?;
    Ok(aside)
}

/// Removes a file that may be missing.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
