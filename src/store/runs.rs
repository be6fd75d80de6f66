//! Openings of a store. Each gets a number of its own before it writes anything; one that did not end cleanly leaves its row,
//! and the sweep of a later run looks through the blobs it may have left.

use crate::base::id::RunNumber;
use crate::store::error::Error;
use crate::store::meta::schema::{RECORD_FORMAT, RUN_KEY, run_key};
use crate::store::meta::{Batch, Meta, Space, Visit, Write};

/// A begun run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub number: RunNumber,
    /// Earlier runs that did not end cleanly and were not swept since.
    pub unswept: Vec<RunNumber>,
}

/// Begins a run: nothing may be written to the store before this has answered.
pub async fn begin(meta: &dyn Meta) -> Result<Run, Error> {
    let (batch, run) = {
        let snapshot = meta.snapshot()?;
        let last = match snapshot.get(Space::System, RUN_KEY)? {
            Some(record) => last_run(&record)?,
            None => 0,
        };
        let mut unswept = Vec::new();
        snapshot.scan(Space::Runs, &[], &[], &mut |key, _| {
            unswept.extend(key.first_chunk::<4>().map(|key| RunNumber::from_be_bytes(*key)));
            std::ops::ControlFlow::Continue(Visit::Next)
        })?;
        let number = last.checked_add(1).ok_or_else(|| Error::Corrupt("run numbers are used up".to_owned()))?;
        let batch = Batch::default()
            .write(Write::Put(Space::System, RUN_KEY.to_vec(), run_record(number)))
            .write(Write::Put(Space::Runs, run_key(number), vec![RECORD_FORMAT]));
        (batch, Run { number, unswept })
    };
    meta.commit(batch).await?;
    Ok(run)
}

/// Ends a run cleanly: all that it wrote is named or gone, so no sweep needs to look.
pub async fn end(meta: &dyn Meta, number: RunNumber) -> Result<(), Error> {
    Ok(meta.commit(Batch::default().write(Write::Delete(Space::Runs, run_key(number)))).await?)
}

fn run_record(number: RunNumber) -> Vec<u8> {
    let mut record = vec![RECORD_FORMAT];
    record.extend_from_slice(&number.to_be_bytes());
    record
}

fn last_run(record: &[u8]) -> Result<RunNumber, Error> {
    match record.split_first() {
        Some((&RECORD_FORMAT, number)) => number.try_into().map(RunNumber::from_be_bytes).ok(),
        _ => None,
    }
    .ok_or_else(|| Error::Corrupt("the run number is unreadable".to_owned()))
}
