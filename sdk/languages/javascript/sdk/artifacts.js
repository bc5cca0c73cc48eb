// What a call made, by name. Permission: `artifacts`. Kept only if the call's result is accepted.

import { addBytes, addFile as addPath } from 'orch:artifacts/artifacts@0.1.0';
import { encode } from './text.js';

/**
 * Hands bytes over, at most 1 MiB.
 * @param {string} name
 * @param {string | Uint8Array} content
 * @param {string} [mediaType]
 */
export function add(name, content, mediaType = 'text/plain') {
  addBytes({ name, mediaType }, typeof content === 'string' ? encode(content) : content);
}

/**
 * Names a regular file of the workspace, as it is now.
 * @param {string} name
 * @param {string} path
 * @param {string} [mediaType]
 */
export function addFile(name, path, mediaType = 'text/plain') {
  addPath({ name, mediaType }, path);
}
