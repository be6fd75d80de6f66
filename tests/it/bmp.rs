//! Generations, from the order to the image: with a generator that the test plays, which may be busy, die, or say what is not
//! so; with a gateway that is killed in between.

use serde_json::{Value, json};

use crate::admin::{command, succeed};
use crate::digests::base64;
use crate::gateway::{ACCESS_KEY, Gateway, Launch, SECRET_KEY};
use crate::http::{Answer, Connection};
use crate::key::Key;
use crate::peer::{Called, Peer};
use crate::process::poll;

/// An image of two parts of 5 MiB, of which the last is short.
pub(crate) const WIDTH: u64 = 2000;
const HEIGHT: u64 = 1000;
/// Its file: a header, and rows of 24 bits a pixel.
pub(crate) const VOLUME: u64 = 54 + WIDTH * 3 * HEIGHT;
const PART: u64 = 5 << 20;
/// What the fake generator asks for.
const TOKEN: &str = "generator-token-of-tests";

/// A gateway whose generations go to `generator`.
pub(crate) fn launch(generator: &Peer) -> Launch {
    Launch::new().set("--generator-url", generator.url("")).env("WHARF_GENERATOR_TOKEN", TOKEN)
}

pub(crate) fn relaunch(gateway: &Gateway, generator: &Peer) -> Gateway {
    let again = Launch::on(&gateway.directory()).set("--generator-url", generator.url(""));
    again.env("WHARF_GENERATOR_TOKEN", TOKEN).start()
}

pub(crate) fn basic(access_key: &str, secret: &str) -> String {
    format!("Basic {}", base64(format!("{access_key}:{secret}")))
}

pub(crate) fn root() -> String {
    basic(ACCESS_KEY, SECRET_KEY)
}

/// What port 9001 answers to this request.
pub(crate) fn ask(gateway: &Gateway, method: &str, target: &str, who: &str, body: Option<&Value>) -> Answer {
    let mut connection = Connection::open(gateway.api, gateway.tls.as_ref());
    send(gateway, &mut connection, method, target, who, body);
    connection.read_answer(method)
}

fn send(gateway: &Gateway, connection: &mut Connection, method: &str, target: &str, who: &str, body: Option<&Value>) {
    let who = if who.is_empty() { String::new() } else { format!("authorization: {who}\r\n") };
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    connection.write(format!(
        "{method} {target} HTTP/1.1\r\nhost: {}\r\n{who}content-length: {length}\r\nconnection: close\r\n\r\n{body}",
        gateway.api
    ));
}

pub(crate) fn document(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", answer.text()))
}

/// Asserts a refusal, and gives its sentence.
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) -> String {
    let error = document(answer);
    assert_eq!((answer.status, error["error"]["code"].as_str()), (status, Some(code)), "{error}");
    error["error"]["message"].as_str().unwrap().to_owned()
}

/// What to ask for, with more fields or others.
pub(crate) fn wanted(more: &Value) -> Value {
    let mut wanted = json!({
        "width": WIDTH, "height": HEIGHT, "partSize": PART, "pattern": {"kind": "solid", "color": "#000000"},
    });
    wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    wanted
}

/// Asks for an image in root's name.
pub(crate) fn create(gateway: &Gateway, more: &Value) -> Value {
    let answer = ask(gateway, "POST", "/bmp", &root(), Some(&wanted(more)));
    assert_eq!(answer.status, 202, "{}", answer.text());
    document(&answer)
}

pub(crate) fn uuid(generation: &Value) -> String {
    generation["uuid"].as_str().unwrap().to_owned()
}

