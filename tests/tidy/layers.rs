//! Who may import whom. A module imports modules of strictly lower rank, and of those the ones its row names.

use crate::paths::named;
use crate::source::Source;

/// A top-level module: its rank, and what it may import besides itself.
struct Layer {
    name: &'static str,
    rank: u8,
    imports: &'static [&'static str],
}

/// Ranks 5 to 7 put the others together.
const BELOW_CONFIG: &[&str] =
    &["base", "telemetry", "wire", "auth", "store", "generator", "server", "s3", "pipeline", "console"];

const LAYERS: [Layer; 14] = [
    Layer { name: "base", rank: 0, imports: &[] },
    Layer { name: "telemetry", rank: 1, imports: &["base"] },
    Layer { name: "wire", rank: 2, imports: &["telemetry", "base"] },
    Layer { name: "auth", rank: 3, imports: &["wire", "telemetry", "base"] },
    Layer { name: "store", rank: 3, imports: &["telemetry", "base"] },
    Layer { name: "generator", rank: 3, imports: &["wire", "telemetry", "base"] },
    Layer { name: "server", rank: 4, imports: &["wire", "telemetry", "base"] },
    Layer { name: "s3", rank: 4, imports: &["auth", "store", "wire", "telemetry", "base"] },
    Layer { name: "pipeline", rank: 4, imports: &["auth", "store", "wire", "telemetry", "base"] },
    Layer { name: "console", rank: 4, imports: &["auth", "store", "wire", "telemetry", "base"] },
    Layer { name: "config", rank: 5, imports: BELOW_CONFIG },
    Layer {
        name: "app",
        rank: 6,
        imports: &[
            "config",
            "base",
            "telemetry",
            "wire",
            "auth",
            "store",
            "generator",
            "server",
            "s3",
            "pipeline",
            "console",
        ],
    },
    Layer {
        name: "cli",
        rank: 7,
        imports: &[
            "app",
            "config",
            "base",
            "telemetry",
            "wire",
            "auth",
            "store",
            "generator",
            "server",
            "s3",
            "pipeline",
            "console",
        ],
    },
    Layer { name: "main", rank: 8, imports: &["cli"] },
];

fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

/// Every import of one file, judged.
pub(crate) fn check(source: &Source) -> Vec<String> {
    let Some(from) = source.module() else { return Vec::new() };
    let Some(top) = from.first() else { return Vec::new() };
    if layer(top).is_none() {
        return vec![format!("1: the module {top} has no rank")];
    }
    let inside = |named: &crate::paths::Named| named.path[0] == "crate";
    named(source)
        .into_iter()
        .filter(inside)
        .filter_map(|named| Some(format!("{}: {}", named.line, refused(&from, &named.path[1..])?)))
        .collect()
}

/// Why the module `from` may not name `to`; none when it may.
fn refused(from: &[String], to: &[String]) -> Option<String> {
    let own = layer(from.first()?)?;
    let target = to.first()?;
    if target == own.name {
        return refused_within(from, to);
    }
    let Some(other) = layer(target) else { return Some(format!("{target} is no module of the crate")) };
    let allowed = other.rank < own.rank && own.imports.contains(&other.name);
    (!allowed).then(|| format!("{} may not import {}", own.name, other.name))
}

/// The laws inside a top-level module.
fn refused_within(from: &[String], to: &[String]) -> Option<String> {
    let from: Vec<_> = from.iter().map(String::as_str).collect();
    let to: Vec<_> = to.iter().map(String::as_str).collect();
    let says = |law: &str| Some(law.to_owned());
    match (from.as_slice(), to.as_slice()) {
        (["store", "meta", ..], ["store", "blob", ..]) => says("store::meta may not import store::blob"),
        (["store", "blob", ..], ["store", "meta", ..]) => says("store::blob may not import store::meta"),
        (["store", "fsio", ..], ["store", other, ..]) if *other != "fsio" => {
            says("store::fsio imports nothing of the store")
        }
        (["s3", "ops", own, ..], ["s3", "ops", other, ..]) if own != other && is_module(other) => {
            Some(format!("operation {own} may not import operation {other}"))
        }
        _ => None,
    }
}

/// Modules are written in lower case, and `ops/mod.rs` holds nothing else that is.
fn is_module(name: &str) -> bool {
    name.chars().all(|c| c.is_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn the_table_agrees_with_the_ranks() {
    for layer_ in &LAYERS {
        for import in layer_.imports {
            assert!(layer(import).unwrap().rank < layer_.rank, "{} imports {import}", layer_.name);
        }
    }
}

#[test]
fn forbidden_imports_are_caught() {
    for (path, text) in [
        ("src/base/id.rs", "use crate::store::Store;"),
        ("src/store/mod.rs", "use crate::{base::id, wire::body::Body};"),
        ("src/store/object.rs", "fn f() { crate::auth::verify() }"),
        ("src/auth/mod.rs", "use super::store::Store;"),
        ("src/s3/mod.rs", "use crate::server;"),
        ("src/s3/xml.rs", "use super::super::pipeline::x;"),
        ("src/server/mod.rs", "use crate::s3::Service;"),
        ("src/console/mod.rs", "use crate::pipeline;"),
        ("src/generator/mod.rs", "use crate::store::Store;"),
        ("src/config/mod.rs", "use crate::app::serve;"),
        ("src/main.rs", "fn main() { wharf::app::serve() }"),
        ("src/store/meta/local.rs", "use crate::store::blob::Sealed;"),
        ("src/store/meta/mod.rs", "use super::blob;"),
        ("src/store/blob/disk.rs", "use super::super::meta::Batch;"),
        ("src/store/blob/disk/tests.rs", "use crate::store::{fsio::Fs, meta::Batch};"),
        ("src/store/fsio/real.rs", "use crate::store::types::BucketName;"),
        ("src/s3/ops/put_object.rs", "use super::get_object::headers;"),
        ("src/s3/ops/put_object/body.rs", "use crate::s3::ops::get_object;"),
        ("src/newcomer/mod.rs", ""),
        ("src/s3/mod.rs", "use crate::newcomer::x;"),
        ("src/wire/mod.rs", "mod inner { use super::super::server::x; }"),
    ] {
        assert!(!crate::found(check, path, text).is_empty(), "{path}: {text}");
    }
}

#[test]
fn allowed_imports_pass() {
    for (path, text) in [
        ("src/main.rs", "fn main() { wharf::cli::run() }"),
        ("src/s3/ops/put_object.rs", "use super::super::op::Op; use crate::s3::xml; use crate::store::Store;"),
        ("src/s3/ops/put_object.rs", "use crate::s3::ops::OPS; mod tests { use super::*; use super::body; }"),
        ("src/s3/ops/mod.rs", "use self::get_object::GET_OBJECT;"),
        ("src/store/blob/disk.rs", "use crate::store::fsio::Fs; use super::BlobError;"),
        ("src/store/object.rs", "use super::{blob, meta}; use crate::base::id::BlobId;"),
        ("src/base/worker.rs", "//! A supervisor ([`crate::app`]) drives it.\n"),
        ("src/base/worker.rs", "fn f() { say(\"crate::app::x\") }"),
        ("src/app.rs", "use crate::{config::Config, server, s3};"),
    ] {
        assert_eq!(crate::found(check, path, text), Vec::<String>::new(), "{path}: {text}");
    }
}
