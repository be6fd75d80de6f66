//! What a generator does with an order: the bytes it sends, what it tells the gateway, and what it bears.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::certificate::Certificate;
use crate::counterpart::{Asked, Counterpart, Reply};
use crate::digests::etag;
use crate::gateway::{ACCESS_KEY, Launch, SECRET_KEY};
use crate::generator::{Generator, order};
use crate::process::{directory, run, wharf};

/// The file of [`order`]'s image, as the format's documentation has it.
fn file(width: u32, height: u32) -> Vec<u8> {
    let pixels = width * height * 4;
    let mut file = b"BM".to_vec();
    for field in [54 + pixels, 0, 54, 40, width, height, 1 | (32 << 16), 0, pixels, 2835, 2835, 0, 0] {
        file.extend(field.to_le_bytes());
    }
    file.extend([0x02, 0x01, 0xff, 0xff].repeat((width * height) as usize));
    file
}

/// Answers with `reply` to the first requests of this path, and as usual to the rest.
fn first(path: &'static str, replies: Vec<fn() -> Reply>) -> impl Fn(&Asked) -> Reply + Send + Sync {
    let count = AtomicUsize::new(0);
    move |asked| match asked.path() == path {
        true => replies.get(count.fetch_add(1, Ordering::SeqCst)).map_or(Reply::Usual, |reply| reply()),
        false => Reply::Usual,
    }
}