/// A generation as root sees it.
pub(crate) fn seen(gateway: &Gateway, uuid: &str) -> Value {
    let answer = ask(gateway, "GET", &format!("/bmp/{uuid}"), &root(), None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    document(&answer)
}

pub(crate) fn await_status(gateway: &Gateway, uuid: &str, status: &str) -> Value {
    poll(&format!("{uuid} is {status}"), || Some(seen(gateway, uuid)).filter(|seen| seen["status"] == status))
}

/// The generator's side of an order.
pub(crate) struct Order {
    body: Value,
}

impl Order {
    pub(crate) fn of(called: &Called) -> Self {
        Self { body: called.json() }
    }

    pub(crate) fn next(generator: &Peer) -> Self {
        Self::of(&generator.next_of("POST /generate"))
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap()
    }

    pub(crate) fn who(&self) -> String {
        format!("Bearer {}", self.body["auth"]["token"].as_str().unwrap())
    }

    fn numbers(&self) -> Vec<u64> {
        self.body["partNumbers"].as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
    }

    /// PUTs a part by its URL, and gives its ETag.
    pub(crate) fn put(&self, gateway: &Gateway, number: u64) -> String {
        let at = self.numbers().iter().position(|known| *known == number).unwrap();
        let answer = self.try_put(gateway, at);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("etag").unwrap().to_owned()
    }

    fn try_put(&self, gateway: &Gateway, at: usize) -> Answer {
        let number = self.numbers()[at];
        let length = (VOLUME - (number - 1) * PART).min(PART);
        let url = self.body["partUploadUrls"][at].as_str().unwrap();
        let target = url.strip_prefix(&format!("http://{}", gateway.s3)).unwrap();
        let mut connection = gateway.connect();
        let head = format!("PUT {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n", gateway.s3);
        let mut bytes = format!("{head}connection: close\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + usize::try_from(length).unwrap(), 0);
        // A gateway that refuses may close before it has read all.
        let _ = connection.try_write(bytes);
        connection.read_answer("PUT")
    }

    pub(crate) fn call(&self, gateway: &Gateway, target: &str, body: &Value) -> Answer {
        ask(gateway, "POST", target, &self.who(), Some(body))
    }

    pub(crate) fn upload(&self) -> Value {
        json!({"uploadId": self.text("uploadId"), "objectName": self.text("objectName"), "bucket": self.text("bucket")})
    }

    /// Completes the upload with these parts.
    pub(crate) fn complete(&self, gateway: &Gateway, etags: &[(u64, String)]) -> Answer {
        let mut body = self.upload();
        let part = |(number, etag): &(u64, String)| json!({"partNumber": number, "eTag": etag});
        body["parts"] = etags.iter().map(part).collect();
        self.call(gateway, "/s3/complete", &body)
    }

    pub(crate) fn report(&self, gateway: &Gateway, failure: Option<&str>) -> Answer {
        let uuid = self.text("generationUuid");
        let body = json!({
            "isSuccess": failure.is_none(), "errorMessage": failure, "generationUuid": uuid, "bmpVolume": VOLUME,
        });
        self.call(gateway, &format!("/bmp/{uuid}/complete"), &body)
    }

    /// Does all that a generator does.
    pub(crate) fn fulfil(&self, gateway: &Gateway) {
        let etags: Vec<_> = self.numbers().into_iter().map(|number| (number, self.put(gateway, number))).collect();
        assert_eq!(self.complete(gateway, &etags).status, 200);
        let reported = self.report(gateway, None);
        assert_eq!(document(&reported)["status"], "COMPLETED", "{}", reported.text());
    }
}

/// Listens to events.
struct Listener {
    connection: Connection,
    text: String,
}

impl Listener {
    fn open(gateway: &Gateway, url: &str, last: Option<&str>) -> Self {
        let target = url.strip_prefix(&format!("http://{}", gateway.api)).unwrap();
        let mut connection = Connection::open(gateway.api, None);
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        connection.write(format!("GET {target} HTTP/1.1\r\nhost: {}\r\n{last}\r\n", gateway.api));
        let head = connection.read_stream_head();
        assert_eq!(head.status, 200, "{head:?}");
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        assert_eq!(head.header("cache-control"), Some("no-store"));
        assert_eq!(head.header("x-accel-buffering"), Some("no"));
        Self { connection, text: String::new() }
    }

    /// The next event: its id, type and data.
    fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let event = (field("id: "), field("event: "), field("data: "));
                self.text = rest.to_owned();
                match event {
                    (Some(id), Some(kind), Some(data)) => {
                        return Some((id, kind, serde_json::from_str(&data).unwrap()));
                    }
                    (None, None, None) => continue,
                    other => panic!("half an event: {other:?}"),
                }
            }
            let chunk = self.connection.read_stream_chunk();
            if chunk.is_empty() {
                return None;
            }
            self.text.push_str(&String::from_utf8(chunk).unwrap());
        }
    }

    fn next_kind(&mut self) -> (String, Value) {
        let (_, kind, data) = self.next().expect("one more event");
        (kind, data)
    }
}

