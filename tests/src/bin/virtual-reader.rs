//! A virtual card reader as a process: a card and a PSAM from their state files on two readers of the real pcscd, handled by lines
//! on standard input or a loopback TCP port. Prints JSON lines.
//!
//! **Invariant:** the control port is on loopback only.

#![allow(clippy::print_stdout)]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use protocols::card::value::CardAmount;
use serde_json::{Value, json};
use tests::pcscd::{self, Pcscd};
use tests::virtual_card::card_state::CardState;
use tests::virtual_card::control::{Alteration, HELP, Order, SlotOrder, Which};
use tests::virtual_card::limits;
use tests::virtual_card::psam::{Psam, PsamState};
use tests::virtual_card::purse::CitizenCard;
use tests::virtual_card::vpcd::{self, VpcdAddress};
use tests::virtual_card::{CARD_READER, Chip, Exchange, PSAM_READER, READER_NAME, Slot, VirtualReader, state_file};

#[derive(Parser)]
#[command(
    version,
    about = "A citizen card and a PSAM made of software, on readers of the real pcscd",
    after_help = "Example:\n  virtual-reader new-card /tmp/card.json --balance 5000\n  virtual-reader new-psam /tmp/psam.json\n  \
                  virtual-reader run --card /tmp/card.json --psam /tmp/psam.json --pcscd\n\
                  Clients find the readers when PCSCLITE_CSOCK_NAME is set to the socket of the ready line."
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Makes the state file of a new card with made-up keys
    NewCard(NewCard),
    /// Makes the state file of a new PSAM with made-up keys
    NewPsam {
        /// The file, which must not exist
        file: PathBuf,
        /// The terminal's number, 12 hexadecimal digits
        #[arg(long, default_value = "310000000042", value_parser = octets::<6>)]
        terminal: [u8; 6],
    },
    /// Holds card and PSAM on the readers until `quit`, end of input or a signal
    #[command(after_help = format!("Orders, one per line on standard input or the control port:\n{HELP}"))]
    Run(Run),
}

#[derive(Args)]
struct NewCard {
    /// The file, which must not exist
    file: PathBuf,
    /// The last 16 digits of the application serial number
    #[arg(long, default_value = "3100000012345678", value_parser = octets::<8>)]
    serial: [u8; 8],
    /// What the purse holds, in fen
    #[arg(long, default_value_t = 0)]
    balance: u32,
    /// Last day of validity, YYYYMMDD
    #[arg(long, value_parser = octets::<4>)]
    valid_until: Option<[u8; 4]>,
    /// Speaks as a T=0 card: answers 61xx and 6Cxx
    #[arg(long)]
    t0: bool,
    /// Sets the top bit of each balance, as some cards do
    #[arg(long)]
    junk_top_bit: bool,
    /// Wants this authentication code in MAC1 (CJ/T), 18 hexadecimal digits
    #[arg(long, value_parser = octets::<9>)]
    auth_code: Option<[u8; 9]>,
}

#[derive(Args)]
struct Run {
    /// State file of the card to put onto the first reader
    #[arg(long)]
    card: Option<PathBuf>,
    /// State file of the PSAM to put into the second reader
    #[arg(long)]
    psam: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArgs,
    /// Take orders on this loopback port too (0: any; the ready line says which)
    #[arg(long, value_name = "PORT")]
    control: Option<u16>,
    /// Print each exchange
    #[arg(long)]
    trace: bool,
}

#[derive(Args)]
#[group(multiple = false)]
struct PlaceArgs {
    /// Start a private pcscd that ends with this program
    #[arg(long)]
    pcscd: bool,
    /// Start it in this directory, so that its socket is DIRECTORY/run/pcscd.comm
    #[arg(long, value_name = "DIRECTORY")]
    pcscd_in: Option<PathBuf>,
    /// Use the private pcscd that another program runs in this directory
    #[arg(long, value_name = "DIRECTORY")]
    join: Option<PathBuf>,
    /// Use the machine's own pcscd, whose vpcd listens here and on the next port
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, vpcd::PORT)))]
    vpcd: SocketAddr,
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::NewCard(new) => new_card(new),
        Task::NewPsam { file, terminal } => new_file(&file, &PsamState::new(terminal)),
        Task::Run(run) => Bench::start(&run).and_then(|bench| bench.serve(&run)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("virtual-reader: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn new_card(new: NewCard) -> anyhow::Result<()> {
    let mut state = CardState::new(new.serial);
    state.balance_fen = CardAmount::new(new.balance)?;
    state.valid_until = new.valid_until.unwrap_or(state.valid_until);
    state.quirks.t0 = new.t0;
    state.quirks.junk_top_bit = new.junk_top_bit;
    state.quirks.auth_code = new.auth_code;
    new_file(&new.file, &state)
}

fn new_file(path: &Path, state: &impl serde::Serialize) -> anyhow::Result<()> {
    anyhow::ensure!(!path.exists(), "{} exists already", path.display());
    state_file::save(path, state).with_context(|| path.display().to_string())
}

fn octets<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let octets = hex::decode(text).map_err(|e| e.to_string())?;
    octets.try_into().map_err(|_| format!("expected {} hexadecimal digits", N.saturating_mul(2)))
}

