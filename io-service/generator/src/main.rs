//! `proto/io_service.proto` -> `src/generated/aiswa.rs` and the descriptor that reflection answers with.

use std::fs;
use std::path::Path;

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (proto, out) = (here.join("../proto"), here.join("../src/generated"));
    let mut descriptors = protox::compile(["io_service.proto"], [&proto])?;
    fs::create_dir_all(&out)?;
    tonic_prost_build::configure().build_transport(true).out_dir(&out).compile_fds(descriptors.clone())?;
    // Comments have no place in an answer.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    fs::write(out.join("io_service.descriptor"), descriptors.encode_to_vec())?;
    Ok(())
}
