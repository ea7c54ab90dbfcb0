//! The real core of many gateways, and a model of the centre, under virtual time and one seed.
//!
//! `world` is what happens, `around` what effects do, `gateway`, `disk`, `button` and `centre` who takes part, `promise` what has to
//! hold in every history, `mutant` the broken gateways by which the promises' checkers are proved.
//!
//! In it: buttons that press in a hurry, take back, lose their connection and go to another gateway; processes that die between any
//! two events, with the group under way on the disk or not; requests to the centre that are lost, doubled, late or without an
//! answer; people at the centre and at the sites who take one alarm further at the same time.
//!
//! **Invariant:** the same seed gives the same history.

mod around;
pub mod button;
pub mod centre;
pub mod dice;
pub mod disk;
pub mod event;
mod faults;
pub mod gateway;
pub mod limits;
pub mod mutant;
mod people;
pub mod promise;
pub mod world;
