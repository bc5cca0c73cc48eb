// Labelled byte stores of this plugin, kept between calls and runs. Permission: `kv`.
// Writes are seen at once by the same call, and kept only if its result is accepted.

import { Bucket as Own } from 'orch:kv/kv@0.1.0';
import { decode, encode } from './text.js';

const KEYS_MAX = 1000;

/** One granted label: keys of 1 to 256 bytes, values of at most 64 KiB. */
export class Bucket {
  #own;

  /** @param {string} label */
  constructor(label) {
    this.#own = Own.open(label);
  }

  /** @param {string} key @returns {Uint8Array | undefined} */
  get(key) {
    const value = this.#own.get(key);
    return value === undefined || value === null ? undefined : Uint8Array.from(value);
  }

  /** @param {string} key @param {string | Uint8Array} value */
  set(key, value) {
    this.#own.set(key, typeof value === 'string' ? encode(value) : value);
  }

  /** Absent is no error. @param {string} key */
  delete(key) {
    this.#own.delete(key);
  }

  /** All keys with that prefix, sorted. @param {string} [prefix] @returns {Generator<string>} */
  *keys(prefix = '') {
    for (let after; ; ) {
      const page = this.#own.keys(prefix, after);
      yield* page;
      if (page.length < KEYS_MAX) return;
      after = page[page.length - 1];
    }
  }

  /** @param {string} key @param {any} [otherwise] */
  getJson(key, otherwise) {
    const value = this.get(key);
    return value === undefined ? otherwise : JSON.parse(decode(value));
  }

  /** @param {string} key @param {unknown} value */
  setJson(key, value) {
    this.set(key, JSON.stringify(value));
  }
}
