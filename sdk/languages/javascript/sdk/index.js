// What a plugin in JavaScript is written with, beside the host's interfaces: `import { write } from 'orch:log/log@0.1.0'`.
// What is thrown becomes a failure of the call; `console` writes lines of the log.

export { Failure } from './failure.js';
export { decode, encode } from './text.js';
