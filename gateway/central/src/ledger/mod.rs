//! The ledger: who holds how many points, in double entry.
//!
//! | account | holds |
//! |---|---|
//! | `elder:{person}` | points that a person can spend |
//! | `held:{person}` | points set aside for open sales |
//! | `provider:{provider}` | what the city owes a provider |
//! | `suspense:{provider}` | purse debits of a provider whose proof is not valid (yet) |
//! | `city_fund` | the other side of grants; negative |
//! | `purse_float` | the other side of purse debits: what the card issuer owes; negative |
//!
//! **Invariant:** rows are never changed or deleted; the postings of a transaction add up to zero; a balance is the sum
//! of its postings.
//! **Invariant:** each cause has each of its effects at most once: (kind, subject) of a transaction is unique.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod audit;
pub mod balance;
pub mod book;
pub mod decide;
pub mod grant;
pub mod hold;
pub mod refund;
pub mod release;
pub mod sale;
pub mod settle;
