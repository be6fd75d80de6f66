//! `/upload-chunk/`: files in form chunks, in any order, in parallel, repeated, broken off and taken up again.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::api::{Call, Multipart};
use crate::bucket::Bucket;
use crate::digests::{bytes, etag_of_parts};
use crate::gateway::{Gateway, Launch};
use crate::process::directory;

/// A file that is sent in chunks.
pub(crate) struct File<'a> {
    pub bucket: &'a Bucket<'a>,
    pub name: String,
    pub chunks: Vec<Vec<u8>>,
}

impl<'a> File<'a> {
    /// A file of chunks of these sizes.
    pub(crate) fn new(bucket: &'a Bucket<'a>, name: &str, sizes: &[usize]) -> Self {
        let chunks = (1..).zip(sizes).map(|(seed, size)| bytes(*size, seed)).collect();
        Self { bucket, name: name.to_owned(), chunks }
    }

    /// The same file in a gateway that was started again.
    fn moved<'b>(&self, bucket: &'b Bucket<'b>) -> File<'b> {
        File { bucket, name: self.name.clone(), chunks: self.chunks.clone() }
    }

    /// The form of a chunk but for its file.
    pub(crate) fn fields(&self, number: usize) -> Multipart {
        Multipart::default()
            .field("bucket", &self.bucket.name)
            .field("filename", &self.name)
            .field("chunk_number", number.to_string())
            .field("total_chunks", self.chunks.len().to_string())
    }

    /// The request that sends this chunk.
    pub(crate) fn chunk(&self, number: usize) -> Call<'a> {
        self.chunk_of(number, &self.chunks[number - 1])
    }

    /// The request that sends these bytes as this chunk.
    pub(crate) fn chunk_of(&self, number: usize, bytes: &[u8]) -> Call<'a> {
        self.bucket.gateway.api("POST", "/upload-chunk/").form(&self.fields(number).file(bytes))
    }

    /// Sends this chunk; the answer.
    pub(crate) fn send(&self, number: usize) -> Value {
        self.chunk(number).send().ok(200).json()
    }

    /// A request about the file by its name.
    pub(crate) fn asked(&self, method: &str) -> Call<'a> {
        let call = self.bucket.gateway.api(method, "/upload-chunk/");
        let total = self.chunks.len().to_string();
        call.query("bucket", &self.bucket.name).query("filename", &self.name).query("total_chunks", &total)
    }

    /// A request about an upload by its id.
    fn by_id(&self, method: &str, id: &str) -> Call<'a> {
        self.bucket.gateway.api(method, "/upload-chunk/").query("upload_id", id)
    }

    /// What the gateway says of the file.
    pub(crate) fn status(&self) -> Value {
        self.asked("GET").send().ok(200).json()
    }

    /// Asserts that the object is the file.
    pub(crate) fn assert_there(&self) {
        assert!(self.bucket.get(&self.name).send().ok(200).body == self.chunks.concat());
    }
}

fn id_of(answer: &Value) -> &str {
    answer["upload_id"].as_str().unwrap()
}

/// Open uploads of a bucket, as S3 lists them.
fn uploads(bucket: &Bucket<'_>) -> usize {
    let text = bucket.request("GET").raw_query("uploads").send().ok(200).text();
    crate::xml::blocks(&text, "Upload").len()
}

#[test]
fn chunks_of_any_size_in_any_order_make_the_file() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "dir/a b+ü.bin", &[100_000, 1, 5000]);
    let first = file.send(3);
    let id = id_of(&first).to_owned();
    assert_eq!(
        first,
        json!({
            "message": "chunk 3/3 uploaded", "upload_id": id, "filename": file.name, "key": file.name,
            "bucket": bucket.name, "chunk_number": 3, "total_chunks": 3, "received": 1, "missing": [1, 2],
            "complete": false,
        })
    );
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{id}");
    let second = file.send(1);
    assert_eq!((id_of(&second), &second["missing"], &second["received"]), (&*id, &json!([2]), &json!(2)));
    bucket.get(&file.name).send().refused(404, "NoSuchKey");
    let known = file.status();
    assert_eq!((id_of(&known), &known["missing"], &known["chunk_number"]), (&*id, &json!([2]), &Value::Null));
    assert_eq!(file.by_id("GET", &id).send().ok(200).json(), known);
    file.by_id("HEAD", &id).send().ok(200);
    let last = file.send(2);
    assert_eq!((id_of(&last), &last["missing"], &last["received"]), (&*id, &json!([]), &json!(3)));
    assert_eq!(
        (&last["complete"], &last["message"], &last["size"]),
        (&json!(true), &json!("file uploaded"), &json!(105_001))
    );
    file.assert_there();
    assert!(gateway.visit("GET", last["file_url"].as_str().unwrap(), "").ok(200).body == file.chunks.concat());
    let etag = etag_of_parts(file.chunks.iter().map(Vec::as_slice));
    assert_eq!(bucket.head(&file.name).send().ok(200).header("etag"), Some(&*etag));
    let known = file.status();
    assert_eq!((id_of(&known), &known["complete"], &known["received"]), (&*id, &json!(true), &json!(3)));
    assert!(gateway.visit("GET", known["file_url"].as_str().unwrap(), "").status == 200);
    assert_eq!(uploads(&bucket), 0);
}

