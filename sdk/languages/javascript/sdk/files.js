// Files of the workspace, whole and one after the other. Permission: `files`. `orch:files/files@0.1.0` has every function.

import { decode } from './text.js';
import { find as page, read as part } from 'orch:files/files@0.1.0';

const READ_BYTES_MAX = 1024 * 1024;
const ENTRIES_MAX = 1000;

/**
 * Files that match the glob and may be read, sorted by path.
 * @param {string} glob
 * @returns {Generator<import("orch:files/files@0.1.0").Entry>}
 */
export function* find(glob) {
  for (let after; ; ) {
    const found = page(glob, after);
    yield* found;
    if (found.length < ENTRIES_MAX) return;
    after = found[found.length - 1].path;
  }
}

/**
 * The whole file; one that is larger is thrown as `limit`.
 * @param {string} path
 * @param {number} [bytesMax]
 * @returns {Uint8Array}
 */
export function read(path, bytesMax = 16 * READ_BYTES_MAX) {
  const parts = [];
  let size = 0;
  for (;;) {
    const next = Uint8Array.from(part(path, size));
    parts.push(next);
    size += next.length;
    if (size > bytesMax) throw { tag: 'limit', val: `${bytesMax} bytes of \`${path}\`` };
    if (next.length < READ_BYTES_MAX) break;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const next of parts) {
    whole.set(next, at);
    at += next.length;
  }
  return whole;
}

/**
 * The whole file as text; `null` for one that is no UTF-8.
 * @param {string} path
 * @param {number} [bytesMax]
 * @returns {string | null}
 */
export function readText(path, bytesMax) {
  const bytes = read(path, bytesMax);
  try {
    return decode(bytes);
  } catch {
    return null;
  }
}