/// Asserts that no upload is open and no object there.
fn assert_nothing_left(gateway: &Gateway) {
    let uploads = gateway.request("GET", "/uploads").query("uploads", "").send().ok(200).text();
    assert!(!uploads.contains("<Upload>"), "{uploads}");
    let objects = gateway.request("GET", "/uploads").query("list-type", "2").send().ok(200).text();
    assert!(!objects.contains("<Contents>"), "{objects}");
}

#[test]
fn from_the_order_to_the_image() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let generation = create(&gateway, &json!({"fileName": "pictures/one.bmp", "topDown": true}));
    let uuid = uuid(&generation);
    assert_eq!(generation["status"], "PENDING");
    assert_eq!((&generation["bmpVolume"], &generation["partCount"]), (&json!(VOLUME), &json!(2)));
    let called = generator.next_of("POST /generate");
    assert_eq!(called.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    let order = Order::of(&called);
    for (field, expected) in [
        ("bmpWidth", json!(WIDTH)),
        ("bmpHeight", json!(HEIGHT)),
        ("bmpVolume", json!(VOLUME)),
        ("bitsPerPixel", json!(24)),
        ("topDown", json!(true)),
        ("partSize", json!(PART)),
        ("partNumbers", json!([1, 2])),
        ("generationUuid", json!(uuid)),
        ("objectName", json!("pictures/one.bmp")),
        ("bucket", json!("uploads")),
        ("callbackBaseUrl", json!(format!("http://{}", gateway.api))),
    ] {
        assert_eq!(order.body[field], expected, "{field}");
    }
    let running = await_status(&gateway, &uuid, "RUNNING");
    assert!(running["startedAt"].is_string() && running["finishedAt"].is_null() && running["imageUrl"].is_null());

    let mut listener = Listener::open(&gateway, generation["eventsUrl"].as_str().unwrap(), None);
    assert_eq!(listener.next_kind().1["status"], "PENDING");
    let first = order.put(&gateway, 1);
    let part = |number: u64| json!({"partNumber": number, "eTag": "\"made up\"", "bytes": 7, "backend": "cpu"});
    let target = format!("/bmp/{uuid}/part");
    assert_eq!(document(&order.call(&gateway, &target, &part(2)))["known"], false, "it is not there");
    assert_eq!(document(&order.call(&gateway, &target, &part(1)))["known"], true);
    assert_eq!(order.call(&gateway, &target, &part(1)).status, 200, "twice is once");
    let now = seen(&gateway, &uuid);
    assert_eq!((&now["partsDone"], &now["bytesDone"], &now["backend"]), (&json!(1), &json!(PART), &json!("cpu")));
    let second = order.put(&gateway, 2);
    assert_eq!(order.call(&gateway, &target, &part(2)).status, 200);
    let etags = [(2, second), (1, first.clone())];
    let completed = order.complete(&gateway, &etags);
    assert_eq!(completed.status, 200, "{}", completed.text());
    for _ in 0..2 {
        let reported = order.report(&gateway, None);
        assert_eq!(
            (reported.status, &document(&reported)["status"]),
            (200, &json!("COMPLETED")),
            "a report may come twice"
        );
    }
    let late = order.report(&gateway, Some("the answer was lost"));
    assert_eq!(document(&late)["status"], "COMPLETED", "what is over is over");

    let shown = seen(&gateway, &uuid);
    for (field, expected) in [
        ("partsDone", json!(2)),
        ("bytesDone", json!(VOLUME)),
        ("backend", json!("cpu")),
        ("error", json!(null)),
        ("width", json!(WIDTH)),
        ("eTag", document(&completed)["eTag"].clone()),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    let url = shown["imageUrl"].as_str().unwrap();
    let target = url.strip_prefix(&format!("http://{}", gateway.s3)).unwrap();
    let mut connection = gateway.connect();
    connection.write(format!("GET {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", gateway.s3));
    let image = connection.read_answer("GET");
    assert_eq!((image.status, image.body.len() as u64, image.header("content-type")), (200, VOLUME, Some("image/bmp")));

    assert_eq!(listener.next_kind().1["status"], "RUNNING");
    let (kind, data) = listener.next_kind();
    assert_eq!(kind, "part");
    let expected = json!({"partNumber": 1, "eTag": first, "partsDone": 1, "partCount": 2, "bytesDone": PART});
    assert_eq!(data, expected, "what the store has, not what the generator says");
    let (id, kind, _) = listener.next().unwrap();
    assert_eq!(kind, "part");
    let (last, kind, data) = listener.next().unwrap();
    assert_eq!((kind.as_str(), &data["status"], &data["eTag"]), ("completed", &json!("COMPLETED"), &shown["eTag"]));
    assert!(listener.next().is_none(), "nothing follows the last event");
    let url = generation["eventsUrl"].as_str().unwrap();
    let mut rest = Listener::open(&gateway, url, Some(&id));
    assert_eq!(rest.next().map(|(id, kind, _)| (id, kind)), Some((last.clone(), "completed".to_owned())));
    let mut all = Listener::open(&gateway, url, None);
    let ids: Vec<u64> = std::iter::from_fn(|| all.next()).map(|(id, _, _)| id.parse().unwrap()).collect();
    assert!(ids.len() == 5 && ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let target = url.strip_prefix(&format!("http://{}", gateway.api)).unwrap();
    let mut connection = Connection::open(gateway.api, None);
    connection.write(format!("GET {target} HTTP/1.1\r\nhost: x\r\nlast-event-id: {last}\r\n\r\n"));
    assert_eq!(connection.read_answer("GET").status, 204, "an EventSource that has all is told to stay away");
    assert!(!gateway.stderr().contains(target.split_once("token=").unwrap().1), "the token is in the log");
}

#[test]
fn a_generator_that_is_busy_or_in_trouble_is_asked_again() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    generator.script(&[
        "429 Too Many Requests\nretry-after: 1",
        "503 Service Unavailable",
        "500 Internal Server Error",
    ]);
    let uuid = uuid(&create(&gateway, &json!({})));
    for _ in 0..3 {
        assert_eq!(Order::next(&generator).numbers(), [1, 2]);
    }
    let order = Order::next(&generator);
    assert_eq!(order.text("objectName"), format!("{uuid}.bmp"));
    await_status(&gateway, &uuid, "RUNNING");
    order.fulfil(&gateway);
    generator.script(&["400 Bad Request"]);
    let uuid = self::uuid(&create(&gateway, &json!({})));
    let failed = await_status(&gateway, &uuid, "FAILED");
    assert!(failed["error"].as_str().unwrap().contains("400") && failed["finishedAt"].is_string(), "{failed}");
}

#[test]
fn a_generator_that_dies_is_asked_for_what_is_missing() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let uuid = uuid(&create(&gateway, &json!({})));
    let order = Order::next(&generator);
    let first = order.put(&gateway, 1);
    // Nothing more comes. Nobody was told of the part either: the gateway sees for itself.
    let again = Order::next(&generator);
    assert_eq!((again.numbers(), again.body["partUploadUrls"].as_array().unwrap().len()), (vec![2], 1));
    assert_eq!(seen(&gateway, &uuid)["status"], "RUNNING");
    let second = again.put(&gateway, 2);
    assert_eq!(again.complete(&gateway, &[(1, first), (2, second)]).status, 200);
    // It dies before it reports; the store knows.
    let done = await_status(&gateway, &uuid, "COMPLETED");
    assert_eq!(done["bytesDone"], VOLUME);
}

