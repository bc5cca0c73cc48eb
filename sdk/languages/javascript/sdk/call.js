// One call of the plugin, and what becomes of what it throws. The entry that `orch-plugin build` writes uses it.

import { Failure } from './failure.js';

const OWN = ['orch/sdk/', 'target/build/'];
// `    at execute (plugin.js:12:3)` or `    at plugin.js:12:3`.
const PLACE = /([^\s()]+):(\d+):\d+\)?$/;
const LEVELS = { error: 'error', warn: 'warn', info: 'info', log: 'info', debug: 'debug', trace: 'debug' };

/** `console`, as lines of the log; without the permission `log` they are dropped. */
export function redirect(write) {
  const method = (level) => (...values) => {
    for (const line of values.map(shown).join(' ').split('\n')) {
      if (write) write(level, line);
    }
  };
  const entries = Object.entries(LEVELS).map(([name, level]) => [name, method(level)]);
  globalThis.console = Object.fromEntries(entries);
}

/** What the function returns. Whatever it throws becomes a failure that says where. */
export function call(run, ...values) {
  try {
    return run(...values);
  } catch (error) {
    if (error instanceof Failure) throw { message: error.message, retriable: error.retriable };
    const { message, retriable } = said(error);
    const places = placesOf(error);
    for (const place of places.slice().reverse()) console.error(`  ${place}`);
    const whole = places.length > 0 ? `${message} (${places[0]})` : message;
    console.error(whole);
    throw { message: whole, retriable, wasLogged: true, status: error?.status };
  }
}

/** What an error is in words: one of JavaScript, one of the host's `{ tag, val }`, or anything else that was thrown. */
function said(error) {
  const tagged = error?.tag !== undefined ? error : error?.payload;
  if (tagged?.tag !== undefined) {
    const more = tagged.val === undefined || tagged.val === null ? '' : `: ${tagged.val}`;
    return { message: `the host said ${tagged.tag}${more}`, retriable: tagged.tag === 'unavailable' };
  }
  if (error instanceof Error) {
    const retriable = error.retriable === true;
    return { message: error.message ? `${error.name}: ${error.message}` : error.name, retriable };
  }
  return { message: shown(error), retriable: false };
}

/** File and line of each frame of the plugin's own, innermost first. */
function placesOf(error) {
  const lines = String(error?.stack ?? '').split('\n').map((line) => PLACE.exec(line.trim()));
  const places = lines.filter((found) => found && !OWN.some((own) => found[1].includes(own)));
  return places.map(([, file, line]) => `${file.split('/').pop()}:${line}`);
}

function shown(value) {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : undefined;
    return text ?? String(value);
  } catch {
    return String(value);
  }
}
