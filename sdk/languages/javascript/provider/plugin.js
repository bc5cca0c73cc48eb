// Provider: delivers notices as lines of the host's log.

/**
 * @param {import('orch:types/types@0.1.0').Order} order
 * @param {import('orch:notify/shapes@0.1.0').Message} message
 * @returns {import('orch:notify/shapes@0.1.0').Receipt}
 */
export function send(order, message) {
  const write = { info: console.info, warning: console.warn, error: console.error };
  write[message.severity](line(order, message));
  // The same key again is the same notice: whoever reads the log sees that.
  return { id: order.key };
}

/** What is told of a notice, in one line. */
function line({ consumer, key }, { channel, title, text, link }) {
  const said = [title, text.split(/\s+/).join(' ').trim(), link].filter(Boolean).join('; ');
  return `[${channel}] ${said} (${consumer || 'the host'}, ${key})`;
}