#[test]
fn a_gateway_that_is_killed_goes_on_where_it_was() {
    let generator = Peer::new();
    let mut gateway = launch(&generator).start();
    let uuid = uuid(&create(&gateway, &json!({})));
    let first = Order::next(&generator).put(&gateway, 1);
    await_status(&gateway, &uuid, "RUNNING");
    gateway.kill();
    gateway = relaunch(&gateway, &generator);
    let order = Order::next(&generator);
    assert_eq!(order.numbers(), [2], "the part that is there stays");
    assert_eq!(order.text("callbackBaseUrl"), format!("http://{}", gateway.api), "its port is another now");
    let second = order.put(&gateway, 2);
    assert_eq!(order.complete(&gateway, &[(1, first), (2, second)]).status, 200);
    gateway.kill();
    // All is there, and nobody has said so.
    gateway = relaunch(&gateway, &generator);
    let done = await_status(&gateway, &uuid, "COMPLETED");
    assert_eq!((&done["partsDone"], &done["bytesDone"]), (&json!(2), &json!(VOLUME)));
}

/// A token of a listener, from a generation of its own.
fn listeners_token(gateway: &Gateway) -> String {
    let generation = create(gateway, &json!({}));
    generation["eventsUrl"].as_str().unwrap().split_once("token=").unwrap().1.to_owned()
}