/// What the main loop hears.
enum Heard {
    /// A line, and where its answer goes.
    Line(String, Answers),
    InputEnded,
    Signal,
}

enum Answers {
    Output,
    Connection(TcpStream),
}

struct Bench {
    reader: VirtualReader,
    pcscd: Option<Pcscd>,
    socket: Option<PathBuf>,
}

impl Bench {
    fn start(run: &Run) -> anyhow::Result<Self> {
        let place = &run.place;
        let pcscd = match &place.pcscd_in {
            Some(directory) => Some(Pcscd::start_at(directory, &[READER_NAME])?),
            None if place.pcscd => Some(Pcscd::start(&[READER_NAME])?),
            None => None,
        };
        let (addresses, socket) = match (&pcscd, &place.join) {
            (Some(pcscd), _) => (pcscd.addresses(0), Some(pcscd.socket())),
            (None, Some(directory)) => (pcscd::addresses_in(directory, 0), Some(pcscd::socket_in(directory))),
            (None, None) => (own_pcscd(place.vpcd)?, None),
        };
        let this = Self { reader: VirtualReader::start(addresses)?, pcscd, socket };
        if let Some(file) = &run.card {
            this.insert_card(file)?;
        }
        if let Some(file) = &run.psam {
            this.insert_psam(file)?;
        }
        Ok(this)
    }

    fn serve(mut self, run: &Run) -> anyhow::Result<()> {
        let (tell, heard) = mpsc::channel();
        let control = run.control.map(|port| listen(port, tell.clone())).transpose()?;
        signals(tell.clone())?;
        if run.trace {
            print_exchanges("card", &self.reader.card);
            print_exchanges("psam", &self.reader.psam);
        }
        std::thread::spawn(move || read_lines(BufReader::new(std::io::stdin()), &tell, || Answers::Output));
        let socket = self.socket.as_ref().map(|s| s.display().to_string());
        print(&json!({"event": "ready", "readers": [CARD_READER, PSAM_READER], "socket": socket, "control": control}));
        for event in heard {
            match event {
                Heard::Line(line, answers) => {
                    let order = line.parse();
                    let answer = match &order {
                        Ok(order) => self.obey(order).unwrap_or_else(|e| json!({"error": format!("{e:#}")})),
                        Err(e) => json!({"error": e.to_string()}),
                    };
                    answers.give(&answer);
                    if order == Ok(Order::Quit) {
                        break;
                    }
                }
                Heard::InputEnded if control.is_none() => break,
                Heard::InputEnded => {}
                Heard::Signal => break,
            }
        }
        Ok(())
    }

    fn obey(&mut self, order: &Order) -> anyhow::Result<Value> {
        match order {
            Order::Slot(Which::Card, SlotOrder::Insert(Some(file))) => self.insert_card(file)?,
            Order::Slot(Which::Psam, SlotOrder::Insert(Some(file))) => self.insert_psam(file)?,
            Order::Slot(Which::Card, order) => return slot(&self.reader.card, order),
            Order::Slot(Which::Psam, order) => return slot(&self.reader.psam, order),
            Order::Alter(change) => self.alter(*change)?,
            Order::KillPcscd => self.pcscd.as_mut().context("this pcscd is not ours")?.kill(),
            Order::RestartPcscd => self.pcscd.as_mut().context("this pcscd is not ours")?.restart()?,
            Order::Status => return Ok(self.status()),
            Order::Help => return Ok(json!({"help": HELP.lines().collect::<Vec<_>>()})),
            Order::Quit => {}
        }
        Ok(json!({"ok": true}))
    }

    fn insert_card(&self, file: &Path) -> anyhow::Result<()> {
        self.reader.card.insert(CitizenCard::open(file).with_context(|| file.display().to_string())?);
        Ok(())
    }

    fn insert_psam(&self, file: &Path) -> anyhow::Result<()> {
        self.reader.psam.insert(Psam::open(file).with_context(|| file.display().to_string())?);
        Ok(())
    }

    fn alter(&self, change: Alteration) -> anyhow::Result<()> {
        let altered = self.reader.card.chip(|card| {
            card.alter(|state| match change {
                Alteration::Balance(balance) => state.balance_fen = balance,
                Alteration::Blocked(blocked) => state.blocked = blocked,
                Alteration::T0(t0) => state.quirks.t0 = t0,
                Alteration::JunkTopBit(junk) => state.quirks.junk_top_bit = junk,
            })
        });
        Ok(altered.context("there is no card")??)
    }

