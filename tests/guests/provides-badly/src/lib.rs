//! Provides notices. Ends as the title's first word says: `traps`, `loops`, `floods` with a receipt far over its limit, `fails`
//! for good, `later` retriably, `denied` after asking for another label; anything else is delivered: it counts in `kv` and in
//! a metric, and logs the order.

use orch_sdk::{Failure, Message, Metric, NotifyProvider, Order, Receipt, kv, log, metrics};

pub struct ProvidesBadly;

impl NotifyProvider for ProvidesBadly {
    fn send(order: Order, message: Message) -> Result<Receipt, Failure> {
        let bucket = kv::Bucket::open("notes")?;
        let count = bucket.value("count")?.map_or(0, |count| count.first().copied().unwrap_or(0)) + 1;
        bucket.set("count", &[count])?;
        bucket.set(&order.key, message.title.as_bytes())?;
        metrics::record(&Metric::new("notices", f64::from(count), "1"))?;
        log::info(format_args!(
            "{} of `{}` in {}: {}",
            order.key, order.consumer, order.workspace, message.title
        ));
        match message.title.split(' ').next().unwrap_or_default() {
            "traps" => panic!("as the title says"),
            "loops" => loop {
                std::hint::black_box(count);
            },
            "floods" => Ok(Receipt::new("x".repeat(1 << 20))),
            "long" => Ok(Receipt::new("x".repeat(257))),
            "fails" => Err(Failure::new("a secret of the provider")),
            "later" => Err(Failure::retriable("a secret of the provider")),
            "denied" => {
                let opened = kv::Bucket::open("other").is_ok();
                Ok(Receipt::new(if opened { "opened" } else { "denied" }))
            }
            _ => Ok(Receipt::new(format!("{count}"))),
        }
    }
}

orch_sdk::export!(provider_notify: ProvidesBadly);
