//! The master key: 32 random bytes in hexadecimal digits in `<data-dir>/master.key` (0600), made at the first start. Whoever
//! has it and the catalog has every secret; without it the kept access keys are lost, so it is never made anew while there
//! are any.

use crate::app::data_dir::{DataDir, DataDirError};
use crate::auth::seal::Sealer;
use crate::base::digest::{from_hex, hex};
use crate::base::rng::Rng;
use crate::store::Store;
use crate::store::error::Error as StoreError;
use crate::store::types::RecordKind;

/// Its name in the data directory.
const NAME: &str = "master.key";
const KEY_BYTES: usize = 32;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// It is gone, and what it sealed is there.
    #[error("{0} is missing, but it sealed the secrets of access keys: put it back")]
    Missing(std::path::PathBuf),
    /// The data directory failed.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The sealer of this data directory; made where there is none and nothing was sealed yet.
pub(in crate::app) fn open(data_dir: &DataDir, store: &Store, rng: &dyn Rng) -> Result<Sealer, MasterError> {
    if let Some(text) = data_dir.read_small(NAME)? {
        let key = from_hex::<KEY_BYTES>(text.trim());
        let key = key.ok_or_else(|| data_dir.unreadable(NAME, "it does not hold 64 hexadecimal digits"))?;
        return Ok(Sealer::new(key));
    }
    if !store.records_page(RecordKind::AccessKey, "", 1)?.0.is_empty() {
        return Err(MasterError::Missing(data_dir.path().join(NAME)));
    }
    let mut key = [0; KEY_BYTES];
    rng.fill(&mut key);
    data_dir.replace_small(NAME, &format!("{}\n", hex(&key)))?;
    Ok(Sealer::new(key))
}
