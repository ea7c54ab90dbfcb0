//! The two languages of the local interface, chosen by `Accept-Language`.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

/// A language in which people are told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// Chinese, the default.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The value of `Content-Language`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// What the caller prefers of the two (RFC 9110 section 12.5.4); Chinese where it says nothing usable.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(text) = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()) else {
            return Self::Zh;
        };
        let mut best: Option<(Self, f32)> = None;
        for part in text.split(',') {
            let mut pieces = part.split(';');
            let tag = pieces.next().unwrap_or("").trim().to_ascii_lowercase();
            let weight =
                pieces.find_map(|piece| piece.trim().strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            let lang = match tag.split('-').next() {
                Some("zh") => Self::Zh,
                Some("en") => Self::En,
                Some(_) | None => continue,
            };
            if weight > 0.0 && best.is_none_or(|(_, top)| weight > top) {
                best = Some((lang, weight));
            }
        }
        best.map_or(Self::Zh, |(lang, _)| lang)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Lang {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, text.parse().expect("the samples are header values"));
        Lang::of(&headers)
    }

    #[test]
    fn the_callers_preferred_language_of_the_two_is_taken() {
        assert_eq!(of("en"), Lang::En);
        assert_eq!(of("en-GB,en;q=0.9,zh;q=0.8"), Lang::En);
        assert_eq!(of("zh-CN,zh;q=0.9,en;q=0.8"), Lang::Zh);
        assert_eq!(of("fr, en;q=0.2, zh;q=0.7"), Lang::Zh);
        assert_eq!(of("en;q=0"), Lang::Zh);
    }

    #[test]
    fn without_a_usable_preference_it_is_chinese() {
        assert_eq!(Lang::of(&HeaderMap::new()), Lang::Zh);
        assert_eq!(of("fr"), Lang::Zh);
        assert_eq!(of(";;;,q=,en;q=x"), Lang::Zh);
    }
}
