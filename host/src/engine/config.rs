//! How the engines are set up.
//!
//! In -> out: an [`EngineKind`] and how many guests live at once -> the engine's `Config`.
//! Invariant: one list of WebAssembly features, [`FEATURES`], for every engine and for certification's validator;
//! every engine has epochs and no concurrency of its own.
//! Not here: ceilings of one call (`limits.rs`), the ticks (`ticker.rs`).

use std::num::NonZeroUsize;

use orch_trust::facts::Facts;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures};

/// WebAssembly that plugins may use; everything else is refused by validation.
/// Left out: threads, garbage collection, exceptions, 64-bit memories, whatever is not deterministic.
pub const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::COMPONENT_MODEL);

/// The largest linear memory that a slot of the pool holds; the ceiling of a manifest's `memoryMiB`.
const MEMORY_BYTES_MAX: usize = 256 << 20;
/// Core modules of one component that fits the pool; Python's and JavaScript's have up to a hundred.
const CORE_INSTANCES_PER_COMPONENT: u32 = 8;
/// Memories of one component that fits the pool.
const MEMORIES_PER_COMPONENT: u32 = 2;
/// Elements of one table in the pool. Each slot of each table holds room for so many.
pub(super) const TABLE_ELEMENTS: u32 = 20_000;
const STACK_BYTES: usize = 2 << 20;
const GUEST_STACK_BYTES: usize = 1 << 20;

/// What an engine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Plugins of a run: a pool of so many slots.
    Run { slots: u32 },
    /// Components that outgrow the pool's shape: on demand.
    Large,
    /// Certification and tests: on demand, with fuel, canonical NaN, fixed clocks and random numbers.
    Certification,
}

impl EngineKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run { .. } => "run",
            Self::Large => "large",
            Self::Certification => "certification",
        }
    }

    /// The engine's `Config`.
    pub fn config(self) -> Config {
        let mut config = Config::new();
        for feature in WasmFeatures::all().iter() {
            config.wasm_features(feature, FEATURES.contains(feature));
        }
        config
            .epoch_interruption(true)
            .concurrency_support(false)
            .max_wasm_stack(GUEST_STACK_BYTES)
            .async_stack_size(STACK_BYTES)
            .memory_init_cow(true)
            .wasm_backtrace_max_frames(NonZeroUsize::new(1))
            .generate_address_map(false);
        match self {
            Self::Run { slots } => {
                config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
            }
            Self::Large => {}
            Self::Certification => {
                config.consume_fuel(true).cranelift_nan_canonicalization(true);
            }
        }
        config
    }
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(slots.saturating_mul(MEMORIES_PER_COMPONENT))
        .total_tables(slots.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_stacks(slots)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        // One module may have all of them: facts do not say which module has what.
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_tables_per_module(CORE_INSTANCES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS as usize)
        .max_memory_size(MEMORY_BYTES_MAX)
        // More than that only holds memory.
        .max_unused_warm_slots(slots)
        // Resets only the pages that were written, where the kernel can tell.
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(128 << 10)
        .async_stack_keep_resident(64 << 10)
        .table_keep_resident(16 << 10);
    pool
}

/// True if a component of these facts has a place in the pool. Each of its modules counts as one instance, but beside an engine.
pub(super) fn fits_pool(facts: &Facts) -> bool {
    facts.engine.is_none()
        && facts.modules <= u64::from(CORE_INSTANCES_PER_COMPONENT)
        && facts.memories.len() <= MEMORIES_PER_COMPONENT as usize
        && facts.tables <= u64::from(CORE_INSTANCES_PER_COMPONENT)
        && facts.table_elements <= u64::from(TABLE_ELEMENTS)
}