#[test]
fn fields_may_stand_before_and_behind_the_file() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[70_000, 70_000, 70_000]);
    let ours = [("bucket", bucket.name.as_str()), ("total_chunks", "3"), ("filename", "f")];
    for (number, before) in [(1, 0), (2, 2), (3, 3)] {
        let mut form = Multipart::default();
        for (name, value) in &ours[..before] {
            form = form.field(name, value);
        }
        form = form.file(&file.chunks[number - 1]);
        for (name, value) in &ours[before..] {
            form = form.field(name, value);
        }
        form = form.field("chunk_number", number.to_string());
        let answer = gateway.api("POST", "/upload-chunk/").form(&form).send().ok(200).json();
        assert_eq!(answer["complete"], number == 3, "{answer}");
    }
    file.assert_there();
    // Without the slash, and by query alone.
    let alone = gateway.api("POST", "/upload-chunk").query("bucket", &bucket.name).query("filename", "g");
    let alone = alone.query("chunk_number", "1").query("total_chunks", "1").form(&Multipart::default().file("x"));
    assert_eq!(alone.send().ok(200).json()["complete"], true);
    assert_eq!(bucket.get("g").send().ok(200).body, b"x");
}

#[test]
fn a_long_list_of_what_is_missing_is_short_in_a_post_and_whole_in_a_get() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let sizes = vec![1; 250];
    let file = File::new(&bucket, "f", &sizes);
    let answer = file.send(250);
    assert_eq!(answer["missing"], json!((1..=100).collect::<Vec<_>>()));
    let answer = file.send(1);
    assert_eq!(answer["missing"], json!((2..=101).collect::<Vec<_>>()));
    assert_eq!(file.status()["missing"], json!((2..=249).collect::<Vec<_>>()));
    for number in 2..=249 {
        file.send(number);
    }
    file.assert_there();
}

#[test]
fn of_parallel_senders_exactly_one_completes_the_file() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let sizes: Vec<usize> = (0..64).map(|at| 1 + (at * 7919) % 40_000).collect();
    let file = File::new(&bucket, "f", &sizes);
    // Neighbours meet, the order is no order, and every third comes twice.
    let numbers = (0..64).map(|at| at * 37 % 64 + 1);
    let work =
        Mutex::new(numbers.flat_map(|number| vec![number; if number % 3 == 0 { 2 } else { 1 }]).collect::<Vec<_>>());
    let answers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = gateway.api("GET", "/").connect();
                loop {
                    let Some(number) = work.lock().unwrap().pop() else { break };
                    let answer = file.chunk(number).send_on(&mut connection).ok(200).json();
                    answers.lock().unwrap().push(answer);
                }
            });
        }
    });
    file.assert_there();
    let answers = answers.into_inner().unwrap();
    let complete: Vec<_> = answers.iter().filter(|answer| answer["complete"] == true).collect();
    // Besides the one that completed it, only those that were sent twice and came too late may have been told so.
    assert!(complete.iter().all(|answer| answer["upload_id"] == complete[0]["upload_id"]), "{complete:?}");
    let twice = |answer: &&&Value| answer["chunk_number"].as_u64().unwrap().is_multiple_of(3);
    let late = complete.iter().filter(twice).count();
    assert!(complete.len() - late <= 1 && !complete.is_empty(), "{complete:?}");
}

