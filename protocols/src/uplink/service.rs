//! A service of the catalogue: what people are shown of it, and what it costs.
//!
//! **Invariant:** what is only shown is optional, so that a catalogue of any release can be read.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::id::{ProviderId, ServiceId};
use crate::unit::Points;

/// The most characters of a service's description: three lines on a kiosk's screen.
pub const SERVICE_DESCRIPTION_CHARS_MAX: usize = 200;

/// What a service looks like on a page that has pictures; a word that this version does not know is `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServicePicture {
    /// A bowl of food.
    Meal,
    /// Help with bathing.
    Bath,
    /// Cleaning.
    Clean,
    /// Exercises to get well.
    Rehab,
    /// Company on a walk or to a place.
    Walk,
    /// Washing clothes.
    Laundry,
    /// Cutting hair.
    Haircut,
    /// A doctor's or nurse's visit.
    Doctor,
    /// Mending things at home.
    Repair,
    /// Shopping and errands.
    Shop,
    /// Anything else.
    #[serde(other)]
    Other,
}

impl ServicePicture {
    /// Every picture.
    pub const ALL: [Self; 11] = [
        Self::Meal,
        Self::Bath,
        Self::Clean,
        Self::Rehab,
        Self::Walk,
        Self::Laundry,
        Self::Haircut,
        Self::Doctor,
        Self::Repair,
        Self::Shop,
        Self::Other,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Meal => "meal",
            Self::Bath => "bath",
            Self::Clean => "clean",
            Self::Rehab => "rehab",
            Self::Walk => "walk",
            Self::Laundry => "laundry",
            Self::Haircut => "haircut",
            Self::Doctor => "doctor",
            Self::Repair => "repair",
            Self::Shop => "shop",
            Self::Other => "other",
        }
    }
}

/// A service in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueService {
    /// Its id.
    pub id: ServiceId,
    /// Who provides it.
    pub provider: ProviderId,
    /// A word such as `meal`, `bath`, `home`, `rehab`.
    pub category: String,
    /// Its name in Chinese.
    pub name_zh: String,
    /// Its name in English.
    pub name_en: String,
    /// The price of one, fen: what the elder pays.
    pub price: Points,
    /// What one costs before the city's share, fen; at least `price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_price: Option<Points>,
    /// What it looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<ServicePicture>,
    /// What it is, in Chinese; at most [`SERVICE_DESCRIPTION_CHARS_MAX`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description_zh: Option<String>,
    /// What it is, in English; as long at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description_en: Option<String>,
}

/// What is wrong with how a service is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServiceShownError {
    /// It costs less before the city's share than after it.
    #[error("full_price is below price: the city's share cannot be less than nothing")]
    FullPrice,
    /// A description is too long.
    #[error("a description has more than {SERVICE_DESCRIPTION_CHARS_MAX} characters")]
    Description,
}

impl CatalogueService {
    /// What the city pays of one, fen: nothing where the full price is not told, or is below the price.
    #[must_use]
    pub fn subsidy(&self) -> Points {
        self.full_price.and_then(|full| full.checked_sub(self.price)).unwrap_or(Points::ZERO)
    }

    /// Checks what people wrote into a configuration or a request.
    ///
    /// # Errors
    /// The first of what is wrong.
    pub fn check_shown(&self) -> Result<(), ServiceShownError> {
        if self.full_price.is_some_and(|full| full < self.price) {
            return Err(ServiceShownError::FullPrice);
        }
        let long = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| text.chars().count() > SERVICE_DESCRIPTION_CHARS_MAX)
        };
        if long(&self.description_zh) || long(&self.description_en) {
            return Err(ServiceShownError::Description);
        }
        Ok(())
    }
}
