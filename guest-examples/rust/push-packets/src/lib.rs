//! Packs queued events into one JSON request.

use campanile_guest::{HttpRequest, Packet, Pushed, json};

/// Where the events go.
const ADDRESS: &str = "https://events.example.org/buildbot";
/// No more events go into one request.
const MOST_PACKETS: usize = 100;
/// A request that has come to this size takes no further event: the engine takes no answer above 1 MiB.
const ENOUGH_BYTES: usize = 512 * 1024;

/// `{"packets": [...]}`, oldest first. The rest stays queued for the next call.
pub fn push(packets: &[Packet]) -> Result<Pushed, String> {
    let mut body = String::from("{\"packets\":[");
    let mut consumed = 0;
    for packet in packets.iter().take(MOST_PACKETS) {
        let grown = body.len() + packet.payload.len();
        // The first is taken whatever its size: left in the queue, it would block all others.
        if consumed > 0 && grown > ENOUGH_BYTES {
            break;
        }
        if consumed > 0 {
            body.push(',');
        }
        push_packet(&mut body, packet);
        consumed += 1;
    }
    body.push_str("]}");
    let requests = if consumed == 0 { Vec::new() } else { vec![request(body)] };
    Ok(Pushed { consumed, requests })
}

campanile_guest::push_callback!(push);

fn push_packet(out: &mut String, packet: &Packet) {
    out.push_str(&format!("{{\"id\":{},\"event\":", packet.id));
    json::push_string(out, &packet.event);
    out.push_str(",\"timestamp\":");
    json::push_string(out, &packet.timestamp);
    out.push_str(",\"payload\":");
    out.push_str(&packet.payload);
    out.push('}');
}

fn request(body: String) -> HttpRequest {
    HttpRequest {
        method: "POST".to_owned(),
        url: ADDRESS.to_owned(),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: body.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ENOUGH_BYTES, push};
    use campanile_guest::testing::packet;
    use campanile_guest::{Packet, Pushed};

    fn pushed(packets: &[Packet]) -> Pushed {
        push(packets).expect("it has no way to fail")
    }

    #[test]
    fn events_go_out_in_one_request() {
        let pushed = pushed(&[packet(1), packet(2)]);
        assert_eq!(pushed.consumed, 2);
        let [request] = &*pushed.requests else { panic!("{} requests", pushed.requests.len()) };
        assert_eq!((&*request.method, &*request.url), ("POST", "https://events.example.org/buildbot"));
        assert_eq!(
            String::from_utf8_lossy(&request.body),
            "{\"packets\":[\
             {\"id\":1,\"event\":\"buildFinished\",\"timestamp\":\"Sat Apr 19 23:03:46 2014\",\"payload\":{\"n\":1}},\
             {\"id\":2,\"event\":\"buildFinished\",\"timestamp\":\"Sat Apr 19 23:03:46 2014\",\"payload\":{\"n\":2}}]}"
        );
    }

    #[test]
    fn what_is_too_much_stays_queued() {
        let many: Vec<Packet> = (0..250).map(packet).collect();
        assert_eq!(pushed(&many).consumed, 100);

        let big = Packet { payload: format!("\"{}\"", "x".repeat(ENOUGH_BYTES)), ..packet(1) };
        assert_eq!(pushed(&[big.clone(), packet(2)]).consumed, 1);
        assert_eq!(pushed(&[packet(2), big]).consumed, 1);
    }

    #[test]
    fn nothing_makes_no_request() {
        let pushed = pushed(&[]);
        assert_eq!((pushed.consumed, pushed.requests.len()), (0, 0));
    }
}
