//! Does with the object_store crate what `conformance/clients/object_store.py` asks for: one JSON request a line on standard
//! input, one JSON answer a line on standard output (see `steps.Driver`). The settings are the last argument, as JSON.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Certificate, ClientOptions, GetOptions, GetRange, ListResult, ObjectStore, ObjectStoreExt, RetryConfig};
use serde_json::{Value, json};

/// As `Cargo.toml` pins it.
const VERSION: &str = "0.14.2";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn text<'a>(request: &'a Value, name: &str) -> Outcome<&'a str> {
    Ok(request[name].as_str().ok_or_else(|| format!("no text {name} in {request}"))?)
}

fn number(request: &Value, name: &str) -> Outcome<u64> {
    Ok(request[name].as_u64().ok_or_else(|| format!("no number {name} in {request}"))?)
}

/// The key as it is: `Path::from` would percent-encode some of its characters.
fn key(request: &Value, name: &str) -> Outcome<Path> {
    Ok(Path::parse(text(request, name)?)?)
}

fn connect(settings: &Value) -> Outcome<AmazonS3> {
    let mut options = ClientOptions::new().with_allow_http(true);
    if let Some(authority) = settings["ca"].as_str() {
        options = options.with_root_certificate(Certificate::from_pem(&std::fs::read(authority)?)?);
    }
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    Ok(AmazonS3Builder::new()
        .with_endpoint(text(settings, "endpoint")?)
        .with_bucket_name(text(settings, "bucket")?)
        .with_access_key_id(text(settings, "access")?)
        .with_secret_access_key(text(settings, "secret")?)
        .with_region("us-east-1")
        .with_client_options(options)
        .with_retry(once)
        .build()?)
}

async fn read(store: &AmazonS3, request: &Value, range: Option<GetRange>) -> Outcome<Value> {
    let options = GetOptions { range, ..GetOptions::default() };
    let content = store.get_opts(&key(request, "key")?, options).await?.bytes().await?;
    std::fs::write(text(request, "path")?, content)?;
    Ok(Value::Null)
}

async fn multipart(store: &AmazonS3, request: &Value) -> Outcome<Value> {
    let content = Bytes::from(std::fs::read(text(request, "path")?)?);
    let part_size = usize::try_from(number(request, "part_size")?)?;
    let mut upload = store.put_multipart(&key(request, "key")?).await?;
    let mut parts = Vec::new();
    for start in (0..content.len()).step_by(part_size) {
        let end = content.len().min(start + part_size);
        parts.push(upload.put_part(content.slice(start..end).into()));
    }
    stream::iter(parts).buffer_unordered(4).try_collect::<Vec<()>>().await?;
    upload.complete().await?;
    Ok(Value::Null)
}

/// Every page of a listing; a number of keys a page can be had through this trait alone.
async fn list(store: &AmazonS3, request: &Value, delimiter: Option<&'static str>) -> Outcome<ListResult> {
    let max_keys = request["page"].as_u64().map(usize::try_from).transpose()?;
    let mut found = ListResult { common_prefixes: Vec::new(), objects: Vec::new(), extensions: Default::default() };
    let mut page_token = None;
    loop {
        let options = PaginatedListOptions { max_keys, page_token, delimiter: delimiter.map(Into::into), ..Default::default() };
        let page = store.list_paginated(Some(text(request, "prefix")?), options).await?;
        found.objects.extend(page.result.objects);
        found.common_prefixes.extend(page.result.common_prefixes);
        page_token = page.page_token;
        if page_token.is_none() {
            return Ok(found);
        }
    }
}

async fn delete_many(store: &AmazonS3, request: &Value) -> Outcome<Value> {
    let keys = request["keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let paths: Vec<_> = keys.map(|key| Path::parse(key).map_err(Into::into)).collect();
    store.delete_stream(stream::iter(paths).boxed()).try_collect::<Vec<Path>>().await?;
    Ok(Value::Null)
}

async fn sign(store: &AmazonS3, request: &Value, method: reqwest::Method) -> Outcome<Value> {
    let url = store.signed_url(method, &key(request, "key")?, Duration::from_secs(600)).await?;
    Ok(json!(url.as_str()))
}

async fn answer(store: &AmazonS3, request: &Value) -> Outcome<Value> {
    match text(request, "do")? {
        "put" => {
            let content = std::fs::read(text(request, "path")?)?;
            store.put(&key(request, "key")?, content.into()).await?;
            Ok(Value::Null)
        }
        "get" => read(store, request, None).await,
        "range" => {
            let bounded = number(request, "first")?..number(request, "last")? + 1;
            read(store, request, Some(GetRange::Bounded(bounded))).await
        }
        "range_from" => read(store, request, Some(GetRange::Offset(number(request, "first")?))).await,
        "range_suffix" => read(store, request, Some(GetRange::Suffix(number(request, "length")?))).await,
        "multipart" => multipart(store, request).await,
        "list_all" => {
            let found = list(store, request, None).await?;
            let entries = found.objects.iter().map(|object| json!([object.location.as_ref(), object.size]));
            Ok(entries.collect())
        }
        "list_level" => {
            let found = list(store, request, Some("/")).await?;
            let keys: Vec<_> = found.objects.iter().map(|object| object.location.as_ref()).collect();
            // The crate gives prefixes without the delimiter that ends them.
            let prefixes: Vec<_> = found.common_prefixes.iter().map(|prefix| format!("{prefix}/")).collect();
            Ok(json!([keys, prefixes]))
        }
        "copy" => {
            store.copy(&key(request, "source")?, &key(request, "target")?).await?;
            Ok(Value::Null)
        }
        "delete" => {
            store.delete(&key(request, "key")?).await?;
            Ok(Value::Null)
        }
        "delete_many" => delete_many(store, request).await,
        "presign_get" => sign(store, request, reqwest::Method::GET).await,
        "presign_put" => sign(store, request, reqwest::Method::PUT).await,
        other => Err(format!("no such request: {other}").into()),
    }
}

async fn serve() -> Outcome<()> {
    let settings = std::env::args().next_back().ok_or("no settings")?;
    let store = connect(&serde_json::from_str(&settings)?)?;
    let mut output = std::io::stdout();
    writeln!(output, "{}", json!({"ok": VERSION}))?;
    for line in std::io::stdin().lock().lines() {
        let request = serde_json::from_str(&line?)?;
        let line = match answer(&store, &request).await {
            Ok(value) => json!({"ok": value}),
            Err(error) => json!({"error": error.to_string()}),
        };
        writeln!(output, "{line}")?;
        output.flush()?;
    }
    Ok(())
}

fn main() -> Outcome<()> {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "there is a cryptography provider already")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}
