//! The store from outside: what is kept, what is refused, what is found out.

mod fixture;
mod groups;
mod opening;
mod projections;
mod tampering;
