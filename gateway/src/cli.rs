//! The command line: `gateway run | check-config | journal | device | staff`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use protocols::id::{ActorId, DeviceId};

/// Where the configuration lies unless `--config` says otherwise.
pub const CONFIG_DEFAULT: &str = "/etc/chongyang/gateway.toml";

/// The care centre's gateway: emergency buttons over MQTT, citizen cards over PC/SC, everything to the city's centre.
#[derive(Debug, Parser)]
#[command(name = "gateway", version)]
pub struct Cli {
    /// How much is logged: error, warn, info, debug, or a filter such as `info,gateway::adapter::uplink=debug`
    #[arg(long, global = true, default_value = "info")]
    pub log: String,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What to do
    #[command(subcommand)]
    pub task: Task,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Run the daemon until SIGTERM or Ctrl-C
    Run(ConfigArg),
    /// Read the configuration and every file it names; exit code 78 and file, line and key when something is wrong
    CheckConfig(ConfigArg),
    /// Look at the journal, also while the daemon runs
    #[command(subcommand)]
    Journal(JournalTask),
    /// Change which devices may log in
    #[command(subcommand)]
    Device(DeviceTask),
    /// Change who may use the staff page
    #[command(subcommand)]
    Staff(StaffTask),
}

/// Which configuration.
#[derive(Debug, Args)]
pub struct ConfigArg {
    /// The configuration file
    #[arg(long, default_value = CONFIG_DEFAULT)]
    pub config: PathBuf,
}

/// Look at the journal.
#[derive(Debug, Subcommand)]
pub enum JournalTask {
    /// Verify the whole chain: numbers, hashes, origins, private records; exit code 1 and the first bad row otherwise
    Verify {
        /// The configuration file
        #[arg(long, default_value = CONFIG_DEFAULT)]
        config: PathBuf,
        /// The database's own structure too; takes longer
        #[arg(long)]
        whole: bool,
    },
    /// Print entries, one JSON object a line
    Show {
        /// The configuration file
        #[arg(long, default_value = CONFIG_DEFAULT)]
        config: PathBuf,
        /// The first number; without it the last entries are shown
        #[arg(long)]
        from: Option<u64>,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: u64,
        /// Only entries of this kind, such as alarm.raised
        #[arg(long)]
        kind: Option<String>,
        /// Only entries of this source, such as device:btn-0001
        #[arg(long)]
        source: Option<String>,
        /// With the personal data beside them
        #[arg(long)]
        private: bool,
    },
    /// Begin a new journal where there is none; with --replace the old one is set aside, and sales stay closed until the
    /// centre approves
    Init {
        /// The configuration file
        #[arg(long, default_value = CONFIG_DEFAULT)]
        config: PathBuf,
        /// Set an existing journal aside
        #[arg(long)]
        replace: bool,
    },
}

/// Change which devices may log in.
#[derive(Debug, Subcommand)]
pub enum DeviceTask {
    /// Add a device; the secret is shown once
    Add {
        /// The configuration file
        #[arg(long, default_value = CONFIG_DEFAULT)]
        config: PathBuf,
        /// The device's name as the centre issued it
        id: DeviceId,
        /// Seconds without a sign until it counts as silent
        #[arg(long)]
        silent_after_s: Option<u32>,
        /// Its epoch, set anew at each provisioning
        #[arg(long)]
        epoch: Option<u32>,
        /// What it is, for people: button, pull cord …
        #[arg(long)]
        kind: Option<String>,
        /// Where it is, for whoever goes there: "3号楼 201 卧室"
        #[arg(long)]
        place: Option<String>,
    },
    /// Print the devices
    List(ConfigArg),
    /// Remove a device; a running gateway ends its connection within seconds. To give it a new secret, remove and add it
    Remove {
        /// The configuration file
        #[arg(long, default_value = CONFIG_DEFAULT)]
        config: PathBuf,
        /// The device's name
        id: DeviceId,
    },
}

/// Change who may use the staff page.
#[derive(Debug, Subcommand)]
pub enum StaffTask {
    /// Print a credentials-file entry for a person; the PIN is read from standard input
    Pin {
        /// The person's name in records
        name: ActorId,
    },
    /// Print a credentials-file entry with a new bearer token, which is shown once
    Token {
        /// The name in records
        name: ActorId,
    },
}
