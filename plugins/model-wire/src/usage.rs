//! What an answer says that it used.
//!
//! In -> out: a value where a number of tokens should be -> the number, or nothing where there is none that can be.
//! Invariant: no answer is lost for what it says of its usage.

use serde_json::Value;

/// More than any model reads or writes at once; the host refuses more.
const TOKENS_MAX: u64 = 1 << 40;

/// A whole number of 0 to 2^40; some write it as `12.0`.
pub fn tokens(said: Option<&Value>) -> Option<u64> {
    let whole = |number: &f64| number.fract() == 0.0 && (0.0..=TOKENS_MAX as f64).contains(number);
    let number = said?.as_u64().or_else(|| said?.as_f64().filter(whole).map(|number| number as u64));
    number.filter(|number| *number <= TOKENS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_of_tokens_is_whole_and_can_be() {
        for (said, expected) in
            [(json!(0), 0), (json!(12), 12), (json!(12.0), 12), (json!(TOKENS_MAX), TOKENS_MAX)]
        {
            assert_eq!(tokens(Some(&said)), Some(expected), "{said}");
        }
        let odd = [json!(-1), json!(0.5), json!(TOKENS_MAX + 1), json!(u64::MAX), json!(1e300), json!("12")];
        for said in odd.iter().chain([&json!(null), &json!([1]), &json!({ "n": 1 })]) {
            assert_eq!(tokens(Some(said)), None, "{said}");
        }
        assert_eq!(tokens(None), None);
    }
}
