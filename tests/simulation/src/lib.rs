//! The real core of many gateways, and a model of the centre, under virtual time and one seed.
//!
//! `world` is what happens, `faults` what breaks, `people` and `till` what is done of itself, `around` what effects do; `gateway`,
//! `disk`, `button`, `card`, `centre` and `ledger` are who takes part; `promise` is what has to hold in every history, `mutant` the
//! broken gateways by which the promises' checkers are proved.
//!
//! In it: buttons that press in a hurry, take back, lose their connection or their battery, go to another gateway and get a new
//! epoch; processes that die between any two events, with the group under way on the disk or not; disks that take nothing, that
//! are nearly full, that cannot be read for a moment, that go away with their gateway; requests to the centre that are lost, doubled, very late or
//! without an answer; wall clocks that jump; people at the centre and at the sites who take one alarm further at the same
//! time; people who pay from the card or the account, and take the card away or exchange it in the middle.
//!
//! **Invariant:** the same seed gives the same history.

mod around;
pub mod button;
pub mod card;
pub mod centre;
pub mod dice;
pub mod disk;
pub mod event;
mod faults;
pub mod gateway;
pub mod ledger;
pub mod limits;
pub mod long_run;
pub mod mutant;
mod people;
pub mod promise;
pub mod till;
pub mod world;
