//! Arguments of a hook: query parameters and form fields (H-GEN-08).

use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::pin;

use bytes::Bytes;
use futures_util::{FutureExt, stream};

use super::HookError;
use super::request::{MediaType, Method, RawHook};

/// Named texts in the order they were sent. A name may stand several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments(Vec<(String, String)>);

impl Arguments {
    /// Query parameters and, for POST, form fields; a name in the form replaces all of its query values.
    pub(super) fn read(hook: &RawHook) -> Result<Self, HookError> {
        let fields = Self::form(hook)?;
        let replaced: HashSet<&str> = fields.0.iter().map(|(name, _)| name.as_str()).collect();
        let mut all = Self::query(&hook.query).0;
        all.retain(|(name, _)| !replaced.contains(name.as_str()));
        all.extend(fields.0);
        Ok(Self(all))
    }

    /// The query alone. Text that is no UTF-8 is taken with replacement characters.
    pub(super) fn query(query: &str) -> Self {
        Self::urlencoded(query.as_bytes())
    }

    /// The fields of the body alone: none unless it is a POST with a form.
    pub(super) fn form(hook: &RawHook) -> Result<Self, HookError> {
        match (hook.method, hook.media_type()) {
            (Method::Post, MediaType::Form) => Ok(Self::urlencoded(&hook.body)),
            (Method::Post, MediaType::Multipart) => {
                let content_type = hook.header("content-type").unwrap_or_default();
                multipart(&content_type, hook.body.clone()).map(Self).map_err(|error| {
                    HookError::bad_request(format!("the multipart body cannot be read: {error}"))
                })
            }
            _ => Ok(Self::default()),
        }
    }

    /// The first value of a name, blank ones included.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name in their order, blank ones included.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn urlencoded(bytes: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(bytes);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }
}

fn multipart(content_type: &str, body: Bytes) -> Result<Vec<(String, String)>, multer::Error> {
    let boundary = multer::parse_boundary(content_type)?;
    let reading = pin!(read_fields(boundary, body));
    // The whole body is at hand, so there is nothing to wait for: a reader that waits wants more than there is.
    reading.now_or_never().unwrap_or(Err(multer::Error::IncompleteStream))
}

async fn read_fields(boundary: String, body: Bytes) -> Result<Vec<(String, String)>, multer::Error> {
    let mut multipart = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut fields = Vec::new();
    while let Some(field) = multipart.next_field().await? {
        let Some(name) = field.name().map(ToOwned::to_owned) else { continue };
        let bytes = field.bytes().await?;
        fields.push((name, String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(fields)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::hooks::testing::{get, post};

    fn values<'a>(arguments: &'a Arguments, name: &str) -> Vec<&'a str> {
        arguments.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn h_gen_08_a_field_replaces_all_query_values_and_values_keep_their_order() {
        let hook = RawHook {
            query: "a=1&a=2&b=q&blank=".to_owned(),
            ..post("Application/X-WWW-Form-Urlencoded; charset=UTF-8", "a=3&a=&c=%C3%A9+x")
        };
        let arguments = Arguments::read(&hook).unwrap();
        assert_eq!(values(&arguments, "a"), ["3", ""]);
        assert_eq!(values(&arguments, "b"), ["q"]);
        assert_eq!((arguments.first("blank"), arguments.first("c")), (Some(""), Some("é x")));
        assert_eq!(arguments.first("none"), None);
    }

    #[test]
    fn h_gen_08_multipart_fields_count_like_form_fields() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x\"\r\n\r\nzwö\r\n--B--\r\n";
        let hook = RawHook { query: "a=0".to_owned(), ..post("multipart/form-data; boundary=B", body) };
        assert_eq!(values(&Arguments::read(&hook).unwrap(), "a"), ["one", "zwö"]);
        let broken = post("multipart/form-data; boundary=B", "--B\r\nContent-Disp");
        assert_eq!(Arguments::read(&broken).unwrap_err().status, 400);
        assert_eq!(Arguments::read(&post("multipart/form-data", body)).unwrap_err().status, 400);
    }

    #[test]
    fn h_gen_08_a_get_has_no_body_fields() {
        let hook = RawHook { method: Method::Get, ..post("application/x-www-form-urlencoded", "a=1") };
        assert_eq!(Arguments::read(&hook).unwrap(), Arguments::default());
        assert_eq!(Arguments::read(&get("a=%00%ff")).unwrap().first("a"), Some("\0\u{fffd}"));
    }
}
