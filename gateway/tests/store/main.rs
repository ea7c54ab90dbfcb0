//! The journal on real files: what is kept over restarts, crashes and damage.

mod damage;
mod lane;
mod restart;
mod rows;
