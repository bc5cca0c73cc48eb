//! Every reader of outside bytes without libFuzzer, as one program: the corpus, small changes of it, other shapes.

mod arrays;
mod mutated;
mod replay;
