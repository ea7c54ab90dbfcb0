//! The card's transactions: purchase, load, and the proof of the last ones.
//!
//! Counters: INITIALIZE answers S; the session key uses S; when the transaction is done the counter is S+1, and log record and
//! proof name S+1.

use protocols::card::crypto::{AuthCode, CardRandom, Mac1, Mac2, Tac, TransactionData};
use protocols::card::date::{CardDate, CardTime};
use protocols::card::value::{CardAmount, CardCounter, TerminalId, TerminalSequence, TransactionType};

use super::apdu::{CommandApdu, Reply, Sw};
use super::card_state::{Account, CardState, LastTransaction, LogRecord, Purse};
use super::limits;

/// The only key index and version of the test cards.
const KEY_INDEX: u8 = 0x01;
const KEY_VERSION: u8 = 0x01;
const TRIPLE_DES: u8 = 0x00;

/// What an INITIALIZE command has begun.
#[derive(Debug)]
pub(super) struct Begun {
    step: Step,
    purse: Purse,
    amount: CardAmount,
    terminal: TerminalId,
    random: CardRandom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Purchase,
    Load,
}

/// INITIALIZE FOR PURCHASE and INITIALIZE FOR LOAD: changes nothing that outlives the power.
pub(super) fn initialize(state: &CardState, command: &CommandApdu) -> Result<(Reply, Begun), Sw> {
    let (step, purse) = match command.p1p2() {
        0x0002 => (Step::Load, Purse::Ep),
        0x0001 => (Step::Load, Purse::Ed),
        0x0102 => (Step::Purchase, Purse::Ep),
        0x0101 => (Step::Purchase, Purse::Ed),
        _ => return Err(Sw::WRONG_P1P2),
    };
    let &[key_index, a0, a1, a2, a3, ref terminal @ ..] = command.exactly::<11>()?;
    let terminal: [u8; 6] = *terminal;
    if key_index != KEY_INDEX {
        return Err(Sw::NO_SUCH_KEY);
    }
    let amount = CardAmount::new(u32::from_be_bytes([a0, a1, a2, a3])).map_err(|_| Sw::WRONG_DATA)?;
    if amount.is_zero() && state.quirks.refuses_zero {
        return Err(Sw::WRONG_DATA);
    }
    let account = state.account(purse).ok_or(Sw::NO_SUCH_KEY)?;
    let begun = Begun { step, purse, amount, terminal: TerminalId::from_bytes(terminal), random: draw(state)? };
    let answer = match step {
        Step::Purchase => begin_purchase(state, &begun, account)?,
        Step::Load => begin_load(state, &begun, account)?,
    };
    Ok((Reply::ok(answer), begun))
}

fn begin_purchase(state: &CardState, begun: &Begun, account: Account) -> Result<Vec<u8>, Sw> {
    account.offline_counter.next().ok_or(Sw::COUNTER_AT_END)?;
    account.balance_fen.checked_sub(begun.amount).ok_or(Sw::INSUFFICIENT)?;
    Ok([
        &state.balance_bytes(account.balance_fen)[..],
        &account.offline_counter.to_bytes(),
        &[0, 0, 0, KEY_VERSION, TRIPLE_DES],
        begun.random.as_bytes(),
    ]
    .concat())
}

fn begin_load(state: &CardState, begun: &Begun, account: Account) -> Result<Vec<u8>, Sw> {
    account.online_counter.next().ok_or(Sw::COUNTER_AT_END)?;
    let session = state.keys.load.card().load_session_key(&begun.random, account.online_counter);
    let mac1 = session.load_mac1(account.balance_fen, begun.amount, begun.purse.load_type(), &begun.terminal);
    Ok([
        &state.balance_bytes(account.balance_fen)[..],
        &account.online_counter.to_bytes(),
        &[KEY_VERSION, TRIPLE_DES],
        begun.random.as_bytes(),
        mac1.as_bytes(),
    ]
    .concat())
}

/// DEBIT FOR PURCHASE: the answer (TAC, MAC2) and the state after it.
pub(super) fn debit(state: &CardState, begun: Option<Begun>, command: &CommandApdu) -> Result<(Reply, CardState), Sw> {
    if command.p1p2() != 0x0100 {
        return Err(Sw::WRONG_P1P2);
    }
    let begun = begun.filter(|b| b.step == Step::Purchase).ok_or(Sw::CONDITIONS)?;
    let &[s0, s1, s2, s3, d0, d1, d2, d3, t0, t1, t2, ref mac1 @ ..] = command.exactly::<15>()?;
    let mac1: [u8; 4] = *mac1;
    let sequence = TerminalSequence::new(u32::from_be_bytes([s0, s1, s2, s3]));
    let data = begun.data(begun.purse.purchase_type(), [d0, d1, d2, d3], [t0, t1, t2])?;
    let account = state.account(begun.purse).ok_or(Sw::NO_SUCH_KEY)?;
    let session = state.keys.purchase.card().purchase_session_key(&begun.random, account.offline_counter, sequence);
    let auth_code = state.quirks.auth_code.map(AuthCode::from_bytes);
    if session.purchase_mac1(&data, auth_code.as_ref()) != Mac1::from_bytes(mac1) {
        return Err(Sw::WRONG_MAC);
    }
    let balance_fen = account.balance_fen.checked_sub(begun.amount).ok_or(Sw::INSUFFICIENT)?;
    let counter = account.offline_counter.next().ok_or(Sw::COUNTER_AT_END)?;
    let tac = state.keys.tac.card().tac_key().purchase_tac(&data, sequence);
    let mac2 = session.purchase_mac2(begun.amount);
    let mut next = state.clone();
    next.set_account(begun.purse, Account { balance_fen, offline_counter: counter, ..account });
    next.record(log_record(counter, &data));
    next.last_purchase = Some(LastTransaction::new(data.kind, counter, mac2, tac));
    Ok((Reply::ok([*tac.as_bytes(), *mac2.as_bytes()].concat()), next))
}

