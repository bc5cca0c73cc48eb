// Reflector: asks for a note on every file that has a TODO in it.

import { find, readText } from './orch/sdk/files.js';

// As many as `tasks.add` in `plugin.json` allows.
const TASKS_MAX = 20;
const MARK = 'TODO';

/**
 * @param {import('orch:reflector/reflector@0.2.0').Cycle} cycle
 * @returns {import('orch:types/types@0.1.0').NewTask[]}
 */
export function reflect(cycle) {
  const tasks = [];
  for (const { path } of find('**')) {
    // What is no text is nothing that a person writes notes into.
    const count = (readText(path) ?? '').split(MARK).length - 1;
    if (count === 0) continue;
    if (tasks.length === TASKS_MAX) {
      console.warn(`more than ${TASKS_MAX} files have a ${MARK}`);
      break;
    }
    tasks.push(note(path, count));
  }
  return tasks;
}

/** A task for that file. Its id comes from the path: asking twice adds it once. */
function note(path, count) {
  const plain = path.replace(/[^A-Za-z0-9]/g, '-');
  return {
    id: `todo-${plain.slice(-100)}`,
    description: `${count} x ${MARK} in ${path}`,
    kind: 'note',
    priority: 0,
    cost: 1,
    dependencies: [],
    settings: '{}',
  };
}
