//! What Gerrit is told when a build begins: which one, and where it can be watched.

use campanile_guest::{StartRequest, Status, flat};

/// A word at the start of a build; none for a build that nobody could watch.
pub fn announce(request: &StartRequest, status: &dyn Status) -> Result<Option<String>, String> {
    let url = flat::url(&request.build, status);
    Ok(url.map(|url| format!("{} #{} has started: {url}", request.builder, request.build.id.number)))
}

campanile_guest::start_callback!(announce);

#[cfg(test)]
mod tests {
    use super::announce;
    use campanile_guest::testing::{FixedStatus, build};
    use campanile_guest::{Results, StartRequest};

    fn announced(status: &FixedStatus) -> Option<String> {
        let request = StartRequest { builder: "linux".to_owned(), build: build(Results::Success), arg: None };
        announce(&request, status).expect("it has no way to fail")
    }

    #[test]
    fn the_start_says_where_to_look() {
        let text = announced(&FixedStatus::default());
        let expected = "linux #7 has started: https://ci.example/builders/linux/builds/7";
        assert_eq!(text.as_deref(), Some(expected));
    }

    #[test]
    fn without_an_address_nothing_is_said() {
        assert_eq!(announced(&FixedStatus { url: None, ..FixedStatus::default() }), None);
    }
}
