//! Bodies: bounded, JSON only, and read field by field, so that what a request
//! does not name stays as it is.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use std::time::SystemTime;

use crate::document::parse_time;
use crate::manage::rest::refusal::Refusal;
use crate::manage::{FieldIssue, Set};

/// The longest body.
const LIMIT: usize = 1 << 20;

/// How much more is read and thrown away, so that a client that is still sending
/// can read its refusal.
const DISCARDED: usize = 16 << 20;

/// Reads a body whole. An empty one is an empty object.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Value, Refusal> {
    let bytes = collect(body).await?;
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if !is_json(headers) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "the body is not JSON by its content type: send `Content-Type: application/json`",
        ));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = format!("the body is not JSON: see line {line}, column {column}");
        Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequestContent", message)
    })
}

async fn collect(mut body: Body) -> Result<Bytes, Refusal> {
    let mut bytes = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let message = "the body ends before its end";
            Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequestContent", message)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length <= LIMIT {
            bytes.extend_from_slice(&data);
        } else if length > DISCARDED {
            break;
        }
    }
    if length > LIMIT {
        let message = "the body has more than 1 MiB";
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            message,
        ));
    }
    Ok(bytes.freeze())
}

/// `application/json`, or a type with the suffix `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// The fields of an object, and everything that is wrong with them.
pub(super) struct Draft<'v> {
    fields: Option<&'v Map<String, Value>>,
    pub(super) issues: Vec<FieldIssue>,
}

impl<'v> Draft<'v> {
    /// The fields of the body itself.
    pub(super) fn of(body: &'v Value) -> Self {
        let mut draft = Self {
            fields: body.as_object(),
            issues: Vec::new(),
        };
        if draft.fields.is_none() {
            draft.refuse("body", "expected an object");
        }
        draft
    }

    /// The fields of the body's `properties`.
    pub(super) fn of_properties(body: &'v Value) -> Self {
        let mut draft = Self::of(body);
        draft.fields = draft.option("properties", |value| {
            let fields = value.as_object();
            fields.ok_or_else(|| "expected an object".to_owned())
        });
        draft
    }

    /// A field as the request names it.
    pub(super) fn get(&self, name: &str) -> Set<&'v Value> {
        match self.fields.and_then(|fields| fields.get(name)) {
            None => Set::Keep,
            Some(Value::Null) => Set::Clear,
            Some(value) => Set::To(value),
        }
    }

    pub(super) fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.issues.push(FieldIssue::new(name, message));
    }

    /// Reads an optional field: `null` clears it.
    pub(super) fn set<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&'v Value) -> Result<T, String>,
    ) -> Set<T> {
        match self.get(name).map(read) {
            Set::Keep => Set::Keep,
            Set::Clear => Set::Clear,
            Set::To(Ok(value)) => Set::To(value),
            Set::To(Err(message)) => {
                self.refuse(name, message);
                Set::Keep
            }
        }
    }

    /// Reads a field that cannot be cleared: `null` counts as not named.
    pub(super) fn option<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&'v Value) -> Result<T, String>,
    ) -> Option<T> {
        match self.set(name, read) {
            Set::To(value) => Some(value),
            _ => None,
        }
    }
}

pub(super) fn text(value: &Value) -> Result<String, String> {
    let text = value.as_str().ok_or("expected text")?;
    if text.contains('\0') {
        return Err("text has no character U+0000".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn flag(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| "expected `true` or `false`".to_owned())
}

pub(super) fn time(value: &Value) -> Result<SystemTime, String> {
    const EXPECTED: &str = "expected a time such as `2027-06-30T00:00:00Z`";
    parse_time(&text(value)?).ok_or_else(|| EXPECTED.to_owned())
}

pub(super) fn texts(value: &Value) -> Result<Vec<String>, String> {
    let items = value.as_array().ok_or("expected a list of texts")?;
    items.iter().map(text).collect()
}
