// Secrets by their names: words that the host replaces in headers, on the way out. Permission: `secrets.use`.

import { basic as basicWord, hmacSha256 as hmacWord, placeholder } from 'orch:secrets/secrets@0.1.0';
import { encode } from './text.js';

/** Stands for the secret, in values of headers and for the host that it is bound to. @param {string} name */
export const word = (name) => placeholder(name);

/** The header `authorization: Bearer ..`: `get(url, { headers: bearer('token') })`. @param {string} name */
export const bearer = (name) => ({ authorization: `Bearer ${word(name)}` });

/** The header `authorization: Basic ..` of RFC 7617. @param {string} user @param {string} name */
export const basic = (user, name) => ({ authorization: `Basic ${basicWord(user, name)}` });

/**
 * Stands for the HMAC of a message by the secret.
 * @param {string} name
 * @param {string | Uint8Array} message
 * @param {'hex' | 'base64'} [encoding]
 */
export function hmacSha256(name, message, encoding = 'hex') {
  return hmacWord(name, typeof message === 'string' ? encode(message) : message, encoding);
}
