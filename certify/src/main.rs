//! `orch-certify`: makes keys, runs checks, signs and verifies certificates.
fn main(){}
