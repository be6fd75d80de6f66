//! One history: clients, workers and power cuts on one machine, in an order that a seed decides.
//!
//! A history has several lives. Each opens the store, lets clients and workers go on until power dies in the middle of an
//! operation of the disk (or, in the last life, until everything is done), reboots with some of what was not synced, and
//! compares all that is there with all that may be.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wharf::base::clock::Clock as _;
use wharf::base::rng::{Rng as _, SeededRng};
use wharf::base::worker::Worker as _;
use wharf::store::fsio::sim::{Call, Fault, SimFs};

use crate::audit;
use crate::book::{Book, COPIES, STAYS, all_places};
use crate::client::{Answer, Client, Request};
use crate::lie::Lie;
use crate::machine::{Machine, Running};
use crate::model::{Op, OpId, Place, State, Upload};
use crate::workload;

/// Clients at a time.
const CLIENTS_MAX: usize = 5;
/// Operations of one life.
const OPERATIONS: u64 = 30;
/// Power cuts after the first come somewhere below this operation of their disk.
const LATER_CUTS_BELOW: u64 = 400;

/// What decides a history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The operation of the disk in which power dies first; none lets the first life end in peace.
    pub(crate) cut: Option<u64>,
    /// Power cuts after the first.
    pub(crate) later_cuts: u64,
    /// A sync that does nothing.
    pub(crate) lie: Option<Lie>,
    /// A call of the disk that fails in the first life, after so many that do not.
    pub(crate) fault: Option<(Call, u64, Fault)>,
}

/// How a life ended.
#[derive(PartialEq, Eq)]
enum End {
    PowerCut,
    Peace,
}

struct Play {
    machine: Machine,
    book: Rc<RefCell<Book>>,
    clients: Vec<Client>,
    /// Chooses operations and turns: the same for every cut.
    rng: SeededRng,
    /// Chooses what survives a cut.
    fate: SeededRng,
    next_id: OpId,
    fault: Option<(Call, u64, Fault)>,
    failed: bool,
}

/// What a history that went well tells.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    /// Operations of the disk in the first life.
    pub(crate) operations: u64,
    /// Whether the planned fault happened.
    pub(crate) failed: bool,
}

/// Plays the history. The error says what is wrong with what it left.
pub(crate) fn play(plan: Plan) -> Result<Report, String> {
    let fs = if plan.seed % 4 == 3 { SimFs::with_named_files() } else { SimFs::new() };
    let mut machine = Machine::new(fs, plan.seed ^ 0x5eed);
    machine.lie = plan.lie;
    let mut play = Play {
        machine,
        book: Rc::new(RefCell::new(Book::new())),
        clients: Vec::new(),
        rng: SeededRng::new(plan.seed),
        fate: SeededRng::new(plan.seed.rotate_left(32) ^ plan.cut.unwrap_or(u64::MAX)),
        next_id: 0,
        fault: plan.fault,
        failed: false,
    };
    let mut cuts = plan.later_cuts + u64::from(plan.cut.is_some());
    let mut operations = None;
    let mut cut = plan.cut;
    loop {
        let end = play.life(if cuts > 0 { cut } else { None })?;
        operations.get_or_insert(play.machine.fs.operations());
        if cuts == 0 {
            play.empty_the_store()?;
            return Ok(Report { operations: operations.unwrap_or_default(), failed: play.failed });
        }
        cuts -= 1;
        cut = Some(play.fate.below(LATER_CUTS_BELOW));
        if end == End::PowerCut {
            play.machine.fs = play.machine.fs.reboot(&play.fate);
        }
    }
}

impl Play {
    /// One life, up to its end; after one in peace the store was closed and the disk goes on.
    fn life(&mut self, cut: Option<u64>) -> Result<End, String> {
        // A cut that the life before did not come to is off.
        let operation = cut.map_or(u64::MAX, |cut| self.machine.fs.operations() + cut);
        self.machine.fs.arm_crash_at(operation);
        let lived = self.live();
        if self.machine.fs.is_off() {
            let now = self.machine.clock.now();
            for client in self.clients.drain(..) {
                self.book.borrow_mut().in_doubt(client.id, &client.op, now);
            }
            return Ok(End::PowerCut);
        }
        lived.map(|()| End::Peace)
    }