#[test]
fn what_is_cancelled_leaves_nothing_behind() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let generation = create(&gateway, &json!({}));
    let uuid = uuid(&generation);
    let order = Order::next(&generator);
    order.put(&gateway, 1);
    let mut listener = Listener::open(&gateway, generation["eventsUrl"].as_str().unwrap(), None);
    let target = format!("/bmp/{uuid}/cancel");
    refused(&order.call(&gateway, &target, &json!({})), 403, "AccessDenied");
    for _ in 0..2 {
        let answer = ask(&gateway, "POST", &target, &root(), None);
        assert_eq!((answer.status, &document(&answer)["status"]), (200, &json!("CANCELLED")), "{}", answer.text());
    }
    assert_eq!(generator.next_of("POST /cancel").json(), json!({"generationUuid": uuid}));
    assert_nothing_left(&gateway);
    let events: Vec<_> = std::iter::from_fn(|| listener.next()).collect();
    let (_, kind, data) = events.last().unwrap();
    assert_eq!((kind.as_str(), &data["status"]), ("failed", &json!("CANCELLED")));
    assert_eq!(order.try_put(&gateway, 1).status, 404, "its URLs lead nowhere");
    refused(&order.call(&gateway, "/s3/part-urls", &order.upload()), 400, "InvalidRequest");
    let mut renewal = order.upload();
    renewal["partNumbers"] = json!([2]);
    refused(&order.call(&gateway, "/s3/part-urls", &renewal), 403, "AccessDenied");
    assert_eq!(document(&order.report(&gateway, None))["status"], "CANCELLED", "a report that comes too late");

    let done = self::uuid(&create(&gateway, &json!({})));
    Order::next(&generator).fulfil(&gateway);
    refused(&ask(&gateway, "POST", &format!("/bmp/{done}/cancel"), &root(), None), 409, "Conflict");
}

#[test]
fn what_a_generator_says_is_compared_with_what_is_there() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let uuid = uuid(&create(&gateway, &json!({})));
    let order = Order::next(&generator);
    order.put(&gateway, 1);
    let target = format!("/bmp/{uuid}/complete");
    for (body, field) in [
        (json!({}), "isSuccess"),
        (json!({"isSuccess": "yes"}), "isSuccess"),
        (json!({"isSuccess": true, "generationUuid": "other"}), "generationUuid"),
        (json!({"isSuccess": true, "bmpVolume": VOLUME - 1}), "bmpVolume"),
        (json!({"isSuccess": false, "errorMessage": 7}), "errorMessage"),
    ] {
        let message = refused(&order.call(&gateway, &target, &body), 400, "InvalidRequest");
        assert!(message.contains(field), "{message}");
    }
    assert_eq!(seen(&gateway, &uuid)["status"], "RUNNING");
    assert_eq!(document(&order.report(&gateway, None))["status"], "FAILED", "its upload is not complete");
    assert_nothing_left(&gateway);
    assert!(seen(&gateway, &uuid)["error"].as_str().unwrap().contains("not complete"));

    let uuid = self::uuid(&create(&gateway, &json!({})));
    let order = Order::next(&generator);
    assert_eq!(document(&order.report(&gateway, Some("no memory left")))["status"], "FAILED");
    let failed = seen(&gateway, &uuid);
    assert_eq!((&failed["error"], &failed["imageUrl"]), (&json!("no memory left"), &json!(null)));
    assert_nothing_left(&gateway);
}

