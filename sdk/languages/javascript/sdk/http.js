// HTTP to others. Permission: `http`, each request by one of its rules. Requests are effects, also those that only read.
// A secret's word (`orch:secrets/secrets@0.1.0`) stands for the secret in a header; the host fills it in on the way.

// The names of `wasi:http` and of what it uses, as the toolchain is shown them.
import { handle } from 'w4si:http/outgoing-handler@0.2.11';
import { Fields, IncomingBody, OutgoingBody, OutgoingRequest, RequestOptions } from 'w4si:http/types@0.2.11';
import { decode, encode } from './text.js';

const URL = /^(https?):\/\/([^/?#]+)([^#]*)/i;
const METHODS = ['get', 'head', 'post', 'put', 'delete', 'options', 'patch'];
const WRITE_BYTES_MAX = 4096;
const READ_BYTES = 65536;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const SENT_TWICE = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'];
const NOT_SENT = ['DNS-timeout', 'DNS-error', 'connection-refused', 'destination-unavailable', 'connection-timeout'];

/** Why a request has no answer. `fault`: the word of `wasi:http` (`HTTP-request-denied`), or `closed`. */
export class HttpError extends Error {
  constructor(method, url, fault) {
    super(`${method} ${url.split(/[?#]/)[0]}: ${fault}`);
    this.name = 'HttpError';
    this.fault = fault;
    /** The same request may succeed later, and nothing can happen twice by it. */
    this.retriable = NOT_SENT.includes(fault) || (fault === 'closed' && SENT_TWICE.includes(method));
  }
}

/**
 * Sends a request and waits for the whole answer. Redirects are not followed.
 * @param {string} method
 * @param {string} url
 * @param {{ headers?: Record<string, string>, body?: string | Uint8Array, json?: unknown, timeoutMs?: number, bytesMax?: number }} [options]
 * @returns {{ status: number, headers: Record<string, string>, bytes: Uint8Array, text: () => string, json: () => any }}
 */
export function request(method, url, { headers = {}, body = '', json, timeoutMs, bytesMax = ANSWER_BYTES_MAX } = {}) {
  const verb = method.toUpperCase();
  const found = URL.exec(url);
  if (!found) throw new HttpError(verb, url, 'it is no `http://` or `https://` address');
  const content = json === undefined ? body : JSON.stringify(json);
  const bytes = typeof content === 'string' ? encode(content) : content;
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  if (json !== undefined) named.push(['content-type', 'application/json']);
  if (bytes.length > 0 || ['POST', 'PUT', 'PATCH'].includes(verb)) named.push(['content-length', bytes.length]);
  const fail = (error) => {
    const value = error?.payload ?? error;
    throw error instanceof HttpError ? error : new HttpError(verb, url, value?.tag ?? String(value));
  };
  let future;
  try {
    const outgoing = new OutgoingRequest(Fields.fromList(named.map(([name, value]) => [name, encode(value)])));
    const known = METHODS.includes(verb.toLowerCase());
    outgoing.setMethod(known ? { tag: verb.toLowerCase() } : { tag: 'other', val: verb });
    outgoing.setScheme({ tag: found[1].toUpperCase() });
    outgoing.setAuthority(found[2]);
    outgoing.setPathWithQuery(found[3].startsWith('/') ? found[3] : `/${found[3]}`);
    const upload = outgoing.body();
    future = handle(outgoing, timeoutMs === undefined ? undefined : within(timeoutMs));
    send(upload, bytes);
    return receive(answered(future), bytesMax);
  } catch (error) {
    return fail(error);
  } finally {
    future?.[Symbol.dispose]();
  }
}

/** `request('GET', ..)`. */
export const get = (url, options) => request('GET', url, options);

/** `request('POST', ..)`. */
export const post = (url, options) => request('POST', url, options);

function within(timeoutMs) {
  const options = new RequestOptions();
  const nanoseconds = Math.max(1, Math.round(timeoutMs * 1e6));
  options.setConnectTimeout(nanoseconds);
  options.setFirstByteTimeout(nanoseconds);
  options.setBetweenBytesTimeout(nanoseconds);
  return options;
}

/** What is opened is given back in its order: a stream before its body. */
function send(upload, bytes) {
  const stream = upload.write();
  try {
    for (let at = 0; at < bytes.length; at += WRITE_BYTES_MAX) {
      stream.blockingWriteAndFlush(bytes.subarray(at, at + WRITE_BYTES_MAX));
    }
  } catch {
    // Who answers before it has everything has answered.
    stream[Symbol.dispose]();
    upload[Symbol.dispose]();
    return;
  }
  stream[Symbol.dispose]();
  OutgoingBody.finish(upload, undefined);
}

function answered(future) {
  const ready = future.subscribe();
  ready.block();
  ready[Symbol.dispose]();
  const outer = future.get();
  const inner = outer?.val;
  if (outer?.tag !== 'ok' || inner?.tag === 'err') throw inner?.val ?? { tag: 'closed' };
  return inner.val;
}

function receive(response, bytesMax) {
  const status = response.status();
  const fields = response.headers();
  const headers = Object.fromEntries(fields.entries().map(([name, value]) => [name.toLowerCase(), decode(value)]));
  fields[Symbol.dispose]();
  const body = response.consume();
  response[Symbol.dispose]();
  const stream = body.stream();
  const parts = [];
  let size = 0;
  let fault;
  while (fault === undefined && size <= bytesMax) {
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
  if (size > bytesMax) throw { tag: `more than ${bytesMax} bytes` };
  if (fault !== 'closed') throw { tag: 'the answer broke off' };
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { status, headers, bytes, text: () => decode(bytes), json: () => JSON.parse(decode(bytes)) };
}
