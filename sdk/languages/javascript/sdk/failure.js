// Why a plugin did not do what the host asked.

/** Ends the call with these words. `retriable`: the same call may succeed later. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {{ retriable?: boolean }} [options]
   */
  constructor(message, { retriable = false } = {}) {
    super(message);
    this.name = 'Failure';
    this.retriable = retriable;
  }
}