    fn status(&self) -> Value {
        let card = self.reader.card.chip(|card| {
            let state = card.state();
            json!({
                "serial_ends": hex::encode(&state.serial[8..]),
                "balance_fen": state.balance_fen,
                "offline_counter": state.offline_counter,
                "online_counter": state.online_counter,
                "blocked": state.blocked,
            })
        });
        let psam = self.reader.psam.chip(|psam| json!({"terminal_sequence": psam.state().terminal_sequence}));
        json!({
            "card": {"presence": presence(&self.reader.card), "armed": armed(&self.reader.card), "state": card},
            "psam": {"presence": presence(&self.reader.psam), "armed": armed(&self.reader.psam), "state": psam},
            "pcscd": self.pcscd.as_ref().map(|pcscd| json!({"pid": pcscd.pid()})),
        })
    }
}

fn slot<C: Chip>(slot: &Slot<C>, order: &SlotOrder) -> anyhow::Result<Value> {
    match order {
        SlotOrder::Insert(_) => anyhow::ensure!(slot.reinsert(), "the hand is empty"),
        SlotOrder::Remove => anyhow::ensure!(slot.remove(), "there is nothing on the reader"),
        SlotOrder::Arm(fault) => slot.arm(fault.clone()),
        SlotOrder::Clear => slot.disarm(),
        SlotOrder::Trace(count) => {
            let trace = slot.trace();
            let from = trace.len().saturating_sub(*count);
            let lines: Vec<Value> = trace.iter().skip(from).map(exchange).collect();
            return Ok(json!({"trace": lines}));
        }
    }
    Ok(json!({"ok": true}))
}

fn presence<C: Chip>(slot: &Slot<C>) -> &'static str {
    use tests::virtual_card::Presence;
    match slot.presence() {
        Presence::Empty => "empty",
        Presence::OnReader => "on_reader",
        Presence::InHand => "in_hand",
    }
}

fn armed<C: Chip>(slot: &Slot<C>) -> Vec<String> {
    slot.armed().iter().map(ToString::to_string).collect()
}

fn exchange(exchange: &Exchange) -> Value {
    json!({
        "number": exchange.number,
        "command": hex::encode_upper(&exchange.command),
        "response": exchange.response.as_ref().map(hex::encode_upper),
        "executed": exchange.executed,
        "faulty": exchange.fault.is_some(),
    })
}

fn own_pcscd(first: SocketAddr) -> anyhow::Result<[VpcdAddress; 2]> {
    let mut second = first;
    second.set_port(first.port().checked_add(1).context("there is no port after this one")?);
    Ok([VpcdAddress::Tcp(first), VpcdAddress::Tcp(second)])
}

fn print_exchanges<C: Chip>(name: &'static str, slot: &Slot<C>) {
    let (watcher, exchanges) = mpsc::sync_channel(limits::PRINT_QUEUE_LEN);
    slot.watch(watcher);
    std::thread::spawn(move || {
        for done in exchanges {
            print(&json!({"event": "exchange", "slot": name, "exchange": exchange(&done)}));
        }
    });
}

fn listen(port: u16, tell: mpsc::Sender<Heard>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).context("control port")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            std::thread::spawn(move || converse(&stream, &tell));
        }
    });
    Ok(address)
}

/// A connection that ends is no end of the program, and one that breaks is its own affair.
fn converse(stream: &TcpStream, tell: &mpsc::Sender<Heard>) {
    for line in BufReader::new(stream).lines() {
        let (Ok(line), Ok(answers)) = (line, stream.try_clone()) else { return };
        if tell.send(Heard::Line(line, Answers::Connection(answers))).is_err() {
            return;
        }
    }
}

fn read_lines(input: impl BufRead, tell: &mpsc::Sender<Heard>, answers: impl Fn() -> Answers) {
    for line in input.lines() {
        let Ok(line) = line else { break };
        if tell.send(Heard::Line(line, answers())).is_err() {
            return;
        }
    }
    // Nobody listens any more when the program is ending.
    drop(tell.send(Heard::InputEnded));
}

fn signals(tell: mpsc::Sender<Heard>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        drop(tell.send(Heard::Signal));
    });
    Ok(())
}

impl Answers {
    fn give(mut self, answer: &Value) {
        match &mut self {
            Self::Output => print(answer),
            // The asker may have gone.
            Self::Connection(stream) => drop(writeln!(stream, "{answer}")),
        }
    }
}

fn print(line: &Value) {
    println!("{line}");
}