fn s3_error(status: u16, code: &str, message: &str) -> Reply {
    Reply::Answer(status, "", format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

/// Asserts that a generation ended well, and that the whole image is there.
fn assert_whole(counterpart: &Counterpart, uuid: &str, (width, height): (u32, u32), parts: u16) {
    let report = counterpart.await_report(uuid);
    let volume = 54 + width * height * 4;
    let expected = json!({"isSuccess": true, "errorMessage": null, "generationUuid": uuid, "bmpVolume": volume});
    assert_eq!(report, expected);
    let sent: Vec<u8> = (1..=parts).flat_map(|number| counterpart.part(number)).collect();
    assert!(sent == file(width, height), "{uuid}: other bytes");
    let completes = counterpart.asked_of("/s3/complete");
    let listed: Vec<Value> =
        (1..=parts).map(|number| json!({"partNumber": number, "eTag": etag(counterpart.part(number))})).collect();
    assert_eq!(completes.last().unwrap().json()["parts"], json!(listed));
}

/// Asserts that a generation failed and that the report says this.
fn assert_failed(counterpart: &Counterpart, uuid: &str, said: &[&str]) {
    let report = counterpart.await_report(uuid);
    assert_eq!(report["isSuccess"], false);
    let message = report["errorMessage"].as_str().unwrap();
    for said in said {
        assert!(message.contains(said), "no {said} in {message}");
    }
    assert!(counterpart.asked_of("/s3/complete").is_empty());
}

#[test]
fn an_image_arrives_whole_in_parts_of_any_size() {
    let generator = Generator::new();
    // Several pieces a part and a ragged end; parts smaller than a piece; one part; a byte a part.
    for (uuid, size, part_size, parts) in [
        ("large", (1500, 1500), 5 << 20, 2),
        ("small", (100, 99), 5000, 8),
        ("one", (3, 3), 1 << 30, 1),
        ("bytes", (2, 1), 1, 62),
    ] {
        let counterpart = Counterpart::new();
        let order = order(&counterpart, uuid, size, part_size);
        generator.accepts(&order);
        assert_whole(&counterpart, uuid, size, parts);
        for number in 1..=parts {
            let [put] = &counterpart.asked_of(&format!("/part/{number}"))[..] else { panic!("{number} came twice") };
            assert_eq!(put.method, "PUT");
            assert_eq!(put.target, format!("/part/{number}?X-Amz-Signature=s"), "as it was signed");
            let names: Vec<_> = put.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert!(names.iter().all(|name| ["host", "content-length", "connection"].contains(name)), "{names:?}");
            assert_eq!(put.header("host"), Some(counterpart.address.to_string().as_str()));
            assert_eq!(put.header("content-length"), Some(put.body.len().to_string().as_str()));
        }
        let calls: Vec<_> =
            counterpart.asked().into_iter().filter(|asked| !asked.path().starts_with("/part/")).collect();
        for call in &calls {
            assert_eq!(call.header("authorization"), Some("Bearer the-generation's"), "{call:?}");
            assert_eq!(call.header("content-type"), Some("application/json"));
        }
        assert_eq!(calls.len(), usize::from(parts) + 2, "a note for each part, one complete, one report");
        let notes = counterpart.asked_of(&format!("/bmp/{uuid}/part"));
        let bytes: u64 = notes.iter().map(|note| note.json()["bytes"].as_u64().unwrap()).sum();
        assert_eq!(json!(bytes), order["bmpVolume"]);
        let backend = &notes[0].json()["backend"];
        assert!(matches!(backend.as_str(), Some("cpu" | "cuda")), "{backend}");
        let complete = counterpart.asked_of("/s3/complete")[0].json();
        assert_eq!((&complete["uploadId"], &complete["objectName"]), (&json!("upload/1"), &json!("images/ä b.bmp")));
    }
}

#[test]
fn a_part_that_fails_is_sent_again_alone() {
    let replies: Vec<fn() -> Reply> = vec![
        || s3_error(503, "SlowDown", "Please reduce your request rate."),
        || Reply::Close,
        || Reply::Answer(500, "", "not even XML".to_owned()),
        || Reply::Answer(429, "retry-after: 1\r\n", String::new()),
    ];
    let tries = replies.len() + 1;
    let counterpart = Counterpart::with(first("/part/2", replies));
    let generator = Generator::new();
    generator.accepts(&order(&counterpart, "again", (100, 99), 10_000));
    assert_whole(&counterpart, "again", (100, 99), 4);
    let count = |number: u16| counterpart.asked_of(&format!("/part/{number}")).len();
    assert_eq!([count(1), count(2), count(3), count(4)], [1, tries, 1, 1]);
}

#[test]
fn what_arrives_damaged_is_sent_again_and_not_for_ever() {
    let wrong = || Reply::Answer(200, "etag: \"e\"\r\nx-amz-checksum-crc64nvme: AAAAAAAAAAA=\r\n", String::new());
    let counterpart = Counterpart::with(first("/part/1", vec![wrong, wrong]));
    let generator = Generator::new();
    generator.accepts(&order(&counterpart, "damaged", (20, 20), 1000));
    assert_whole(&counterpart, "damaged", (20, 20), 2);
    assert_eq!(counterpart.asked_of("/part/1").len(), 3);

    let counterpart = Counterpart::with(move |asked| if asked.path() == "/part/1" { wrong() } else { Reply::Usual });
    generator.accepts(&order(&counterpart, "always", (20, 20), 1000));
    assert_failed(&counterpart, "always", &["part 1", "not what was sent"]);
}

#[test]
fn storage_without_checksums_is_believed_and_one_without_etags_is_not() {
    let generator = Generator::new();
    let counterpart = Counterpart::with(|asked| match asked.path() {
        "/part/1" => Reply::Answer(200, "etag: \"mine\"\r\n", String::new()),
        _ => Reply::Usual,
    });
    generator.accepts(&order(&counterpart, "plain", (2, 2), 100));
    assert_eq!(counterpart.await_report("plain")["isSuccess"], true);
    let parts = json!([{"partNumber": 1, "eTag": "\"mine\""}]);
    assert_eq!(counterpart.asked_of("/s3/complete")[0].json()["parts"], parts);
    let counterpart = Counterpart::with(|asked| match asked.path() {
        "/part/1" => Reply::Answer(200, "", String::new()),
        _ => Reply::Usual,
    });
    generator.accepts(&order(&counterpart, "blank", (2, 2), 100));
    assert_failed(&counterpart, "blank", &["part 1", "ETag"]);
}

#[test]
fn urls_that_have_ended_are_renewed_for_all_that_is_missing() {
    let counterpart = Counterpart::with(|asked| match asked.target.contains("=renewed") {
        false if asked.path().starts_with("/part/") && asked.path() != "/part/1" => {
            s3_error(403, "AccessDenied", "Request has expired")
        }
        _ => Reply::Usual,
    });
    let generator = Generator::new();
    let mut ordered = order(&counterpart, "ended", (100, 100), 4000);
    ordered["bucket"] = json!("pictures");
    generator.accepts(&ordered);
    assert_whole(&counterpart, "ended", (100, 100), 11);
    let [renewal] = &counterpart.asked_of("/s3/part-urls")[..] else { panic!("renewed more than once") };
    assert_eq!(renewal.header("authorization"), Some("Bearer the-generation's"));
    let asked = renewal.json();
    assert_eq!((&asked["uploadId"], &asked["objectName"]), (&json!("upload/1"), &json!("images/ä b.bmp")));
    assert_eq!(asked["bucket"], "pictures");
    let numbers: Vec<u64> = serde_json::from_value(asked["partNumbers"].clone()).unwrap();
    assert!(numbers.len() >= 10 && numbers.is_sorted(), "{numbers:?}");

    // A URL that says itself that it has ended is not tried.
    let counterpart = Counterpart::new();
    let mut ended = order(&counterpart, "known", (2, 2), 100);
    ended["partUploadUrls"] = json!([format!(
        "http://{}/part/1?X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-Signature=old",
        counterpart.address
    )]);
    generator.accepts(&ended);
    assert_whole(&counterpart, "known", (2, 2), 1);
    assert_eq!(counterpart.asked_of("/part/1").len(), 1);

    // One that is refused however often it is renewed ends the generation.
    let counterpart = Counterpart::with(|asked| match asked.path() {
        "/part/1" => s3_error(403, "AccessDenied", "Access Denied"),
        _ => Reply::Usual,
    });
    generator.accepts(&order(&counterpart, "never", (2, 2), 100));
    assert_failed(&counterpart, "never", &["part 1", "AccessDenied"]);
    assert!((1..10).contains(&counterpart.asked_of("/s3/part-urls").len()));
}

#[test]
fn only_missing_parts_are_sent_and_the_others_taken_as_they_are() {
    let whole = file(100, 99);
    let counterpart = Counterpart::new();
    for number in [1_u16, 3] {
        let start = usize::from(number - 1) * 10_000;
        counterpart.has_part(number, whole[start..start + 10_000].to_vec());
    }
    let generator = Generator::new();
    let mut resumed = order(&counterpart, "resumed", (100, 99), 10_000);
    resumed["partNumbers"] = json!([2, 4]);
    resumed["partUploadUrls"] = json!([counterpart.part_url(2), counterpart.part_url(4)]);
    generator.accepts(&resumed);
    assert_whole(&counterpart, "resumed", (100, 99), 4);
    assert!(counterpart.asked_of("/part/1").is_empty() && counterpart.asked_of("/part/3").is_empty());
    let [listing] = &counterpart.asked_of("/s3/parts")[..] else { panic!("not listed once") };
    assert_eq!(listing.target, "/s3/parts?objectName=images%2F%C3%A4%20b.bmp&uploadId=upload%2F1");
    assert_eq!((listing.method.as_str(), listing.body.len()), ("GET", 0));

    // All there: only the rest is done.
    (resumed["partNumbers"], resumed["partUploadUrls"]) = (json!([]), json!([]));
    resumed["generationUuid"] = json!("complete");
    generator.accepts(&resumed);
    assert_whole(&counterpart, "complete", (100, 99), 4);

    // A part that is neither ordered nor there, and one of another size.
    let counterpart = Counterpart::new();
    let mut gap = order(&counterpart, "gap", (20, 20), 1000);
    (gap["partNumbers"], gap["partUploadUrls"]) = (json!([2]), json!([counterpart.part_url(2)]));
    generator.accepts(&gap);
    assert_failed(&counterpart, "gap", &["part 1"]);
    counterpart.has_part(1, vec![0; 999]);
    gap["generationUuid"] = json!("short");
    generator.accepts(&gap);
    assert_failed(&counterpart, "short", &["part 1", "999"]);
}

#[test]
fn what_cannot_succeed_is_reported_with_its_reason() {
    let generator = Generator::new();
    for (uuid, status, code, said) in [
        ("gone", 404, "NoSuchUpload", "no such upload"),
        ("bucket", 404, "NoSuchBucket", "NoSuchBucket"),
        ("invalid", 400, "InvalidRequest", "InvalidRequest"),
        ("unbuilt", 501, "NotImplemented", "NotImplemented"),
    ] {
        let counterpart = Counterpart::with(move |asked| match asked.path() {
            "/part/3" => s3_error(status, code, "it is so"),
            _ => Reply::Usual,
        });
        generator.accepts(&order(&counterpart, uuid, (100, 100), 4000));
        assert_failed(&counterpart, uuid, &["part 3", said]);
        assert_eq!(counterpart.asked_of("/part/3").len(), 1, "{uuid}");
    }
    let error = json!({"error": {"code": "NoSuchUpload", "message": "there is no such upload"}});
    let counterpart = Counterpart::with(move |asked| match asked.path() {
        "/s3/complete" => Reply::Answer(404, "", error.to_string()),
        _ => Reply::Usual,
    });
    generator.accepts(&order(&counterpart, "late", (2, 2), 100));
    let report = counterpart.await_report("late");
    assert_eq!(report["isSuccess"], false);
    assert!(report["errorMessage"].as_str().unwrap().contains("NoSuchUpload"), "{report}");
}

#[test]
fn a_gateway_that_is_away_for_a_while_is_waited_for() {
    for path in ["/s3/complete", "/bmp/patient/complete"] {
        let replies: Vec<fn() -> Reply> =
            vec![|| Reply::Close, || Reply::Answer(503, "retry-after: 1\r\n", String::new()), || {
                Reply::Answer(502, "", "<html>".to_owned())
            }];
        let counterpart = Counterpart::with(first(path, replies));
        let generator = Generator::new();
        generator.accepts(&order(&counterpart, "patient", (20, 20), 1000));
        assert_eq!(counterpart.await_asked(path, 4).len(), 4, "{path}");
        assert_whole(&counterpart, "patient", (20, 20), 2);
    }
}

#[test]
fn a_gateway_that_notes_nothing_changes_nothing() {
    for reply in [|| Reply::Close, || Reply::Answer(404, "", String::new()), || Reply::Answer(500, "", String::new())] {
        let counterpart = Counterpart::with(move |asked| match asked.path() {
            "/bmp/unnoted/part" => reply(),
            _ => Reply::Usual,
        });
        let generator = Generator::new();
        generator.accepts(&order(&counterpart, "unnoted", (20, 20), 1000));
        assert_whole(&counterpart, "unnoted", (20, 20), 2);
        assert_eq!(counterpart.asked_of("/bmp/unnoted/part").len(), 2);
    }
}

#[test]
fn a_cancelled_generation_ends_without_a_word() {
    let counterpart = Counterpart::with(|asked| match asked.path() {
        "/part/1" => Reply::Later,
        _ => Reply::Usual,
    });
    let generator = Generator::new();
    generator.accepts(&order(&counterpart, "cancelled", (20, 20), 1000));
    counterpart.await_asked("/part/1", 1);
    generator.cancel("cancelled");
    generator.cancel("cancelled");
    generator.cancel("nobody");
    counterpart.release();
    // The same id may be ordered anew, and what follows shows that the first one is over.
    generator.accepts(&order(&counterpart, "cancelled", (20, 20), 1000));
    assert_whole(&counterpart, "cancelled", (20, 20), 2);
    assert_eq!(counterpart.asked_of("/s3/complete").len(), 1);
    assert_eq!(counterpart.asked_of("/bmp/cancelled/complete").len(), 1);
}

#[test]
fn a_drain_lets_generations_finish_for_a_while() {
    let held = || {
        Counterpart::with(|asked| match asked.path() {
            "/part/1" => Reply::Later,
            _ => Reply::Usual,
        })
    };
    let counterpart = held();
    let generator = Generator::start(&mut Generator::command(&["--drain-timeout", "30s"]));
    generator.accepts(&order(&counterpart, "finished", (20, 20), 1000));
    counterpart.await_asked("/part/1", 1);
    generator.terminate();
    crate::process::poll("the listener is gone", || {
        std::net::TcpStream::connect(generator.address).is_err().then_some(())
    });
    counterpart.release();
    assert_eq!(generator.wait().status.code(), Some(0));
    assert_whole(&counterpart, "finished", (20, 20), 2);

    let counterpart = held();
    let generator = Generator::start(&mut Generator::command(&["--drain-timeout", "50ms"]));
    generator.accepts(&order(&counterpart, "unfinished", (20, 20), 1000));
    counterpart.await_asked("/part/1", 1);
    generator.terminate();
    let ended = generator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(counterpart.asked_of("/bmp/unfinished/complete").is_empty(), "the gateway orders it again");
}

#[test]
fn reports_go_to_the_setting_where_an_order_names_no_gateway() {
    let counterpart = Counterpart::new();
    let mut command = Generator::command(&[]);
    let generator =
        Generator::start(command.env("CALLBACK_BASE_URL", format!("http://{}/behind/a/proxy/", counterpart.address)));
    let mut ordered = order(&counterpart, "own", (2, 2), 100);
    ordered.as_object_mut().unwrap().remove("callbackBaseUrl");
    generator.accepts(&ordered);
    counterpart.await_asked("/behind/a/proxy/bmp/own/complete", 1);
    assert_eq!(counterpart.asked_of("/behind/a/proxy/s3/complete").len(), 1);
}

#[test]
fn parts_go_to_a_gateway_over_tls_whose_authority_is_trusted() {
    let directory = directory();
    let certificate = Certificate::new(&directory, "own");
    let gateway = Launch::on(&directory).tls(&certificate).start();
    let bucket = gateway.bucket();
    let base = format!("https://{}", gateway.s3);
    let presigned = |key: &str, id: &str, number: u16| {
        let (object, number) = (format!("s3://{}/{key}", bucket.name), number.to_string());
        let arguments = ["presign", "part", &object, "--upload-id", id, "--part", &number, "--public-url", &base];
        let mut command = wharf(&arguments);
        command.env("WHARF_ACCESS_KEY", ACCESS_KEY).env("WHARF_SECRET_KEY", SECRET_KEY);
        run(command).stdout.remove(0)
    };
    let (cert, key) = (certificate.cert.to_str().unwrap(), certificate.key.to_str().unwrap());
    let other = Certificate::new(&directory, "other");
    let (other_cert, other_key) = (other.cert.to_str().unwrap(), other.key.to_str().unwrap());
    // The gateway's own certificate, as such or as an authority's, and both kinds side by side.
    for (uuid, arguments, client) in [
        ("own", &["--tls-cert", cert, "--tls-key", key][..], Some(certificate.client())),
        ("authority", &["--ca-file", cert], None),
        ("both", &["--ca-file", cert, "--tls-cert", other_cert, "--tls-key", other_key], Some(other.client())),
    ] {
        let upload = bucket.upload(uuid);
        let counterpart = Counterpart::new();
        let mut ordered = order(&counterpart, uuid, (1200, 1200), 5 << 20);
        ordered["partUploadUrls"] = json!([presigned(uuid, &upload.id, 1), presigned(uuid, &upload.id, 2)]);
        let generator = Generator::start_over(&mut Generator::command(arguments), client);
        generator.accepts(&ordered);
        let report = counterpart.await_report(uuid);
        assert_eq!(report["isSuccess"], true, "{report} {}", generator.stderr());
        let complete = counterpart.asked_of("/s3/complete")[0].json();
        let etags: Vec<String> = complete["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["eTag"].as_str().unwrap().to_owned())
            .collect();
        upload.complete(&[(1, &etags[0]), (2, &etags[1])]).send().ok(200);
        assert!(bucket.get(uuid).send().ok(200).body == file(1200, 1200), "{uuid}");
    }
    // Without any of them nothing is sent.
    let upload = bucket.upload("untrusted");
    let counterpart = Counterpart::new();
    let mut ordered = order(&counterpart, "untrusted", (2, 2), 100);
    ordered["partUploadUrls"] = json!([presigned("untrusted", &upload.id, 1)]);
    let generator = Generator::new();
    generator.accepts(&ordered);
    assert_failed(&counterpart, "untrusted", &["part 1", "TLS"]);
}
