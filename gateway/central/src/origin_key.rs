//! The text form of an origin, `{source}/{epoch}/{seq}`, which is how it is kept, and back.
//!
//! **Invariant:** the form is one to one: devices count their epochs, all other sources name them.

use protocols::id::Seq;
use protocols::uplink::{Epoch, Origin, Source};

/// The origin with this text form.
#[must_use]
pub fn parse(text: &str) -> Option<Origin> {
    let mut parts = text.split('/');
    let (source, epoch, seq) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let source: Source = source.parse().ok()?;
    let epoch = match source {
        Source::Device(_) => Epoch::Number(epoch.parse().ok()?),
        Source::Terminal(_) | Source::Gateway(_) | Source::Centre(_) => Epoch::Text(epoch.to_owned()),
    };
    Some(Origin { source, epoch, seq: Seq::new(seq.parse().ok()?)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_origin_is_read_back_as_the_same_origin() {
        for text in ["device:btn-0001/1/42", "gateway:gw-demo/7b1c/9", "terminal:310000000042/00003100/1"] {
            assert_eq!(parse(text).map(|origin| origin.to_string()).as_deref(), Some(text));
        }
        for text in ["", "device:x/1", "device:x/a/1", "device:x/1/1/1", "gateway:x/y/9007199254740993"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
