//! The batches of one redb transaction: each is judged against what the ones before it left, then applied or refused.
//!
//! Each table is opened once per transaction and each counter is read and written once per transaction.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;

use redb::{ReadableTable, Table, WriteTransaction};

use crate::store::meta::local::{counter_from_record, table_definition};
use crate::store::meta::{Batch, Require, Space, Write, revision_of};

type Rows<'txn> = Table<'txn, &'static [u8], &'static [u8]>;

/// An open transaction and what its batches did so far.
pub(crate) struct Group<'txn> {
    transaction: &'txn WriteTransaction,
    tables: BTreeMap<Space, Rows<'txn>>,
    /// Counters that the table does not know yet.
    counters: BTreeMap<Vec<u8>, i64>,
    changed: usize,
}

impl<'txn> Group<'txn> {
    /// A group that writes into `transaction`.
    pub(crate) fn new(transaction: &'txn WriteTransaction) -> Self {
        Self { transaction, tables: BTreeMap::new(), counters: BTreeMap::new(), changed: 0 }
    }

    /// Applies the batch (`None`), or answers the index of the first requirement that does not hold and writes nothing.
    /// After an error the transaction is good for nothing.
    pub(crate) fn offer(&mut self, batch: Batch) -> Result<Option<usize>, redb::Error> {
        for (index, require) in batch.requires.iter().enumerate() {
            if !self.holds(require, &batch)? {
                return Ok(Some(index));
            }
        }
        self.changed += usize::from(!batch.writes.is_empty());
        for write in batch.writes {
            self.write(write)?;
        }
        Ok(None)
    }

    /// Writes the counters and closes the tables. Answers how many batches changed something.
    pub(crate) fn finish(mut self) -> Result<usize, redb::Error> {
        self.settle_counters()?;
        Ok(self.changed)
    }

    fn holds(&mut self, require: &Require, batch: &Batch) -> Result<bool, redb::Error> {
        Ok(match require {
            Require::Absent(space, key) => self.rows(*space)?.get(key.as_slice())?.is_none(),
            Require::Present(space, key) => self.rows(*space)?.get(key.as_slice())?.is_some(),
            Require::Revision(space, key, revision) => {
                let record = self.rows(*space)?.get(key.as_slice())?;
                record.and_then(|record| revision_of(record.value())) == Some(*revision)
            }
            Require::CounterAtMost(name, most) => {
                let mut sum = self.sum(name)?;
                for write in &batch.writes {
                    sum = sum.saturating_add(self.added(write, name)?);
                }
                sum <= *most
            }
            Require::RangeEmpty(space, start, end) => {
                let from = Bound::Included(start.as_slice());
                let first = self.rows(*space)?.range::<&[u8]>((from, Bound::Unbounded))?.next().transpose()?;
                first.is_none_or(|(key, _)| !end.is_empty() && key.value() >= end.as_slice())
            }
        })
    }

    fn write(&mut self, write: Write) -> Result<(), redb::Error> {
        match write {
            Write::Put(space, key, record) => {
                self.rows(space)?.insert(key.as_slice(), record.as_slice())?;
            }
            Write::Delete(space, key) => {
                self.rows(space)?.remove(key.as_slice())?;
            }
            Write::Add(name, amount) => self.add(name, amount)?,
            Write::Bury(space, key, number) => {
                self.bury(space, &key, number)?;
            }
            Write::BuryCounted(space, key, number, tally) => {
                let Some(buried) = self.bury(space, &key, number)? else { return Ok(()) };
                let record = buried.get(1..).unwrap_or_default();
                let (bytes, rows) = (tally.of_burial(&tally.bytes, record), tally.of_burial(&tally.rows, record));
                self.add(tally.bytes, bytes)?;
                self.add(tally.rows, rows)?;
            }
        }
        Ok(())
    }

    /// What a write that is not carried out yet would add to the counter.
    fn added(&mut self, write: &Write, name: &[u8]) -> Result<i64, redb::Error> {
        Ok(match write {
            Write::Add(other, amount) if other == name => *amount,
            Write::BuryCounted(space, key, _, tally) if tally.bytes == name || tally.rows == name => {
                let record = self.rows(*space)?.get(key.as_slice())?;
                record.map_or(0, |record| tally.of_burial(name, record.value()))
            }
            _ => 0,
        })
    }

    fn add(&mut self, name: Vec<u8>, amount: i64) -> Result<(), redb::Error> {
        let sum = self.sum(&name)?.saturating_add(amount);
        self.counters.insert(name, sum);
        Ok(())
    }

    /// Moves what stands at the key to the grave, and answers it as it stands there.
    fn bury(&mut self, space: Space, key: &[u8], number: u64) -> Result<Option<Vec<u8>>, redb::Error> {
        let buried = self.rows(space)?.remove(key)?.map(|record| {
            let record = record.value();
            let mut buried = Vec::with_capacity(1 + record.len());
            buried.push(space as u8);
            buried.extend_from_slice(record);
            buried
        });
        if let Some(buried) = &buried {
            self.rows(Space::Grave)?.insert(number.to_be_bytes().as_slice(), buried.as_slice())?;
        }
        Ok(buried)
    }

    /// The rows of a table, as every batch so far left them.
    fn rows(&mut self, space: Space) -> Result<&mut Rows<'txn>, redb::Error> {
        if space == Space::Counters {
            self.settle_counters()?;
        }
        self.table(space)
    }

    fn table(&mut self, space: Space) -> Result<&mut Rows<'txn>, redb::Error> {
        Ok(match self.tables.entry(space) {
            Entry::Occupied(table) => table.into_mut(),
            Entry::Vacant(place) => place.insert(self.transaction.open_table(table_definition(space))?),
        })
    }

    /// The counter, as every batch so far left it.
    fn sum(&mut self, name: &[u8]) -> Result<i64, redb::Error> {
        if let Some(sum) = self.counters.get(name) {
            return Ok(*sum);
        }
        let record = self.table(Space::Counters)?.get(name)?;
        record.map_or(Ok(0), |record| counter_from_record(record.value()))
    }

    /// Brings the table of counters up to date.
    fn settle_counters(&mut self) -> Result<(), redb::Error> {
        for (name, sum) in std::mem::take(&mut self.counters) {
            let table = self.table(Space::Counters)?;
            // A counter at zero has no row, so counters of what is long gone leave nothing behind.
            if sum == 0 {
                table.remove(name.as_slice())?;
            } else {
                table.insert(name.as_slice(), sum.to_be_bytes().as_slice())?;
            }
        }
        Ok(())
    }
}
