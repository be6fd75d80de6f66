//! Who may say what about a generation, and for how long: its generator, by the order that counts; its owner; whoever may abort
//! its upload.

use serde_json::{Value, json};

use crate::bmp::{
    Order, VOLUME, ask, await_status, basic, create, document, launch, refused, relaunch, root, seen, token, uuid,
    wanted,
};
use crate::gateway::Gateway;
use crate::key::Key;
use crate::peer::Peer;

/// A token of this key for these actions on everything in the default bucket.
fn narrowed(gateway: &Gateway, key: &Key, actions: &[&str]) -> String {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions, "Resource": "arn:aws:s3:::uploads/*"}]});
    token(gateway, key, &policy)
}

/// The generator completes, and the answer is lost on its way. It asks again, and gets the same.
#[test]
fn a_complete_that_is_repeated_is_answered_as_before() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let uuid = uuid(&create(&gateway, &json!({})));
    let order = Order::next(&generator);
    let etags = [(1, order.put(&gateway, 1)), (2, order.put(&gateway, 2))];
    let first = order.complete(&gateway, &etags);
    assert_eq!(first.status, 200, "{}", first.text());
    await_status(&gateway, &uuid, "COMPLETED");
    let again = order.complete(&gateway, &etags);
    assert_eq!(again.status, 200, "{}", again.text());
    for field in ["objectName", "eTag", "size"] {
        assert_eq!(document(&again)[field], document(&first)[field], "{field}");
    }
    assert_eq!(order.report(&gateway, Some("it never saw the answer")).status, 200);
    assert_eq!(seen(&gateway, &uuid)["status"], "COMPLETED");
}

#[test]
fn whoever_may_put_the_object_does_not_end_the_generation() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let uuid = uuid(&create(&gateway, &json!({})));
    let order = Order::next(&generator);
    let key = gateway.key("readwrite");
    let failure = json!({"isSuccess": false, "errorMessage": "somebody says so"});
    let target = format!("/bmp/{uuid}/complete");
    let part = (format!("/bmp/{uuid}/part"), json!({"partNumber": 1, "backend": "cuda"}));
    let writer = narrowed(&gateway, &key, &["s3:PutObject"]);
    refused(&ask(&gateway, "POST", &target, &writer, Some(&failure)), 404, "NoSuchGeneration");
    let both = narrowed(&gateway, &key, &["s3:PutObject", "s3:GetObject"]);
    refused(&ask(&gateway, "POST", &target, &both, Some(&failure)), 403, "AccessDenied");
    refused(&ask(&gateway, "POST", &part.0, &both, Some(&part.1)), 403, "AccessDenied");
    await_status(&gateway, &uuid, "RUNNING");
    assert_eq!(seen(&gateway, &uuid)["backend"], Value::Null);
    let aborter = narrowed(&gateway, &key, &["s3:AbortMultipartUpload", "s3:GetObject"]);
    assert_eq!(ask(&gateway, "POST", &target, &aborter, Some(&failure)).status, 200);
    assert_eq!(seen(&gateway, &uuid)["error"], "somebody says so");
    drop(order);
}

/// The key that asked for an image may only read by the time that the image is there.
#[test]
fn rights_that_were_taken_away_complete_nothing() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let key = gateway.key("readwrite");
    let who = basic(&key.id, &key.secret);
    let made = ask(&gateway, "POST", "/bmp", &who, Some(&wanted(&json!({}))));
    assert_eq!(made.status, 202, "{}", made.text());
    let uuid = uuid(&document(&made));
    let order = Order::next(&generator);
    let etags = [(1, order.put(&gateway, 1)), (2, order.put(&gateway, 2))];
    gateway.administer(&["key", "policy", &key.id, "readonly"]);
    refused(&order.complete(&gateway, &etags), 403, "AccessDenied");
    let mut more = order.upload();
    more["partNumbers"] = json!([1]);
    refused(&order.call(&gateway, "/s3/part-urls", &more), 403, "AccessDenied");
    assert_eq!(order.report(&gateway, Some("the gateway answered 403")).status, 200);
    assert_eq!(await_status(&gateway, &uuid, "FAILED")["error"], "the gateway answered 403");
}

/// A key may not be used any more while its image is drawn. The generation fails and says why, though its generator never says a
/// word.
#[test]
fn a_generation_ends_with_its_key() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let key = gateway.key("readwrite");
    let made = ask(&gateway, "POST", "/bmp", &basic(&key.id, &key.secret), Some(&wanted(&json!({}))));
    let uuid = uuid(&document(&made));
    let order = Order::next(&generator);
    await_status(&gateway, &uuid, "RUNNING");
    gateway.administer(&["key", "disable", &key.id]);
    let failed = await_status(&gateway, &uuid, "FAILED");
    assert!(failed["error"].as_str().unwrap().contains("rights have ended"), "{failed}");
    refused(&order.report(&gateway, None), 401, "Unauthorized");
}