#[test]
fn parallel_senders_with_an_id_agree_on_one_upload() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[3000; 33]);
    let id = id_of(&file.send(33)).to_owned();
    let total = file.chunks.len();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..8)
            .map(|sender| {
                let (file, id) = (&file, &id);
                scope.spawn(move || {
                    let mine = (1..total).filter(|number| number % 8 == sender);
                    let send = |number: usize| {
                        let form =
                            Multipart::default().field("upload_id", id).field("chunk_number", number.to_string());
                        let call = file.bucket.gateway.api("POST", "/upload-chunk/");
                        call.form(&form.file(&file.chunks[number - 1])).send().ok(200).json()
                    };
                    mine.map(send).collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer["complete"] == true).count(), 1);
    assert!(answers.iter().all(|answer| id_of(answer) == id));
    file.assert_there();
    // By its id the upload is still known, and every chunk of it.
    let form = Multipart::default().field("upload_id", &id).field("chunk_number", "5");
    let again = gateway.api("POST", "/upload-chunk/").form(&form.clone().file(&file.chunks[4])).send().ok(200).json();
    assert_eq!((&again["complete"], id_of(&again)), (&json!(true), &*id));
    let other = gateway.api("POST", "/upload-chunk/").form(&form.file("other")).send();
    assert_eq!(other.fails(409, "Conflict")["upload_id"], id);
    assert_eq!(uploads(&bucket), 0);
}

#[test]
fn the_same_bytes_again_are_known_and_others_are_refused() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[5000, 5000]);
    let first = file.send(1);
    let again = file.send(1);
    assert_eq!(again, first);
    let refused = file.chunk_of(1, &bytes(5000, 99)).send().fails(409, "Conflict");
    assert_eq!(refused["upload_id"], first["upload_id"]);
    assert!(refused["message"].as_str().unwrap().contains("chunk 1"), "{refused}");
    file.send(2);
    file.assert_there();
}

#[test]
fn a_gateway_that_was_killed_goes_on_where_it_was() {
    let directory = directory();
    let launch = || Launch::on(&directory);
    let gateway = launch().start();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[100_000, 200_000, 3000, 1]);
    let id = id_of(&file.send(2)).to_owned();
    file.send(4);
    // A third is on its way.
    let third = file.chunk(1);
    let mut connection = third.connect();
    connection.write(third.head());
    connection.write(&third.bytes()[..50_000]);
    gateway.kill();

    let again = launch().start();
    let bucket = Bucket { gateway: &again, name: bucket.name.clone() };
    let file = file.moved(&bucket);
    let known = file.status();
    assert_eq!((id_of(&known), &known["missing"], &known["received"]), (&*id, &json!([1, 3]), &json!(2)));
    file.send(3);
    again.kill();
    let third = launch().start();
    let bucket = Bucket { gateway: &third, name: bucket.name.clone() };
    let file = file.moved(&bucket);
    assert_eq!(file.by_id("GET", &id).send().ok(200).json()["missing"], json!([1]));
    assert_eq!(file.send(1)["complete"], true);
    file.assert_there();
}

#[test]
fn a_body_that_breaks_off_leaves_nothing() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[100_000, 10]);
    let chunk = file.chunk(1);
    for sent in [300, 5000, chunk.bytes().len() - 1] {
        let mut connection = chunk.connect();
        connection.write(chunk.head());
        connection.write(&chunk.bytes()[..sent]);
        connection.end_writing();
        // Whatever it says, it is no success.
        if let Ok(answer) = connection.try_read_answer("POST") {
            assert!(answer.status >= 400, "{answer:?}");
        }
    }
    file.asked("GET").send().fails(404, "NoSuchUpload");
    assert_eq!(uploads(&bucket), 0);
    file.send(1);
    file.send(2);
    file.assert_there();
}

#[test]
fn an_upload_can_be_aborted_by_id_and_by_name() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[5000, 5000]);
    for by_id in [true, false] {
        let id = id_of(&file.send(1)).to_owned();
        let delete = if by_id { file.by_id("DELETE", &id) } else { file.asked("DELETE") };
        assert_eq!(delete.send().ok(200).json(), json!({}));
        delete.send().fails(404, "NoSuchUpload");
        file.by_id("GET", &id).send().fails(404, "NoSuchUpload");
        file.asked("GET").send().fails(404, "NoSuchUpload");
        let form = Multipart::default().field("upload_id", &id).field("chunk_number", "2").file("x");
        gateway.api("POST", "/upload-chunk/").form(&form).send().fails(404, "NoSuchUpload");
        assert_eq!(uploads(&bucket), 0);
    }
    let anew = file.send(2);
    assert_eq!(anew["missing"], json!([1]));
    file.send(1);
    file.assert_there();
    // What is complete is no upload any more; the object stays.
    file.by_id("DELETE", id_of(&anew)).send().fails(404, "NoSuchUpload");
    file.assert_there();
}

