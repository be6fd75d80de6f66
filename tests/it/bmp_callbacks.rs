//! Callbacks: delivered once the generation is over, signed, tried again, given up, delivered again by hand, and never to where
//! nobody may be called.

use std::net::TcpListener;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::bmp::{Order, VOLUME, ask, basic, create, document, launch, refused, root, uuid, wanted};
use crate::digests::{hex, now_seconds};
use crate::gateway::{Gateway, Launch};
use crate::peer::{Called, Peer};
use crate::process::poll;

const SECRET: &str = "whsec of tests";

/// Asserts the signature of a callback, and that it was made a moment ago.
fn assert_signed(called: &Called) {
    let signature = called.header("wharf-signature").unwrap();
    let (time, mac) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert!((time.parse::<i64>().unwrap() - now_seconds()).abs() <= 5, "{signature}");
    let mut expected = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    expected.update(time.as_bytes());
    expected.update(b".");
    expected.update(&called.body);
    assert_eq!(mac, hex(&expected.finalize().into_bytes()));
}

fn to(url: &str) -> Value {
    json!({"callbackUrl": url, "callbackSecret": SECRET})
}

/// The callbacks of this state, as root sees them.
fn listed(gateway: &Gateway, state: &str) -> Vec<Value> {
    let answer = ask(gateway, "GET", &format!("/bmp/callbacks?state={state}"), &root(), None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    document(&answer)["callbacks"].as_array().unwrap().clone()
}

fn again(gateway: &Gateway, generator: &Peer) -> Launch {
    Launch::on(&gateway.directory()).set("--generator-url", generator.url(""))
}

#[test]
fn ends_are_told_signed() {
    let (generator, receiver) = (Peer::new(), Peer::new());
    let gateway = launch(&generator).start();
    let done = uuid(&create(&gateway, &to(&receiver.url("/hook?for=a"))));
    Order::next(&generator).fulfil(&gateway);
    let called = receiver.next_of("POST /hook?for=a");
    assert_signed(&called);
    assert_eq!(called.header("content-type"), Some("application/json"));
    let told = called.json();
    for (field, expected) in [
        ("uuid", json!(done)),
        ("generationUuid", json!(done)),
        ("status", json!("COMPLETED")),
        ("isSuccess", json!(true)),
        ("errorMessage", json!(null)),
        ("bmpVolume", json!(VOLUME)),
        ("objectName", json!(format!("{done}.bmp"))),
        ("bucket", json!("uploads")),
    ] {
        assert_eq!(told[field], expected, "{field}");
    }
    let url = told["imageUrl"].as_str().unwrap();
    let target = url.strip_prefix(&format!("http://{}", gateway.s3)).unwrap();
    let mut connection = gateway.connect();
    connection.write(format!("GET {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", gateway.s3));
    assert_eq!(connection.read_answer("GET").status, 200);

    let cancelled = uuid(&create(&gateway, &json!({"callbackUrl": receiver.url("/plain")})));
    Order::next(&generator);
    assert_eq!(ask(&gateway, "POST", &format!("/bmp/{cancelled}/cancel"), &root(), None).status, 200);
    let called = receiver.next_of("POST /plain");
    assert_eq!(called.header("wharf-signature"), None, "there is nothing to sign with");
    let told = called.json();
    assert_eq!(
        (&told["status"], &told["isSuccess"], &told["imageUrl"]),
        (&json!("CANCELLED"), &json!(false), &json!(null))
    );
    poll("the end of both", || listed(&gateway, "pending").is_empty().then_some(()));
    receiver.assert_quiet();
    assert!(gateway.metric("wharf_callbacks_total{result=\"delivered\"}") >= 2.0);
}

/// The receiver is down when the generation ends, and still when the gateway is killed. The very same comes in the end, with a URL that
/// lives from then on.
#[test]
fn a_receiver_that_was_down_hears_of_it_later() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let uuid = uuid(&create(&gateway, &to(&format!("http://{down}/hook"))));
    Order::next(&generator).fulfil(&gateway);
    let waits = poll("a try", || listed(&gateway, "pending").into_iter().find(|waits| waits["tries"] != 0));
    assert_eq!((&waits["id"], &waits["state"]), (&json!(uuid), &json!("pending")));
    assert!(waits["error"].as_str().unwrap().contains("connect"), "{waits}");
    gateway.kill();
    let gateway = again(&gateway, &generator).start();
    let receiver = Peer::at(down);
    receiver.script(&["500 Internal Server Error"]);
    let refused = receiver.next_of("POST /hook");
    let taken = receiver.next_of("POST /hook");
    assert_signed(&taken);
    let (mut first, mut last) = (refused.json(), taken.json());
    for told in [&mut first, &mut last] {
        assert!(told["imageUrl"].take().as_str().unwrap().contains("X-Amz-Signature="), "{told}");
    }
    assert_eq!((last["status"].as_str(), last == first), (Some("COMPLETED"), true));
    poll("its end", || listed(&gateway, "pending").is_empty().then_some(()));
    assert!(listed(&gateway, "dead").is_empty());
    receiver.assert_quiet();
}

