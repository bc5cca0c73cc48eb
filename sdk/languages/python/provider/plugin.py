"""Provider: delivers notices as lines of the host's log."""

from orch_sdk import log
from wit_world.imports.shapes import Message, Receipt, Severity
from wit_world.imports.types import Order


def send(order: Order, message: Message) -> Receipt:
    write = {Severity.INFO: log.info, Severity.WARNING: log.warn, Severity.ERROR: log.error}
    write[message.severity](line(order, message))
    # The same key again is the same notice: whoever reads the log sees that.
    return Receipt(id=order.key)


def line(order: Order, message: Message) -> str:
    """What is told of a notice, in one line."""
    consumer = order.consumer or "the host"
    parts = [message.title, " ".join(message.text.split()), message.link or ""]
    said = "; ".join(part for part in parts if part)
    return f"[{message.channel}] {said} ({consumer}, {order.key})"