#[test]
fn a_generators_token_is_good_for_its_generation_alone() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let one = uuid(&create(&gateway, &json!({})));
    let first = Order::next(&generator);
    let other = uuid(&create(&gateway, &json!({})));
    let second = Order::next(&generator);
    let who = first.who();
    assert_eq!(ask(&gateway, "GET", &format!("/bmp/{one}"), &who, None).status, 200);
    refused(&ask(&gateway, "GET", &format!("/bmp/{other}"), &who, None), 404, "NoSuchGeneration");
    refused(&ask(&gateway, "GET", "/bmp", &who, None), 403, "AccessDenied");
    refused(&ask(&gateway, "POST", "/bmp", &who, Some(&wanted(&json!({})))), 403, "AccessDenied");
    refused(
        &first.call(&gateway, &format!("/bmp/{other}/complete"), &json!({"isSuccess": false})),
        404,
        "NoSuchGeneration",
    );
    refused(&first.call(&gateway, &format!("/bmp/{other}/part"), &json!({"partNumber": 1})), 404, "NoSuchGeneration");
    let mut theirs = second.upload();
    theirs["partNumbers"] = json!([1]);
    refused(&first.call(&gateway, "/s3/part-urls", &theirs), 403, "AccessDenied");
    refused(&first.call(&gateway, "/s3/init", &json!({"fileName": "x"})), 403, "AccessDenied");
    let mut own = first.upload();
    own["partNumbers"] = json!([2]);
    let renewed = first.call(&gateway, "/s3/part-urls", &own);
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    assert!(document(&renewed)["urls"][0].as_str().unwrap().starts_with(&format!("http://{}/", gateway.s3)));
    let token = first.body["auth"]["token"].as_str().unwrap();
    let forged = token.replace(&one, &other);
    for bad in [forged.as_str(), "wgen_", "wgen_x", &token[..token.len() - 1], &format!("{token}0")] {
        let answer = ask(&gateway, "GET", &format!("/bmp/{one}"), &format!("Bearer {bad}"), None);
        refused(&answer, 401, "Unauthorized");
    }
    first.fulfil(&gateway);
    refused(&first.call(&gateway, "/s3/part-urls", &own), 404, "NoSuchUpload");
    let events = |token: &str| ask(&gateway, "GET", &format!("/bmp/{one}/events?token={token}"), "", None);
    refused(&events(token), 401, "Unauthorized");
    refused(&events(&listeners_token(&gateway)), 401, "Unauthorized");
    refused(&ask(&gateway, "GET", &format!("/bmp/{one}/events"), "", None), 404, "NoSuchGeneration");
}