#[test]
fn two_identities_with_one_name_do_not_meet() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let (one, other) = (gateway.key("readwrite"), gateway.key("readwrite"));
    let file = File::new(&bucket, "f", &[5000, 5000]);
    let others = File { chunks: vec![bytes(3000, 7), bytes(3000, 8)], ..file.moved(&bucket) };
    let first = file.chunk(1).by(&one).send().ok(200).json();
    let second = others.chunk(1).by(&other).send().ok(200).json();
    assert_ne!(id_of(&first), id_of(&second));
    file.asked("GET").send().fails(404, "NoSuchUpload");
    // A token is its key.
    let token = gateway.token(&one.id, &[]);
    assert_eq!(id_of(&file.asked("GET").bearer(&token).send().ok(200).json()), id_of(&first));
    assert_eq!(file.chunk(2).bearer(&token).send().ok(200).json()["complete"], true);
    file.assert_there();
    assert_eq!(others.chunk(2).by(&other).send().ok(200).json()["complete"], true);
    others.assert_there();
    // Another number of chunks is another file, and so is another key.
    let longer = File::new(&bucket, "f", &[10, 10, 10]);
    assert_eq!(longer.send(1)["missing"], json!([2, 3]));
    let keyed = longer.fields(1).field("key", "elsewhere").file(&longer.chunks[0]);
    let keyed = gateway.api("POST", "/upload-chunk/").form(&keyed).send().ok(200).json();
    assert_eq!((&keyed["key"], &keyed["filename"], &keyed["received"]), (&json!("elsewhere"), &json!("f"), &json!(1)));
}

#[test]
fn a_finished_file_sent_again_is_a_new_version() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let before = File::new(&bucket, "f", &[5000, 6000, 7000]);
    let after =
        File { chunks: vec![bytes(100, 11), before.chunks[1].clone(), bytes(300, 13)], ..before.moved(&bucket) };
    let ids: Vec<_> = [1, 2, 3].map(|number| id_of(&before.send(number)).to_owned()).into();
    before.assert_there();

    // The very last chunk once more, its answer having been lost, is answered as before.
    let again = before.send(3);
    assert_eq!((id_of(&again), &again["complete"], &again["missing"]), (&*ids[2], &json!(true), &json!([])));
    assert!(gateway.visit("GET", again["file_url"].as_str().unwrap(), "").ok(200).body == before.chunks.concat());
    // A stray duplicate of another begins the file anew, and stands in nobody's way.
    let stray = before.send(1);
    assert_eq!((&stray["complete"], &stray["missing"]), (&json!(false), &json!([2])));
    assert_ne!(id_of(&stray), ids[0]);
    before.assert_there();
    let replaced = after.send(1);
    assert_eq!((id_of(&replaced), &replaced["missing"]), (id_of(&stray), &json!([2])));
    // It is no duplicate any more.
    assert_eq!(after.chunk_of(1, b"third").send().fails(409, "Conflict")["upload_id"], stray["upload_id"]);
    // The stray duplicate of the last one is replaced as well.
    assert_eq!(after.send(3)["complete"], false);
    before.assert_there();
    assert_eq!(after.send(2)["complete"], true);
    after.assert_there();
}

#[test]
fn messages_are_korean_for_those_who_prefer_it() {
    let gateway = Gateway::shared();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[10, 10, 10]);
    for (number, language, message) in [
        (1, "ko-KR,ko;q=0.9,en;q=0.8", "청크 1/3 업로드 성공"),
        (1, "en-US,en;q=0.9,ko;q=0.8", "chunk 1/3 uploaded"),
        (2, "de", "chunk 2/3 uploaded"),
        (3, "ko", "파일 업로드 완료"),
        (3, "*", "file uploaded"),
    ] {
        let answer = file.chunk(number).header("accept-language", language).send().ok(200).json();
        assert_eq!(answer["message"], message, "{language}");
    }
    let korean = file.asked("GET").header("accept-language", "ko").send().ok(200).json();
    assert_eq!(korean["message"], "청크 1/3 업로드됨");
}

#[test]
fn big_chunks_take_little_memory() {
    const SENDERS: usize = 8;
    let gateway = Launch::new().set("--durability", "relaxed").start();
    let bucket = gateway.bucket();
    let file = File::new(&bucket, "f", &[5 << 20; SENDERS * 2]);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let file = &file;
            scope.spawn(move || [1, 2].map(|round| file.send(sender * 2 + round)));
        }
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    assert!(kib < 160 << 10, "{kib} KiB");
    file.assert_there();
}
