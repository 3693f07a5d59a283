//! stub
#![allow(missing_docs)]
use crate::config::{Problems, Reader, Settings};
use crate::model::{Change, Timestamp};
pub struct RawHook {
    pub method: Method,
    pub query: String,
    pub headers: axum::http::HeaderMap,
    pub body: bytes::Bytes,
}
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Get,
    Post,
}
pub struct Verified(#[allow(dead_code)] RawHook);
pub trait Dialect: Send + Sync {
    fn name(&self) -> &str;
    fn methods(&self) -> &'static [Method];
    fn verify(&self, request: RawHook) -> Result<Verified, Rejection>;
    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<Parsed, Rejection>;
}
pub struct Parsed {
    pub changes: Vec<Change>,
    pub event: Option<String>,
    pub note: Option<String>,
    pub delivery_id: Option<String>,
}
pub struct Rejection {
    pub status: u16,
    pub message: String,
}
pub struct Hooks;
impl Hooks {
    pub fn from_settings(_r: &Reader<'_>, _s: &Settings, _p: &Problems) -> Self {
        Self
    }
    pub fn authorize(&self, _h: &axum::http::HeaderMap) -> Result<(), Rejection> {
        Ok(())
    }
    pub fn auth_is_slow(&self) -> bool {
        false
    }
    pub fn any(&self) -> bool {
        false
    }
    pub fn dialect(&self, _n: &str) -> Result<&dyn Dialect, Rejection> {
        Err(Rejection { status: 400, message: String::new() })
    }
    pub fn max_body(&self) -> u64 {
        0
    }
}
pub fn answer_text(_c: usize) -> String {
    String::new()
}
