// What a plugin in JavaScript is written with, beside the host's interfaces: `import { write } from 'orch:log/log@0.1.0'`.
// What is thrown becomes a failure of the call; `console` writes lines of the log.

export { Failure } from './failure.js';
export { decode, encode } from './text.js';

/** A `u32` of the host's: those of 2^31 and more come as negative numbers. */
export const u32 = (number) => number >>> 0;

/** A `u64` of the host's, the same of 2^63; as every number here exact up to 2^53. */
export const u64 = (number) => (number < 0 ? Number(number) + 2 ** 64 : Number(number));