#[test]
fn bad_orders_name_what_is_wrong() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let long = format!("http://127.0.0.1/{}", "x".repeat(2048));
    for (field, value) in [
        ("width", json!(0)),
        ("height", json!("1000")),
        ("bitsPerPixel", json!(8)),
        ("pattern.kind", json!(null)),
        ("partSize", json!(1)),
        ("partSize", json!("5")),
        ("fileName", json!(7)),
        ("fileName", json!("x".repeat(1025))),
        ("bucket", json!("No Bucket")),
        ("callbackUrl", json!("ftp://127.0.0.1/")),
        ("callbackUrl", json!("http://user@127.0.0.1/")),
        ("callbackUrl", json!("http://10.0.0.1/hook")),
        ("callbackUrl", json!("http://169.254.169.254/latest/meta-data/")),
        ("callbackUrl", json!("http://[::ffff:169.254.169.254]/")),
        ("callbackUrl", json!("http://0.0.0.0/")),
        ("callbackUrl", json!("http://2130706433/")),
        ("callbackUrl", json!(long)),
        ("callbackSecret", json!("without a URL")),
    ] {
        let mut body = wanted(&json!({}));
        match field {
            "pattern.kind" => body["pattern"] = json!({"kind": "plaid"}),
            _ => body[field] = value.clone(),
        }
        let message = refused(&ask(&gateway, "POST", "/bmp", &root(), Some(&body)), 400, "InvalidRequest");
        assert!(message.contains(field), "{field}: {message}");
    }
    let secret = json!({"callbackUrl": "http://127.0.0.1:1/", "callbackSecret": "x".repeat(257)});
    let message = refused(&ask(&gateway, "POST", "/bmp", &root(), Some(&wanted(&secret))), 400, "InvalidRequest");
    assert!(message.contains("callbackSecret"), "{message}");
    refused(&ask(&gateway, "POST", "/bmp", &root(), Some(&wanted(&json!({"bucket": "nobodys"})))), 404, "NoSuchBucket");
    refused(&ask(&gateway, "POST", "/bmp", "", Some(&wanted(&json!({})))), 403, "AccessDenied");
    refused(
        &ask(&gateway, "POST", "/bmp", &basic(ACCESS_KEY, "wrong"), Some(&wanted(&json!({})))),
        401,
        "Unauthorized",
    );
    refused(&ask(&gateway, "DELETE", "/bmp", &root(), None), 405, "MethodNotAllowed");
    refused(&ask(&gateway, "GET", "/bmp/nothing", &root(), None), 404, "NoSuchGeneration");
    let nobodys = "/bmp/00000000-0000-4000-8000-000000000000";
    for (method, rest) in
        [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/complete"), ("POST", "/part")]
    {
        refused(&ask(&gateway, method, &format!("{nobodys}{rest}"), &root(), None), 404, "NoSuchGeneration");
    }
    assert_nothing_left(&gateway);
    generator.assert_quiet();
}

/// A token of this key, narrowed to a policy.
pub(crate) fn token(gateway: &Gateway, key: &Key, policy: &Value) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), policy.to_string()).unwrap();
    let arguments = ["key", "token", &key.id, "--policy", file.path().to_str().unwrap(), "--json"];
    let printed: Value = serde_json::from_str(&succeed(command(&gateway.data_dir, &arguments))).unwrap();
    format!("Bearer {}", printed["token"].as_str().unwrap())
}

