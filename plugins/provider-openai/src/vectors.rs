//! Embeddings: texts as they are asked for, and the vectors that come.
//!
//! In -> out: texts -> JSON; a [`Body`] -> [`Answer`].
//! Invariant: each text has its own vector, by the index that the answer gives it, or there is no answer.

use model_wire::{Body, broken, line, tokens};
use orch_sdk::embed::Answer;
use orch_sdk::llm::ChatError;
use serde::Deserialize;
use serde_json::{Value, json};

const MODEL_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
struct Written {
    data: Vec<WrittenVector>,
    #[serde(default)]
    model: String,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct WrittenVector {
    /// Where it is missing, the place in the list.
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// The dimension is not sent: many servers refuse it, and the host holds the answer to it.
pub fn question(model: &str, texts: &[String]) -> Value {
    json!({ "model": model, "input": texts, "encoding_format": "float" })
}

/// # Errors
/// `Unavailable`: it is no answer to that many texts.
pub fn read(body: Body, texts: usize) -> Result<Answer, ChatError> {
    let Body::Whole(value) = body else {
        return Err(broken("vectors came as events"));
    };
    let Written { data, model, usage } = serde_json::from_value(value)
        .map_err(|error| broken(&format!("the answer has no vectors: {error}")))?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
    for (place, WrittenVector { index, embedding }) in data.into_iter().enumerate() {
        match vectors.get_mut(index.unwrap_or(place)) {
            Some(slot @ None) => *slot = Some(embedding),
            _ => return Err(broken("a vector is of no text, or the second one of a text")),
        }
    }
    let vectors: Option<Vec<Vec<f32>>> = vectors.into_iter().collect();
    let vectors = vectors.ok_or_else(|| broken("a text has no vector"))?;
    // Nothing is written: both are the same, and some say only one.
    let said = ["prompt_tokens", "total_tokens"].map(|name| tokens(usage.get(name)));
    let input = said.into_iter().flatten().max().unwrap_or(0);
    let model = line(&model, MODEL_BYTES_MAX);
    Ok(Answer { vectors, input, model, id: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_gets_the_vector_of_its_index() {
        let read = |data: Value| read(Body::Whole(json!({ "data": data, "model": "m" })), 2);
        let one = |index: u32, number: f32| json!({ "index": index, "embedding": [number] });
        let answer = read(json!([one(1, 0.5), one(0, 0.25)])).unwrap();
        assert_eq!((answer.vectors, answer.input), (vec![vec![0.25], vec![0.5]], 0));
        let plain = json!([{ "embedding": [1.0] }, { "embedding": [2.0] }]);
        assert_eq!(read(plain).unwrap().vectors, [[1.0], [2.0]]);
    }

    #[test]
    fn tokens_are_those_of_either_name_and_an_answer_is_no_worse_without() {
        let input = |usage: Value| {
            let whole = json!({ "data": [{ "embedding": [1.0] }], "usage": usage });
            super::read(Body::Whole(whole), 1).unwrap().input
        };
        assert_eq!(input(json!({ "prompt_tokens": 7, "total_tokens": 7 })), 7);
        assert_eq!(input(json!({ "total_tokens": 7 })), 7);
        for none in [json!(null), json!({}), json!([]), json!({ "prompt_tokens": -7 })] {
            assert_eq!(input(none), 0);
        }
    }
}
