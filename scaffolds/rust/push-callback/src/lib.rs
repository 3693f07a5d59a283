//! Queued events become one JSON request, which the engine sends and retries.

use campanile_guest::{HttpRequest, Packet, Pushed, json};

/// Where the events go.
const ADDRESS: &str = "https://events.example.org/builds";
/// No more events go into one request; the rest waits for the next call.
const MOST: usize = 50;

/// How many packets are taken, and the request that carries them, oldest first.
pub fn push(packets: &[Packet]) -> Result<Pushed, String> {
    let batch = &packets[..packets.len().min(MOST)];
    let consumed = u32::try_from(batch.len()).map_err(|error| error.to_string())?;
    let requests = if batch.is_empty() { Vec::new() } else { vec![request(batch)] };
    Ok(Pushed { consumed, requests })
}

campanile_guest::push_callback!(push);

fn request(packets: &[Packet]) -> HttpRequest {
    let events: Vec<String> = packets.iter().map(event).collect();
    HttpRequest {
        method: "POST".to_owned(),
        url: ADDRESS.to_owned(),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: format!("{{\"events\":[{}]}}", events.join(",")).into_bytes(),
    }
}

fn event(packet: &Packet) -> String {
    let mut name = String::new();
    json::push_string(&mut name, &packet.event);
    // The payload is JSON already.
    format!("{{\"id\":{},\"event\":{name},\"payload\":{}}}", packet.id, packet.payload)
}

#[cfg(test)]
mod tests {
    use super::push;
    use campanile_guest::testing::packet;
    use campanile_guest::{Packet, Pushed};

    fn pushed(packets: &[Packet]) -> Pushed {
        push(packets).expect("it has no way to fail")
    }

    #[test]
    fn events_go_out_in_one_request() {
        let pushed = pushed(&[packet(1), packet(2)]);
        assert_eq!((pushed.consumed, pushed.requests.len()), (2, 1));
        assert_eq!(
            String::from_utf8_lossy(&pushed.requests[0].body),
            "{\"events\":[{\"id\":1,\"event\":\"buildFinished\",\"payload\":{\"n\":1}},\
             {\"id\":2,\"event\":\"buildFinished\",\"payload\":{\"n\":2}}]}"
        );
    }

    #[test]
    fn what_is_too_much_stays_queued() {
        let many: Vec<Packet> = (0..51).map(packet).collect();
        assert_eq!(pushed(&many).consumed, 50);
        assert!(pushed(&[]).requests.is_empty());
    }
}