/// A generator that was cut off comes back and says that it has failed, while another fills what is missing.
#[test]
fn a_failure_of_an_earlier_order_changes_nothing() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let uuid = uuid(&create(&gateway, &json!({})));
    let first = Order::next(&generator);
    await_status(&gateway, &uuid, "RUNNING");
    gateway.kill();
    let gateway = relaunch(&gateway, &generator);
    let second = Order::next(&generator);
    // Nothing comes, so it is asked for once more: by then the order before is on record.
    let third = Order::next(&generator);
    let answer = first.report(&gateway, Some("cut off"));
    assert_eq!((answer.status, &document(&answer)["status"]), (200, &json!("RUNNING")));
    let etags = [(1, third.put(&gateway, 1)), (2, second.put(&gateway, 2))];
    assert_eq!(third.complete(&gateway, &etags).status, 200);
    await_status(&gateway, &uuid, "COMPLETED");
}

#[test]
fn one_key_does_not_keep_out_everybody_else() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let key = gateway.key("readwrite");
    let who = basic(&key.id, &key.secret);
    let ask_for_one = |who: &str| ask(&gateway, "POST", "/bmp", who, Some(&wanted(&json!({}))));
    let made: Vec<_> = (0..100).map(|_| ask_for_one(&who)).collect();
    assert!(made.iter().all(|answer| answer.status == 202));
    let answer = ask_for_one(&who);
    assert!(refused(&answer, 429, "TooManyRequests").contains("this key"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(ask_for_one(&root()).status, 202);
    let one = uuid(&document(&made[0]));
    assert_eq!(ask(&gateway, "POST", &format!("/bmp/{one}/cancel"), &who, None).status, 200);
    assert_eq!(ask_for_one(&who).status, 202, "one that is over makes room");
}

/// PUTs these bytes by a URL of the S3 port, and gives the ETag.
fn put(gateway: &Gateway, url: &str, bytes: &[u8]) -> String {
    let target = url.strip_prefix(&format!("http://{}", gateway.s3)).unwrap();
    let mut connection = gateway.connect();
    let head = format!("PUT {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n", gateway.s3, bytes.len());
    connection.write([format!("{head}connection: close\r\n\r\n").as_bytes(), bytes].concat());
    let answer = connection.read_answer("PUT");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("etag").unwrap().to_owned()
}

/// A generator that lies: it fills one part of two, or names a part that the image does not have. What was there before stays.
#[test]
fn a_generator_completes_the_whole_image_or_nothing() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let before = uuid(&create(&gateway, &json!({"fileName": "kept.bmp"})));
    Order::next(&generator).fulfil(&gateway);
    await_status(&gateway, &before, "COMPLETED");
    let uuid = uuid(&create(&gateway, &json!({"fileName": "kept.bmp"})));
    let order = Order::next(&generator);
    for numbers in [json!([3]), json!([1, 10_000])] {
        let mut more = order.upload();
        more["partNumbers"] = numbers;
        refused(&order.call(&gateway, "/s3/part-urls", &more), 403, "AccessDenied");
    }
    let mut more = order.upload();
    more["partCount"] = json!(2);
    let urls = order.call(&gateway, "/s3/part-urls", &more);
    assert_eq!(urls.status, 200, "{}", urls.text());
    let second = order.put(&gateway, 2);
    refused(&order.complete(&gateway, &[(2, second.clone())]), 409, "Conflict");
    let short = put(&gateway, document(&urls)["urls"][0].as_str().unwrap(), b"not an image");
    // Too short a first part is refused as such; too short a last one is not the image.
    let answer = order.complete(&gateway, &[(1, short), (2, second)]);
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    let first = order.put(&gateway, 1);
    let short = put(&gateway, document(&urls)["urls"][1].as_str().unwrap(), b"not an image");
    let why = refused(&order.complete(&gateway, &[(1, first.clone()), (2, short)]), 409, "Conflict");
    assert!(why.contains("bytes"), "{why}");
    let kept = gateway.request("HEAD", "/uploads/kept.bmp").send();
    assert_eq!((kept.status, kept.header("content-length")), (200, Some(VOLUME.to_string().as_str())));
    let second = order.put(&gateway, 2);
    assert_eq!(order.complete(&gateway, &[(1, first), (2, second)]).status, 200);
    await_status(&gateway, &uuid, "COMPLETED");
}
