//! The journal on real files: what is kept over restarts, crashes and damage.

mod child;
mod crash;
mod damage;
mod disk;
mod lane;
mod place;
mod restart;
mod rows;
mod verify;
