//! A serverPushCb that does what the comments of changes tell it to.

use campanile_guest::{HttpRequest, Packet, Pushed};

/// `to ADDRESS`: a request there with the packet's number. `stay`: this packet and those behind it are left. `fail`: an
/// error. `panic`: a crash. Anything else is taken and nothing is made of it.
fn push(packets: &[Packet]) -> Result<Pushed, String> {
    let mut pushed = Pushed { consumed: 0, requests: Vec::new() };
    for packet in packets {
        match comments(&packet.payload) {
            "stay" => break,
            "fail" => return Err(format!("packet {} is not to be pushed", packet.id)),
            "panic" => panic!("packet {} is poison", packet.id),
            text => {
                if let Some(url) = text.strip_prefix("to ") {
                    pushed.requests.push(HttpRequest {
                        method: "PUT".to_owned(),
                        url: url.to_owned(),
                        headers: vec![("X-Event".to_owned(), packet.event.clone())],
                        body: packet.id.to_string().into_bytes(),
                    });
                }
            }
        }
        pushed.consumed += 1;
    }
    Ok(pushed)
}

fn comments(payload: &str) -> &str {
    let Some((_, rest)) = payload.split_once("\"comments\":\"") else { return "" };
    rest.split('"').next().unwrap_or_default()
}

campanile_guest::push_callback!(push);
