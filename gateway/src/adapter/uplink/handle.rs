//! Where the event loop puts the effects that are for the centre.
//!
//! **Invariant:** every effect is answered by one input: by its lane later, or at once where the lane's queue is full.

use gateway_core::{Direct, OutLane, SaleId, Ticket, UplinkFailure, UplinkInput};
use metrics::counter;
use protocols::uplink::{BalanceRequest, HoldRequest, Lane};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Entries of a lane to be sent.
#[derive(Debug)]
pub(super) struct UploadJob {
    pub(super) lane: OutLane,
    pub(super) after: u64,
    pub(super) except: Vec<u64>,
    pub(super) max: usize,
}

/// An alarm that no disk took.
#[derive(Debug)]
pub(super) struct DirectJob {
    pub(super) ticket: Ticket,
    pub(super) entry: String,
}

/// A hold to be asked for; its deadline runs from `since`.
#[derive(Debug)]
pub(super) struct HoldJob {
    pub(super) sale: SaleId,
    pub(super) request: HoldRequest,
    pub(super) since: Instant,
}

/// An account to be asked about; its deadline runs from `since`.
#[derive(Debug)]
pub(super) struct BalanceJob {
    pub(super) look: String,
    pub(super) request: BalanceRequest,
    pub(super) since: Instant,
}

/// Orders to be asked for.
#[derive(Debug)]
pub(super) struct PollJob {
    pub(super) lane: Lane,
    pub(super) stream: String,
    pub(super) after: u64,
    pub(super) wait: bool,
}

/// The queues of all lanes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UplinkHandle {
    pub(super) alarms: mpsc::Sender<UploadJob>,
    pub(super) alarm_notes: mpsc::Sender<UploadJob>,
    pub(super) sales: mpsc::Sender<UploadJob>,
    pub(super) rest: mpsc::Sender<UploadJob>,
    pub(super) direct: mpsc::Sender<DirectJob>,
    pub(super) holds: mpsc::Sender<HoldJob>,
    pub(super) balances: mpsc::Sender<BalanceJob>,
    pub(super) alarm_orders: mpsc::Sender<PollJob>,
    pub(super) other_orders: mpsc::Sender<PollJob>,
}

/// An effect that was not taken, with the input that answers it: hand it to the core at once.
pub type Refused = Box<UplinkInput>;

impl UplinkHandle {
    /// [`Effect::Upload`](gateway_core::Effect::Upload).
    ///
    /// # Errors
    /// The lane's queue is full or the uplink has ended.
    pub fn upload(&self, lane: OutLane, after: u64, except: Vec<u64>, max: usize) -> Result<(), Refused> {
        let queue = match lane {
            OutLane::Alarms => &self.alarms,
            OutLane::AlarmNotes => &self.alarm_notes,
            OutLane::Sales => &self.sales,
            OutLane::Rest => &self.rest,
        };
        offer(queue, UploadJob { lane, after, except, max }, lane.name(), |job| UplinkInput::Uploaded {
            lane: job.lane,
            after: job.after,
            sent: Vec::new(),
            result: Err(UplinkFailure::Unreachable),
        })
    }

    /// [`Effect::UploadDirect`](gateway_core::Effect::UploadDirect).
    ///
    /// # Errors
    /// The queue is full or the uplink has ended.
    pub fn upload_direct(&self, ticket: Ticket, entry: String) -> Result<(), Refused> {
        offer(&self.direct, DirectJob { ticket, entry }, "direct", |job| {
            UplinkInput::Direct(Direct { ticket: job.ticket, result: Err(UplinkFailure::Unreachable) })
        })
    }

    /// [`Effect::Hold`](gateway_core::Effect::Hold). The hold's deadline begins now.
    ///
    /// # Errors
    /// The queue is full or the uplink has ended.
    pub fn hold(&self, sale: SaleId, request: HoldRequest) -> Result<(), Refused> {
        offer(&self.holds, HoldJob { sale, request, since: Instant::now() }, "holds", |job| UplinkInput::HoldAnswered {
            sale: job.sale,
            result: Err(UplinkFailure::Unreachable),
        })
    }

    /// [`Effect::AskBalance`](gateway_core::Effect::AskBalance). The question's deadline begins now.
    ///
    /// # Errors
    /// The queue is full or the uplink has ended.
    pub fn balance(&self, look: String, request: BalanceRequest) -> Result<(), Refused> {
        offer(&self.balances, BalanceJob { look, request, since: Instant::now() }, "balances", |job| {
            UplinkInput::BalanceAnswered { look: job.look, result: Err(UplinkFailure::Unreachable) }
        })
    }

    /// [`Effect::PollOrders`](gateway_core::Effect::PollOrders).
    ///
    /// # Errors
    /// The lane's queue is full or the uplink has ended.
    pub fn poll_orders(&self, lane: Lane, stream: String, after: u64, wait: bool) -> Result<(), Refused> {
        let (queue, name) = match lane {
            Lane::Alarms => (&self.alarm_orders, "alarm_orders"),
            Lane::Other => (&self.other_orders, "other_orders"),
        };
        offer(queue, PollJob { lane, stream, after, wait }, name, |job| UplinkInput::Orders {
            lane: job.lane,
            result: Err(UplinkFailure::Unreachable),
        })
    }
}

fn offer<J>(
    queue: &mpsc::Sender<J>,
    job: J,
    lane: &'static str,
    refused: impl FnOnce(J) -> UplinkInput,
) -> Result<(), Refused> {
    queue.try_send(job).map_err(|error| {
        counter!("uplink_jobs_refused_total", "lane" => lane).increment(1);
        Box::new(refused(error.into_inner()))
    })
}
