//! Keys and signatures that some verifiers take and ours must not.
//!
//! In -> out: a seed, a point of small order, a message -> key and signature that hold by the cofactored equation, and
//! where it is possible by the plain one too.
//! Invariant: arithmetic is the library's; only what is put together is unusual.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

/// The order of the group, least byte first.
pub const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Points of small order, the first being the identity.
pub fn small(place: usize) -> EdwardsPoint {
    EIGHT_TORSION[place % 8]
}

fn scalar(seed: &[u8], what: &str) -> Scalar {
    let digest: [u8; 64] = Sha512::new().chain_update(seed).chain_update(what).finalize().into();
    Scalar::from_bytes_mod_order_wide(&digest)
}

/// A key that signs by hand: its public half is `aB + T`.
pub struct Bent {
    a: Scalar,
    key: EdwardsPoint,
}

impl Bent {
    /// A key of mixed order, or a plain one if the point is the identity.
    pub fn mixed(seed: &[u8], torsion: EdwardsPoint) -> Self {
        let a = scalar(seed, "secret");
        Self { a, key: ED25519_BASEPOINT_POINT * a + torsion }
    }

    /// A key that is a point of small order.
    pub fn small(torsion: EdwardsPoint) -> Self {
        Self { a: Scalar::ZERO, key: torsion }
    }

    pub fn public(&self) -> [u8; 32] {
        self.key.compress().to_bytes()
    }

    /// A signature with an `R` of `rB + T`. The plain equation holds too if that can be reached with a few tries.
    pub fn sign(&self, message: &[u8], torsion: EdwardsPoint, has_b: bool) -> [u8; 64] {
        let mut signature = [0; 64];
        for attempt in 0..64 {
            let r = if has_b { scalar(message, &attempt.to_string()) } else { Scalar::ZERO };
            let point = (ED25519_BASEPOINT_POINT * r + torsion).compress();
            let digest: [u8; 64] = Sha512::new()
                .chain_update(point.as_bytes())
                .chain_update(self.public())
                .chain_update(message)
                .finalize()
                .into();
            let k = Scalar::from_bytes_mod_order_wide(&digest);
            let s = r + k * self.a;
            signature[..32].copy_from_slice(point.as_bytes());
            signature[32..].copy_from_slice(s.as_bytes());
            if ED25519_BASEPOINT_POINT * s - self.key * k == ED25519_BASEPOINT_POINT * r + torsion {
                break;
            }
        }
        signature
    }
}

/// `S + nL`: the same equation by another number. None if that is no number of 256 bits.
pub fn unreduced(signature: &[u8], times: u8) -> Option<Vec<u8>> {
    let mut bytes = signature.to_vec();
    for _ in 0..times {
        let mut carry = 0;
        for (byte, more) in bytes[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(more) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        if carry != 0 {
            return None;
        }
    }
    Some(bytes)
}

/// Encodings of points that are not their one encoding: `y` not reduced, or a sign where `x` is 0.
pub fn loose_points() -> Vec<[u8; 32]> {
    let mut found = Vec::new();
    for low in 0xed..=0xff_u8 {
        for top in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, top);
            found.push(bytes);
        }
    }
    let mut negative_zero = [0; 32];
    (negative_zero[0], negative_zero[31]) = (1, 0x80);
    found.push(negative_zero);
    // Those that a lenient reader takes for a point.
    found.retain(|bytes| CompressedEdwardsY(*bytes).decompress().is_some());
    found
}
