//! Seeded histories of a whole store on a simulated disk, with power cut in the middle of any operation.
//!
//! Everything of a history happens on one thread, in an order its seed decides: clients are futures polled by hand, the
//! committer, gc, sweep and expiry are stepped by hand, the clock stands still until it is moved. So a seed replays
//! everything.
//!
//! After every power cut all that is there is compared with all that may be there ([`judge`]): what was acknowledged is there
//! bit for bit, what was never answered happened whole or not at all, and nothing is there that nobody asked for. Whenever the
//! workers come to rest, files, rows and counters agree ([`audit`]).
//!
//! - `WHARF_SIM_SEEDS=1000 cargo test --test sim` plays more seeds than CI does.
//! - A failure prints the command that replays it, `WHARF_SIM_REPLAY=seed:cut:later_cuts cargo test --test sim replay`.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a failed assumption is the test's answer")]

mod audit;
mod body;
mod book;
mod client;
mod faults;
mod judge;
mod lie;
mod machine;
mod model;
mod play;
mod sessions;
mod workload;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lie::Lie;
use play::{Plan, Report, play};

/// Seeds of a run that names no number. Each is cut in every operation of its first life.
const SEEDS: u64 = 8;

/// What is wrong with a history, if anything is. Code that panics over what a power cut left is wrong too.
fn fault_of(plan: Plan) -> Result<Report, String> {
    catch_unwind(AssertUnwindSafe(|| play(plan))).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        Err(format!("a panic: {}", message.unwrap_or_else(|| "without words".to_owned())))
    })
}

/// Plays the seed without a cut, then with one in every operation of its first life. Answers how many histories that were.
fn every_cut(seed: u64, later_cuts: u64) -> Result<u64, String> {
    let plan = Plan { seed, cut: None, later_cuts, lie: None, fault: None };
    let told = |cut: Option<u64>, what: String| {
        let cut = cut.map_or_else(|| "none".to_owned(), |cut| cut.to_string());
        format!(
            "{what}\nreplay with: WHARF_SIM_REPLAY={seed}:{cut}:{later_cuts} cargo test --test sim replay -- --nocapture"
        )
    };
    let operations = fault_of(plan).map_err(|what| told(None, what))?.operations;
    for cut in 0..operations {
        fault_of(Plan { cut: Some(cut), ..plan }).map_err(|what| told(Some(cut), what))?;
    }
    Ok(operations + 1)
}

/// Histories share nothing, so several play at a time.
#[test]
fn a_power_cut_in_any_operation_loses_nothing_and_leaves_nothing() {
    let seeds = std::env::var("WHARF_SIM_SEEDS").map_or(SEEDS, |seeds| seeds.parse().expect("a number"));
    let (next, histories, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let play_seeds = || {
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                break;
            }
            match every_cut(seed, seed % 3) {
                Ok(played) => histories.fetch_add(played, Ordering::Relaxed),
                Err(what) => {
                    failed.store(true, Ordering::Relaxed);
                    panic!("{what}");
                }
            };
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| {
            scope.spawn(play_seeds);
        });
    });
    println!("{seeds} seeds, {} histories", histories.into_inner());
}

/// Plays one history again: `WHARF_SIM_REPLAY=seed:cut:later_cuts`, with `none` for no cut. Without it, the first.
#[test]
fn replay() {
    let text = std::env::var("WHARF_SIM_REPLAY").unwrap_or_else(|_| "0:0:1".to_owned());
    let parts: Vec<_> = text.split(':').collect();
    let number = |text: &str| text.parse().expect("seed:cut:later_cuts");
    let cut = (parts[1] != "none").then(|| number(parts[1]));
    let plan = Plan { seed: number(parts[0]), cut, later_cuts: number(parts[2]), lie: None, fault: None };
    if let Err(what) = play(plan) {
        panic!("{plan:?}: {what}");
    }
}

/// Histories in which a missing sync has to show.
const LYING_HISTORIES_MAX: u64 = 400;

/// Plays histories in which one sync does nothing until one goes wrong, and answers it.
fn first_loss(lie: Lie) -> Option<(Plan, String)> {
    (0..LYING_HISTORIES_MAX).find_map(|seed| {
        let plan = Plan { seed, cut: Some(30 + 29 * seed % 250), later_cuts: 2, lie: Some(lie), fault: None };
        fault_of(plan).err().map(|what| (plan, what))
    })
}

/// The simulation would notice if the store left out any one of its syncs.
#[test]
fn each_missing_sync_is_noticed() {
    for lie in Lie::ALL {
        let Some((plan, what)) = first_loss(lie) else { panic!("no history misses the sync {lie:?}") };
        println!("without {lie:?}: seed {} cut in operation {:?}: {what}", plan.seed, plan.cut);
    }
}
