// Verifier: reports marks that a merge left behind.

import { find, readText } from './orch/sdk/files.js';

// What one call may return.
const FINDINGS_MAX = 1000;

/**
 * @param {import('orch:verifier/verifier@0.1.0').Subject} subject
 * @returns {import('orch:types/types@0.1.0').Finding[]}
 */
export function verify(subject) {
  // What is no text is nothing that people merge by hand.
  const findings = [...find('**')].flatMap(({ path }) => marks(path, readText(path) ?? ''));
  return findings.slice(0, FINDINGS_MAX);
}

/** One finding for each line that a merge left. */
function marks(path, text) {
  const lines = text.split('\n').map((line, index) => ({ line, number: index + 1 }));
  return lines
    .filter(({ line }) => line.startsWith('<<<<<<< '))
    .map(({ number }) => ({
      severity: 'major',
      category: 'lint',
      message: 'a merge was not finished',
      location: `${path}:${number}`,
    }));
}
