//! The journal on real files: what is kept over restarts, crashes and damage.

mod damage;
mod lane;
mod place;
mod restart;
mod rows;