    fn live(&mut self) -> Result<(), String> {
        let mut running = self.machine.start()?;
        audit::check_named(&self.machine, &running)?;
        audit::make_bucket(&mut running, STAYS)?;
        audit::make_bucket(&mut running, COPIES)?;
        self.settle(&mut running)?;
        let fault = self.fault.take();
        fault.into_iter().for_each(|(call, passing, fault)| self.machine.fs.fail(call, passing, fault));
        for _ in 0..OPERATIONS {
            self.ask(&running)?;
            while self.clients.len() == CLIENTS_MAX || self.rng.below(4) > 0 {
                self.turn(&mut running)?;
                if self.machine.fs.is_off() {
                    return Ok(());
                }
            }
            if self.rng.below(12) == 0 {
                self.finish_clients(&mut running)?;
                self.rest(&mut running)?;
            }
        }
        self.finish_clients(&mut running)?;
        self.rest(&mut running)?;
        self.failed |= self.machine.fs.take_back_faults() == 0 && fault.is_some();
        running.stop()
    }

    /// A client asks for something.
    fn ask(&mut self, running: &Running) -> Result<(), String> {
        self.let_time_pass();
        let (place, op) = match self.interference() {
            Some(op) => op,
            None => workload::next(&self.rng, &self.book.borrow()),
        };
        // Completes come twice at once more often than chance would have it.
        let twice = matches!(op, Op::Complete { .. }) && self.rng.below(3) == 0 && self.clients.len() + 1 < CLIENTS_MAX;
        if twice {
            self.start(running, place, op.clone());
        }
        self.start(running, place, op);
        Ok(())
    }

    /// Now and then what ends an upload, while a part of it is on its way.
    fn interference(&self) -> Option<(Place, Op)> {
        let staging = |client: &Client| match client.op {
            Op::Stage { upload, .. } => Some(upload),
            _ => None,
        };
        let upload = self.clients.iter().find_map(staging).filter(|_| self.rng.below(3) == 0)?;
        workload::end_of(&self.rng, &self.book.borrow(), upload)
    }

    fn start(&mut self, running: &Running, place: Place, op: Op) {
        let id = self.number();
        self.book.borrow_mut().asked(id, place, op.clone(), self.machine.clock.now());
        self.clients.push(Client::start(Request {
            store: Arc::clone(&running.store),
            book: Rc::clone(&self.book),
            bucket: place.bucket,
            id,
            op,
            rng: SeededRng::new(self.rng.next_u64()),
        }));
    }

    fn number(&mut self) -> OpId {
        self.next_id += 1;
        self.next_id
    }

    /// Seconds mostly; sometimes so long that uploads expire, or that a complete is forgotten.
    fn let_time_pass(&mut self) {
        let seconds = match self.rng.below(64) {
            0 => 8 * 24 * 3600,
            1..=2 => 25 * 3600,
            3..=10 => 5 * 3600,
            _ => self.rng.below(3),
        };
        self.machine.clock.advance(Duration::from_secs(seconds));
        self.time_passed();
    }

    fn time_passed(&mut self) {
        let (book, next_id) = (&self.book, &mut self.next_id);
        book.borrow_mut().time_passed(self.machine.clock.now(), &mut || {
            *next_id += 1;
            *next_id
        });
    }

    /// Somebody goes on by one step.
    fn turn(&mut self, running: &mut Running) -> Result<(), String> {
        match self.rng.below(32) {
            0..=17 => self.poll_one(),
            18..=23 => running.committer.step().map(|_| ()).map_err(|error| error.to_string()),
            // Errors of the others are met again: what they leave undone shows at the latest when they rest.
            24..=26 => {
                let _ = running.gc.step();
                Ok(())
            }
            27..=28 => {
                let _ = running.sweep.step();
                Ok(())
            }
            29..=30 => {
                let _ = running.expire.step();
                Ok(())
            }
            _ => {
                self.vanish();
                Ok(())
            }
        }
    }