#[test]
fn redirects_are_not_followed() {
    let (generator, receiver, elsewhere) = (Peer::new(), Peer::new(), Peer::new());
    let gateway = launch(&generator).start();
    let location: &'static str = format!("302 Found\nlocation: {}", elsewhere.url("/secret")).leak();
    receiver.script(&[location, location]);
    create(&gateway, &to(&receiver.url("/hook")));
    Order::next(&generator).fulfil(&gateway);
    for _ in 0..3 {
        receiver.next_of("POST /hook");
    }
    poll("its end", || listed(&gateway, "pending").is_empty().then_some(()));
    elsewhere.assert_quiet();
}

/// A receiver that takes connections and says nothing holds up nobody else.
#[test]
fn one_that_does_not_answer_holds_up_no_other() {
    let (generator, receiver) = (Peer::new(), Peer::new());
    let gateway = launch(&generator).start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", silent.local_addr().unwrap());
    for _ in 0..20 {
        let uuid = uuid(&create(&gateway, &to(&url)));
        Order::next(&generator);
        assert_eq!(ask(&gateway, "POST", &format!("/bmp/{uuid}/cancel"), &root(), None).status, 200);
    }
    let started = std::time::Instant::now();
    let uuid = uuid(&create(&gateway, &to(&receiver.url("/hook"))));
    assert_eq!(ask(&gateway, "POST", &format!("/bmp/{uuid}/cancel"), &root(), None).status, 200);
    receiver.next_of("POST /hook");
    assert!(started.elapsed() < Duration::from_secs(8), "it waited for others: {:?}", started.elapsed());
}

#[test]
fn what_was_given_up_can_be_delivered_again() {
    let (generator, receiver) = (Peer::new(), Peer::new());
    let gateway = launch(&generator).start();
    let uuid = uuid(&create(&gateway, &to(&receiver.url("/hook"))));
    let order = Order::next(&generator);
    gateway.kill();
    // Meanwhile the operator has thought better of it: nobody on loopback is called any more.
    let strict = again(&gateway, &generator).set("--callback-allow", "192.0.2.1").start();
    order_again(&generator).fulfil(&strict);
    let dead = poll("a dead one", || listed(&strict, "dead").pop());
    assert_eq!(dead["id"], uuid);
    assert!(dead["error"].as_str().unwrap().contains("not an allowed destination"), "{dead}");
    receiver.assert_quiet();
    strict.kill();
    let gateway = again(&gateway, &generator).start();
    assert_eq!(listed(&gateway, "dead").len(), 1, "it stays dead");
    let target = format!("/bmp/callbacks/{uuid}/redeliver");
    let reader = gateway.key("readonly");
    let reader = basic(&reader.id, &reader.secret);
    for who in ["", reader.as_str()] {
        refused(&ask(&gateway, "POST", &target, who, None), 404, "NoSuchCallback");
        let seen = document(&ask(&gateway, "GET", "/bmp/callbacks", who, None));
        assert_eq!(seen["callbacks"], json!([]));
    }
    refused(&ask(&gateway, "POST", "/bmp/callbacks/x/redeliver", &root(), None), 404, "NoSuchCallback");
    refused(&ask(&gateway, "GET", "/bmp/callbacks?state=done", &root(), None), 400, "InvalidRequest");
    receiver.assert_quiet();
    let answer = ask(&gateway, "POST", &target, &root(), None);
    assert_eq!((answer.status, &document(&answer)["state"]), (202, &json!("pending")));
    assert_signed(&receiver.next_of("POST /hook"));
    poll("its end", || (listed(&gateway, "pending").is_empty() && listed(&gateway, "dead").is_empty()).then_some(()));
    drop(order);
}

