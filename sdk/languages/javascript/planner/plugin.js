// Planner: highest priority first, in file order on a tie, within what is left of the budget.

import { u32, u64 } from './orch/sdk/index.js';

/** One run: made when it begins, and again after a restart of the host, which keeps it between calls. */
export class Session {
  /**
   * @param {string} settings
   * @param {string[]} kinds
   */
  constructor(settings, kinds) {
    this.ready = new Map();
    this.running = 0;
    // Undefined until the host says one.
    this.budget = undefined;
  }

  /** @param {import('orch:planner/planner@0.1.0').Change[]} changes */
  observe(changes) {
    for (const { tag, val } of changes) {
      if (tag === 'ready') this.ready.set(val.index, { ...val, cost: u32(val.cost) });
      if (tag === 'withdrawn') this.ready.delete(val);
      if (tag === 'finished') this.running -= 1;
      if (tag === 'budget') this.budget = u64(val);
    }
  }

  /**
   * @param {number} slots
   * @returns {import('orch:planner/planner@0.1.0').Decision}
   */
  next(slots) {
    const started = [];
    for (const task of [...this.ready.values()].sort(before)) {
      if (started.length === slots || task.cost > (this.budget ?? Infinity)) continue;
      started.push(task.index);
      this.ready.delete(task.index);
      if (this.budget !== undefined) this.budget -= task.cost;
    }
    this.running += started.length;
    if (started.length > 0) return { tag: 'start', val: started };
    if (this.running > 0) return { tag: 'wait' };
    const why = this.ready.size > 0 ? 'what is ready costs more than is left' : 'nothing is ready';
    return { tag: 'finished', val: why };
  }
}

/** Negative if the first one starts earlier. */
function before(one, other) {
  return other.priority - one.priority || one.index - other.index;
}
