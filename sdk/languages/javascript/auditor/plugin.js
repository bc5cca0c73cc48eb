// Auditor: counts lines, and asks for a note on every task that failed.

import { find, readText } from './orch/sdk/files.js';

// As many as `tasks.add` in `plugin.json` allows.
const TASKS_MAX = 20;

/**
 * Of these files, or of all that may be read.
 * @param {string[]} paths
 * @returns {import('orch:types/types@0.1.0').Metric[]}
 */
export function analyze(paths) {
  const asked = paths.length > 0 ? paths : [...find('**')].map((entry) => entry.path);
  // What is no text has no lines to count.
  const count = (path) => (readText(path) ?? '').split('\n').length - 1;
  const lines = asked.map(count).reduce((sum, one) => sum + one, 0);
  return [{ name: 'workspace.lines', value: lines, unit: '1', attributes: [] }];
}

/**
 * @param {import('orch:auditor/auditor@0.1.0').FinishedTask[]} finished
 * @returns {import('orch:types/types@0.1.0').NewTask[]}
 */
export function audit(finished) {
  const failed = finished.filter(({ id, outcome }) => outcome === 'failed' && !id.startsWith('look-at-'));
  return failed.slice(0, TASKS_MAX).map(({ id }) => note(id));
}

/** A task for one that failed. Its id comes from the other's: asking twice adds it once. */
function note(id) {
  return {
    id: `look-at-${id.slice(0, 100)}`,
    description: `look at ${id}: it failed`,
    kind: 'note',
    priority: 0,
    cost: 1,
    dependencies: [],
    settings: '{}',
  };
}