/// What a receiver answered, or that there is none, tells of a network. Whoever had it called hears no more than that it did not
/// work, and another who may put the object hears nothing.
#[test]
fn callbacks_are_shown_to_their_owner() {
    let (generator, receiver) = (Peer::new(), Peer::new());
    let gateway = launch(&generator).start();
    receiver.script(&["404 Not Found"; 20]);
    let keys = [gateway.key("readwrite"), gateway.key("readwrite")];
    let [owner, other] = keys.map(|key| basic(&key.id, &key.secret));
    let made = ask(&gateway, "POST", "/bmp", &owner, Some(&wanted(&to(&receiver.url("/hook")))));
    let uuid = uuid(&document(&made));
    assert_eq!(ask(&gateway, "POST", &format!("/bmp/{uuid}/cancel"), &owner, None).status, 200);
    let waits = poll("a try", || listed(&gateway, "pending").into_iter().find(|waits| waits["tries"] != 0));
    assert_eq!(waits["error"], "the answer was 404");
    let seen = |who: &str| document(&ask(&gateway, "GET", "/bmp/callbacks", who, None))["callbacks"].clone();
    assert_eq!(seen(&owner)[0]["error"], "not delivered: answered 4xx");
    assert_eq!(seen(&other), json!([]));
    let target = format!("/bmp/callbacks/{uuid}/redeliver");
    refused(&ask(&gateway, "POST", &target, &other, None), 404, "NoSuchCallback");
    assert_eq!(ask(&gateway, "POST", &target, &owner, None).status, 202);
}

/// The order after a restart.
fn order_again(generator: &Peer) -> Order {
    Order::next(generator)
}

/// There is no room for anything new, and what was begun ends all the same, and is told.
#[test]
fn below_the_reserve_generations_still_end() {
    let (generator, receiver) = (Peer::new(), Peer::new());
    let gateway = launch(&generator).start();
    let uuid = uuid(&create(&gateway, &to(&receiver.url("/hook"))));
    Order::next(&generator);
    gateway.kill();
    let full = again(&gateway, &generator).set("--reserve", "1000000000GiB").start();
    let more = Some(wanted(&to(&receiver.url("/hook"))));
    refused(&ask(&full, "POST", "/bmp", &root(), more.as_ref()), 507, "InsufficientStorage");
    assert_eq!(ask(&full, "POST", &format!("/bmp/{uuid}/cancel"), &root(), None).status, 200);
    assert_eq!(receiver.next_of("POST /hook").json()["status"], "CANCELLED");
    poll("its end", || listed(&full, "pending").is_empty().then_some(()));
}

#[test]
fn callbacks_are_listed_from_the_one_that_is_named() {
    let generator = Peer::new();
    let gateway = launch(&generator).start();
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for _ in 0..3 {
        let uuid = uuid(&create(&gateway, &to(&format!("http://{down}/hook"))));
        assert_eq!(ask(&gateway, "POST", &format!("/bmp/{uuid}/cancel"), &root(), None).status, 200);
    }
    let all = listed(&gateway, "pending");
    assert_eq!(all.len(), 3);
    let page = document(&ask(
        &gateway,
        "GET",
        &format!("/bmp/callbacks?after={}", all[0]["id"].as_str().unwrap()),
        &root(),
        None,
    ));
    let ids = |list: &[Value]| list.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!((ids(page["callbacks"].as_array().unwrap()), &page["next"]), (ids(&all[1..]), &json!(null)));
}