    /// A client goes away in the middle of its call.
    fn vanish(&mut self) {
        if self.clients.is_empty() || self.rng.below(3) > 0 {
            return;
        }
        let at = self.rng.below(self.clients.len() as u64);
        let client = self.clients.swap_remove(usize::try_from(at).unwrap_or_default());
        self.book.borrow_mut().in_doubt(client.id, &client.op, self.machine.clock.now());
    }

    fn poll_one(&mut self) -> Result<(), String> {
        if self.clients.is_empty() {
            return Ok(());
        }
        let at = usize::try_from(self.rng.below(self.clients.len() as u64)).unwrap_or_default();
        let Poll::Ready(answer) = self.clients[at].future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            return Ok(());
        };
        let client = self.clients.swap_remove(at);
        let mut book = self.book.borrow_mut();
        let (id, op, now) = (client.id, &client.op, self.machine.clock.now());
        match answer {
            // What a dying machine says of itself counts for nothing.
            _ if self.machine.fs.is_off() => {
                book.in_doubt(id, op, now);
                Ok(())
            }
            Answer::Heard(outcome) => book.answered(id, op, &outcome, now),
            Answer::Failed => {
                book.failed(id, op, now);
                Ok(())
            }
            Answer::InDoubt => {
                book.in_doubt(id, op, now);
                Ok(())
            }
            Answer::Wrong(what) => Err(format!("{id} {op:?}: {what}")),
        }
    }

    fn finish_clients(&mut self, running: &mut Running) -> Result<(), String> {
        for _ in 0..100_000 {
            if self.clients.is_empty() || self.machine.fs.is_off() {
                return running.recover();
            }
            self.poll_one()?;
            running.committer.step().map_err(|error| error.to_string())?;
        }
        Err(format!("calls wait for ever: {:?}", self.clients.iter().map(|client| &client.op).collect::<Vec<_>>()))
    }

    /// Nobody asks for anything: compares the store with what it should be.
    fn settle(&mut self, running: &mut Running) -> Result<(), String> {
        let found = audit::look(running, &mut self.book.borrow_mut())?;
        self.book.borrow_mut().settle(&found)?;
        self.time_passed();
        Ok(())
    }

    /// Nobody asks for anything, and the workers finish what there is to do.
    fn rest(&mut self, running: &mut Running) -> Result<(), String> {
        running.rest()?;
        let found = audit::look(running, &mut self.book.borrow_mut())?;
        self.book.borrow_mut().settle(&found)?;
        audit::check_expired(&self.machine, &found, &self.book.borrow())?;
        self.time_passed();
        audit::check_at_rest(&self.machine, running)
    }

    /// The end: open uploads are completed and read, everything is deleted, and nothing is left.
    fn empty_the_store(&mut self) -> Result<(), String> {
        let mut running = self.machine.start()?;
        self.settle(&mut running)?;
        let open: Vec<_> = self.states(|state| state.uploads.clone());
        for (place, (upload, state)) in open {
            let Upload::Open { parts, .. } = state else { continue };
            let parts: Vec<_> = parts.latest.into_iter().collect();
            let op = if parts.is_empty() { Op::Abort { upload } } else { Op::Complete { upload, parts } };
            self.start(&running, place, op);
            self.finish_clients(&mut running)?;
        }
        self.rest(&mut running)?;
        for (place, (key, _)) in self.states(|state| state.objects.clone()) {
            self.start(&running, place, Op::Delete { key });
            self.finish_clients(&mut running)?;
        }
        self.rest(&mut running)?;
        match self.machine.blob_files()? {
            files if files.is_empty() => running.stop(),
            files => Err(format!("the store is empty and has {files:?}")),
        }
    }

    fn states<T, I: IntoIterator<Item = T>>(&self, of: impl Fn(&State) -> I) -> Vec<(Place, T)> {
        let book = self.book.borrow();
        let places = all_places();
        places
            .flat_map(|place| book.possible(place).flat_map(&of).map(move |item| (place, item)).collect::<Vec<_>>())
            .collect()
    }
}
