// Service: greets whoever asks.

/**
 * @param {import('./orch/sdk/service.js').Request} request
 * @returns {import('./orch/sdk/service.js').Response}
 */
export function handle({ method, path }) {
  if (path !== '/') return { status: 404, body: 'nothing is here\n' };
  if (method !== 'GET') return { status: 405, headers: { allow: 'GET' }, body: 'only GET\n' };
  return { body: 'hello\n' };
}
