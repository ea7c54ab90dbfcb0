//! Small requests to the two services, as programs make them: a base address, a bearer token, JSON.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::{Client, Method};
use serde_json::Value;

use super::error::SiteError;
use super::limits;

/// One service with one identity.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: Option<Arc<str>>,
}

/// What a service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    method: Method,
    url: String,
    /// The HTTP status.
    pub status: u16,
    /// The body's text.
    pub text: String,
}

impl Api {
    /// The service at this address, for nobody known.
    ///
    /// # Errors
    /// [`SiteError::Client`].
    pub fn new(address: SocketAddr) -> Result<Self, SiteError> {
        // A second call finds the first one's provider, which is the same.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().timeout(limits::HTTP).no_proxy().build().map_err(SiteError::Client)?;
        Ok(Self { client, base: format!("http://{address}"), token: None })
    }

    /// The same service for whoever has this token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The service's address, `http://…`.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// GET.
    ///
    /// # Errors
    /// [`SiteError::NoAnswer`]; any status is an answer.
    pub async fn get(&self, path: &str) -> Result<Answer, SiteError> {
        self.send(Method::GET, path, &[], None).await
    }

    /// GET, and the JSON of an answer of success.
    ///
    /// # Errors
    /// No answer, another status, or no JSON.
    pub async fn read(&self, path: &str) -> Result<Value, SiteError> {
        self.get(path).await?.json()
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// [`SiteError::NoAnswer`]; any status is an answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, SiteError> {
        self.send(Method::POST, path, &[], Some(body.to_string())).await
    }

    /// Any request: headers, and a body that is declared as JSON whether it is or not.
    ///
    /// # Errors
    /// [`SiteError::NoAnswer`]; any status is an answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, SiteError> {
        let url = format!("{}{path}", self.base);
        let mut request = self.client.request(method.clone(), &url).header("Accept-Language", "en");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let failed = |source| SiteError::NoAnswer { method: method.to_string(), url: url.clone(), source };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(failed)?;
        Ok(Answer { method, url, status, text })
    }
}

impl Answer {
    /// Whether it is one of success.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The JSON of an answer of success.
    ///
    /// # Errors
    /// [`SiteError::Answer`]: another status, or no JSON.
    pub fn json(self) -> Result<Value, SiteError> {
        match serde_json::from_str(&self.text) {
            Ok(value) if self.is_success() => Ok(value),
            Ok(_) | Err(_) => Err(self.into_error()),
        }
    }

    /// The word of a refusal: `{"error":{"code":…}}`; empty where there is none.
    #[must_use]
    pub fn code(&self) -> String {
        let value: Value = serde_json::from_str(&self.text).unwrap_or(Value::Null);
        value.pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// As an error, because something else was wanted.
    #[must_use]
    pub fn into_error(self) -> SiteError {
        SiteError::Answer { method: self.method.to_string(), url: self.url, status: self.status, body: self.text }
    }
}
