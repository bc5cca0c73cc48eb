//! The line that makes a type a plugin.
//!
//! In -> out: `role: Type` pairs -> the component's exports.
//! Invariant: elsewhere than in the sandbox it only checks that the type implements the role.

/// Exports a type for each role that the plugin has.
///
/// ```
/// # use orch_sdk::{Cycle, Failure, NewTask, Reflector};
/// struct Quiet;
///
/// impl Reflector for Quiet {
///     fn reflect(_cycle: Cycle) -> Result<Vec<NewTask>, Failure> {
///         Ok(Vec::new())
///     }
/// }
///
/// orch_sdk::export!(reflector: Quiet);
/// ```
#[macro_export]
macro_rules! export {
    ($($role:ident: $plugin:ty),+ $(,)?) => {
        $(const _: () = {
            #[allow(dead_code)]
            type Exported = $crate::role::$role::Exported<$plugin>;
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::$role::export!(Exported with_types_in $crate::bindings::$role);
            #[cfg(not(target_arch = "wasm32"))]
            const _: fn() = $crate::role::$role::is_role::<$plugin>;
        };)+
    };
}