/// CREDIT FOR LOAD: the answer (TAC) and the state after it.
pub(super) fn credit(state: &CardState, begun: Option<Begun>, command: &CommandApdu) -> Result<(Reply, CardState), Sw> {
    if command.p1p2() != 0x0000 {
        return Err(Sw::WRONG_P1P2);
    }
    let begun = begun.filter(|b| b.step == Step::Load).ok_or(Sw::CONDITIONS)?;
    let &[d0, d1, d2, d3, t0, t1, t2, ref mac2 @ ..] = command.exactly::<11>()?;
    let mac2: [u8; 4] = *mac2;
    let data = begun.data(begun.purse.load_type(), [d0, d1, d2, d3], [t0, t1, t2])?;
    let account = state.account(begun.purse).ok_or(Sw::NO_SUCH_KEY)?;
    let session = state.keys.load.card().load_session_key(&begun.random, account.online_counter);
    if session.load_mac2(&data) != Mac2::from_bytes(mac2) {
        return Err(Sw::WRONG_MAC);
    }
    let balance_fen = account.balance_fen.checked_add(begun.amount).ok_or(Sw::CONDITIONS)?;
    let counter = account.online_counter.next().ok_or(Sw::COUNTER_AT_END)?;
    let tac = state.keys.tac.card().tac_key().load_tac(balance_fen, account.online_counter, &data);
    let mut next = state.clone();
    next.set_account(begun.purse, Account { balance_fen, online_counter: counter, ..account });
    next.record(log_record(counter, &data));
    next.last_load = Some(LastTransaction::new(data.kind, counter, Mac2::from_bytes(mac2), tac));
    Ok((Reply::ok(*tac.as_bytes()), next))
}

/// GET TRANSACTION PROVE: MAC and TAC of the last purchase or load, asked for by type and counter after it.
pub(super) fn prove(state: &CardState, command: &CommandApdu) -> Result<Reply, Sw> {
    if command.p1 != 0x00 {
        return Err(Sw::WRONG_P1P2);
    }
    let counter = CardCounter::new(u16::from_be_bytes(*command.exactly::<2>()?));
    let kind = TransactionType::new(command.p2);
    [&state.last_purchase, &state.last_load]
        .into_iter()
        .flatten()
        .find(|last| last.kind == kind && last.counter == counter)
        .map(|last| Reply::ok([last.mac, last.tac].concat()))
        .ok_or(Sw::NO_SUCH_PROOF)
}

impl Begun {
    fn data(&self, kind: TransactionType, date: [u8; 4], time: [u8; 3]) -> Result<TransactionData, Sw> {
        Ok(TransactionData {
            amount: self.amount,
            kind,
            terminal: self.terminal,
            date: CardDate::from_bcd(date).map_err(|_| Sw::WRONG_DATA)?,
            time: CardTime::from_bcd(time).map_err(|_| Sw::WRONG_DATA)?,
        })
    }
}

impl CardState {
    fn record(&mut self, record: LogRecord) {
        self.log.insert(0, record);
        self.log.truncate(limits::LOG_LEN);
    }
}

impl LastTransaction {
    fn new(kind: TransactionType, counter: CardCounter, mac: Mac2, tac: Tac) -> Self {
        Self { kind, counter, mac: *mac.as_bytes(), tac: *tac.as_bytes() }
    }
}

fn log_record(counter: CardCounter, data: &TransactionData) -> LogRecord {
    let octets = [
        &counter.to_bytes()[..],
        &[0, 0, 0],
        &data.amount.to_bytes(),
        &[data.kind.get()],
        data.terminal.as_bytes(),
        data.date.as_bytes(),
        data.time.as_bytes(),
    ]
    .concat();
    LogRecord(octets.try_into().expect("2 + 3 + 4 + 1 + 6 + 4 + 3 is 23"))
}

fn draw(state: &CardState) -> Result<CardRandom, Sw> {
    let mut octets = [0; 4];
    match state.quirks.fixed_random {
        Some(fixed) => octets = fixed,
        None => getrandom::fill(&mut octets).map_err(|_| Sw::WRITE_FAILED)?,
    }
    Ok(CardRandom::from_bytes(octets))
}
