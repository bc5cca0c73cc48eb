// Requests that a service answers: `handle(request)` gives a response. Permission: `wasi.http_types`.
// A fresh instance for each request. What is thrown is logged and answered with 500, without its text. At most 1 MiB comes in.

import { Fields, IncomingBody, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'w4si:http/types@0.2.11';
import { call } from './call.js';
import { decode, encode } from './text.js';

const BODY_BYTES_MAX = 1024 * 1024;
const READ_BYTES = 65536;
const WRITE_BYTES_MAX = 4096;

/**
 * What a client asks. `query`: what follows the first `?`, as it came; names of headers in small letters.
 * @typedef {{ method: string, path: string, query: string | null, headers: Record<string, string>, bytes: Uint8Array, text: () => string, json: () => any }} Request
 */
/**
 * What the client gets. `status` is 200 if absent; of `body` and `json` one.
 * @typedef {{ status?: number, headers?: Record<string, string>, body?: string | Uint8Array, json?: unknown }} Response
 */

/**
 * One request. The entry that `orch-plugin build` writes uses it.
 * @param {(request: Request) => Response} handle
 */
export function serve(handle, incoming, answer) {
  let made;
  try {
    made = call(() => madeOf(handle(read(incoming))));
  } catch (error) {
    // What nobody threw on purpose has been logged with its place.
    if (!error?.wasLogged) console.error(error?.message ?? String(error));
    made = error?.status ? plain(error.status, 'the request could not be read\n') : plain(500, 'the service failed\n');
  }
  const body = made.outgoing.body();
  ResponseOutparam.set(answer, { tag: 'ok', val: made.outgoing });
  send(body, made.bytes);
}

function plain(status, text) {
  return madeOf({ status, body: text });
}

/** @param {Response} response */
function madeOf(response) {
  if (typeof response !== 'object' || response === null || typeof response.then === 'function') {
    throw new TypeError('`handle` gave no response: an object with `status`, `headers`, and `body` or `json`');
  }
  const { status = 200, headers = {}, body = '', json } = response;
  const content = json === undefined ? body : JSON.stringify(json);
  const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  if (json !== undefined) named['content-type'] ??= 'application/json';
  else if (typeof content === 'string') named['content-type'] ??= 'text/plain; charset=utf-8';
  let outgoing;
  try {
    outgoing = new OutgoingResponse(Fields.fromList(Object.entries(named).map(([name, value]) => [name, encode(value)])));
  } catch {
    throw new TypeError('the response has a header that is not allowed');
  }
  try {
    outgoing.setStatusCode(status);
  } catch {
    throw new TypeError(`the response has the status ${status}, which does not exist`);
  }
  return { outgoing, bytes: typeof content === 'string' ? encode(content) : content };
}

function word(method) {
  return method.tag === 'other' ? method.val : method.tag.toUpperCase();
}

/** @returns {Request} */
function read(incoming) {
  const [path, ...rest] = (incoming.pathWithQuery() || '/').split('?');
  const fields = incoming.headers();
  const headers = Object.fromEntries(fields.entries().map(([name, value]) => [name.toLowerCase(), latin1(value)]));
  fields[Symbol.dispose]();
  const body = incoming.consume();
  const stream = body.stream();
  const parts = [];
  let size = 0;
  let fault;
  while (fault === undefined && size <= BODY_BYTES_MAX) {
    try {
      const part = stream.blockingRead(READ_BYTES);
      parts.push(part);
      size += part.length;
    } catch (error) {
      fault = error?.payload?.tag ?? error?.tag ?? String(error);
    }
  }
  stream[Symbol.dispose]();
  IncomingBody.finish(body)[Symbol.dispose]();
  if (size > BODY_BYTES_MAX) throw Object.assign(new Error('the body is larger than 1 MiB'), { status: 413 });
  if (fault !== 'closed') throw Object.assign(new Error('the body broke off'), { status: 400 });
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  const query = rest.length > 0 ? rest.join('?') : null;
  const text = () => decode(bytes);
  return { method: word(incoming.method()), path, query, headers, bytes, text, json: () => JSON.parse(text()) };
}

function latin1(bytes) {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}

function send(body, bytes) {
  const stream = body.write();
  try {
    for (let at = 0; at < bytes.length; at += WRITE_BYTES_MAX) {
      stream.blockingWriteAndFlush(bytes.subarray(at, at + WRITE_BYTES_MAX));
    }
  } catch {
    // The client went away, or the host's limit was reached: the body ends here, unfinished.
    console.warn('the response could not be sent to its end');
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
    return;
  }
  stream[Symbol.dispose]();
  try {
    OutgoingBody.finish(body, undefined);
  } catch {
    console.warn("the response's body is not as long as its `content-length` says");
  }
}
