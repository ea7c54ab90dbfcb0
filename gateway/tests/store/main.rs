//! The journal on real files: what is kept over restarts, crashes and damage.

mod child;
mod crash;
mod damage;
mod disk;
mod lane;
mod lock;
mod measure;
mod place;
mod release;
mod restart;
mod rows;
mod scrub;
mod verify;
