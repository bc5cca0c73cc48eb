//! The list of known engines. Written by `cargo xtask engines`; looked at like code.
//!
//! Invariant: an engine that was once released stays, as it is: packages with it are somewhere. A new one raises
//! [`VERSION`].

use super::Engine;

/// Raised with each engine that is added.
pub(super) const VERSION: u32 = 1;

pub(super) const ENGINES: [Engine; 2] = [
    Engine {
        name: "componentize-py 0.25.0",
        since: 1,
        modules: &[
            ("libpython3.14.so", "499ce42cc22174340af68f50f5dbdd3be0753b606b22e7dc2c51495282fb8f45"),
            ("libc.so", "73664200b826ab9de48d6fddf7e5bb36f03a70e655846ac0cf421b99f20182ce"),
            (
                "componentize_py_runtime.wasm",
                "2cb5f91f6f5346da933243932071f68695feb9691a68d1cafe569b9e454d17f4",
            ),
            (
                "libwasi-emulated-signal.so",
                "a729d465a89856ea6b0272fb4aa9727d8724ab516ca6ea4485c81dea4d4da7d5",
            ),
            ("without a name", "6f0765476fd6b87a5887b6af9d512ae886d4f32813866b6eebf0e37f3b48268c"),
            (
                "libwasi-emulated-process-clocks.so",
                "1916640250cd6b088045aebdc0e3f1aff70716941e5ace468dc8c9532f815f22",
            ),
            (
                "libwasi-emulated-getpid.so",
                "5e445a83a4184b898ebe8c21d416f32d321a294eda20207cf0685320d5fc610f",
            ),
        ],
    },
    Engine {
        name: "componentize-qjs 0.4.5",
        since: 1,
        modules: &[("without a name", "126088c2a6c2e5560e376c26c5908a8def54770a8df2498d5022a2fe8e2320b2")],
    },
];
