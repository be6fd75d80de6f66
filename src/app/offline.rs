//! The administration of a store that no gateway has open: this process takes the lock, opens the store, answers with the
//! same handlers and closes it again. Nothing works in the background meanwhile; the next gateway does that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use super::admin::{Admin, socket};
use super::data_dir::DataDir;
use super::keys::master;
use super::{Catalog, Error, begin_run};
use crate::auth::Keyring;
use crate::base::clock::SystemClock;
use crate::base::rng::{Rng, SystemRng};
use crate::config::Config;
use crate::store::{Store, runs};
use crate::telemetry::health::Health;
use crate::telemetry::metrics::Metrics;
use crate::wire::{Body, BodyError};

/// Where a running gateway over this data directory takes administration.
pub fn admin_socket(data_dir: &Path) -> PathBuf {
    socket::path_in(data_dir)
}

/// A store that was opened to be administered.
pub struct Offline {
    admin: Arc<Admin>,
    store: Arc<Store>,
    catalog: Catalog,
    run: u32,
    // Dropped last: its lock ends when the catalog is closed.
    _data_dir: DataDir,
}

impl Offline {
    /// Opens the store of these settings. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::is_in_use`] when another process has it open; no store is made where there is none.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        let data_dir = DataDir::open_existing(&config.data_dir)?;
        let rng: Arc<dyn Rng> = Arc::new(SystemRng);
        let (metrics, health) = (Metrics::new(), Health::new(&[]));
        let root = match &config.credentials {
            Some(credentials) => Some(credentials.clone()),
            None => data_dir.kept_credentials()?,
        };
        let catalog = Catalog::open(&data_dir, config.durability, &metrics, &health).await?;
        let (store, run) =
            begin_run(config, &data_dir, &catalog, Arc::new(SystemClock), Arc::clone(&rng), metrics).await?;
        let sealer = master::open(&data_dir, &store, rng.as_ref())?;
        // Nobody has an empty id, so without the root's nobody is taken for root.
        let (id, secret) = root.as_ref().map_or(("", ""), |root| (&root.access_key, root.secret_key.expose()));
        let keyring = Arc::new(Keyring::new(id, secret, sealer));
        let admin = Admin::new(Arc::clone(&store), keyring, rng)?;
        Ok(Self { admin, store, catalog, run: run.number, _data_dir: data_dir })
    }

    /// Answers as port 9001 would answer root, with a body of at most `answer_max_bytes`.
    pub async fn ask(&self, request: Request<Bytes>, answer_max_bytes: usize) -> Result<Response<Bytes>, BodyError> {
        let (head, body) = self.admin.answer(request.map(Body::full)).await.into_parts();
        Ok(Response::from_parts(head, body.collect(answer_max_bytes).await?))
    }

    /// Closes the store. No body was written, so there is nothing to sweep after this run.
    pub async fn close(self) -> Result<(), Error> {
        runs::end(&self.catalog.meta, self.run).await?;
        let Self { admin, store, catalog, _data_dir: data_dir, .. } = self;
        drop((admin, store));
        tokio::task::spawn_blocking(move || catalog.close()).await.map_err(std::io::Error::other)?;
        drop(data_dir);
        Ok(())
    }
}