#[test]
fn the_history_shows_what_one_may_see() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let uuids: Vec<_> = (0..3).map(|_| uuid(&create(&gateway, &json!({})))).collect();
    let done = Order::next(&generator);
    done.fulfil(&gateway);
    let list = |query: &str, who: &str| {
        let answer = ask(&gateway, "GET", &format!("/bmp{query}"), who, None);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = document(&answer);
        let names: Vec<_> = page["generations"].as_array().unwrap().iter().map(uuid).collect();
        (names, page["next"].clone())
    };
    let (all, next) = list("", &root());
    assert_eq!((all.len(), next), (3, json!(null)));
    assert!(uuids.iter().all(|uuid| all.contains(uuid)));
    let mut paged = Vec::new();
    let mut after = String::new();
    loop {
        let (page, next) = list(&format!("?limit=2{after}"), &root());
        assert!(page.len() <= 2);
        paged.extend(page);
        let Some(next) = next.as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(paged, all, "page by page, the newest first");
    assert_eq!(list("?status=COMPLETED", &root()).0, [done.text("generationUuid")]);
    assert_eq!(list("?status=CANCELLED", &root()).0, [""; 0]);
    for bad in ["?status=DONE", "?limit=0", "?limit=1001", "?limit=x", "?after=x"] {
        refused(&ask(&gateway, "GET", &format!("/bmp{bad}"), &root(), None), 400, "InvalidRequest");
    }
    assert_eq!(list("", "").0, [""; 0], "nobody sees what is nobody's");
    let writer = gateway.key("writeonly");
    let who = basic(&writer.id, &writer.secret);
    assert_eq!(list("", &who).0, [""; 0]);
    let theirs = ask(&gateway, "POST", "/bmp", &who, Some(&wanted(&json!({}))));
    let theirs = uuid(&document(&theirs));
    assert_eq!(list("", &who).0, [theirs.clone()], "its owner sees it, who may not read the object");
    let narrowed = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::uploads/own/*"}]});
    let narrowed = token(&gateway, &writer, &narrowed);
    assert_eq!(list("", &narrowed).0, [""; 0], "a token that is narrowed is not its owner");
    refused(&ask(&gateway, "POST", "/bmp", &narrowed, Some(&wanted(&json!({})))), 403, "AccessDenied");
    let reader = gateway.key("readonly");
    let reader = basic(&reader.id, &reader.secret);
    assert_eq!(list("", &reader).0.len(), 4);
    let target = format!("/bmp/{theirs}/cancel");
    refused(&ask(&gateway, "POST", &target, &reader, None), 403, "AccessDenied");
    refused(&ask(&gateway, "POST", &target, "", None), 404, "NoSuchGeneration");
    assert_eq!(ask(&gateway, "POST", &target, &who, None).status, 200);
}

#[test]
fn a_generation_of_a_narrowed_token_has_its_rights_and_ends_with_its_key() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let key = gateway.key("readwrite");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::uploads/own/*"}]});
    let who = token(&gateway, &key, &policy);
    let asked = |name: &str| ask(&gateway, "POST", "/bmp", &who, Some(&wanted(&json!({"fileName": name}))));
    refused(&asked("elsewhere.bmp"), 403, "AccessDenied");
    let made = document(&asked("own/a.bmp"));
    let order = Order::next(&generator);
    let url = order.body["partUploadUrls"][0].as_str().unwrap();
    assert!(url.contains("X-Amz-Security-Token="), "it is signed with rights as narrow as the token's: {url}");
    order.fulfil(&gateway);
    assert_eq!(seen(&gateway, &uuid(&made))["status"], "COMPLETED");
    // Nothing is ordered in the name of a key that is gone.
    generator.script(&["503 Service Unavailable"]);
    let lost = uuid(&document(&asked("own/b.bmp")));
    let order = Order::next(&generator);
    gateway.administer(&["key", "delete", &key.id]);
    let failed = await_status(&gateway, &lost, "FAILED");
    assert!(failed["error"].as_str().unwrap().contains("rights"), "{failed}");
    refused(&ask(&gateway, "GET", &format!("/bmp/{lost}"), &order.who(), None), 401, "Unauthorized");
    assert_nothing_open(&gateway);
}

fn assert_nothing_open(gateway: &Gateway) {
    let uploads = gateway.request("GET", "/uploads").query("uploads", "").send().ok(200).text();
    assert!(!uploads.contains("<Upload>"), "{uploads}");
}

#[test]
fn listeners_are_told_of_the_gateways_end_and_pick_up_after_it() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let generation = create(&gateway, &json!({}));
    let uuid = uuid(&generation);
    let order = Order::next(&generator);
    let etag = order.put(&gateway, 1);
    await_status(&gateway, &uuid, "RUNNING");
    let url = generation["eventsUrl"].as_str().unwrap();
    let mut listener = Listener::open(&gateway, url, None);
    assert_eq!(listener.next_kind().1["status"], "PENDING");
    assert_eq!(listener.next_kind().1["status"], "RUNNING");
    let (last, kind, _) = listener.next().expect("a part of which nobody told the gateway");
    assert_eq!(kind, "part");
    gateway.terminate();
    assert!(listener.next().is_none());
    assert!(gateway.wait().status.success());
    let again = relaunch(&gateway, &generator);
    let url = url.replace(&gateway.api.to_string(), &again.api.to_string());
    let mut listener = Listener::open(&again, &url, Some(&last));
    let (id, _, data) = listener.next().unwrap();
    assert!(id.parse::<u64>().unwrap() > last.parse().unwrap(), "{id} {last}");
    assert_eq!((&data["status"], &data["partCount"]), (&json!("RUNNING"), &json!(2)));
    let (kind, data) = listener.next_kind();
    assert_eq!((kind.as_str(), &data["eTag"]), ("part", &json!(etag)));
    let order = Order::next(&generator);
    let second = order.put(&again, 2);
    assert_eq!(order.complete(&again, &[(1, etag), (2, second)]).status, 200);
    assert_eq!(order.report(&again, None).status, 200);
    let kinds: Vec<_> = std::iter::from_fn(|| listener.next()).map(|(_, kind, _)| kind).collect();
    assert_eq!(kinds.last().unwrap(), "completed");
}
