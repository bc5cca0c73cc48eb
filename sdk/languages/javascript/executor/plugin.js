// Executor: says what a task is about.

/**
 * @param {import('orch:types/types@0.1.0').Task} task
 * @param {import('orch:executor/executor@0.1.0').Attempt} attempt
 * @returns {import('orch:executor/executor@0.1.0').Completion}
 */
export function execute(task, attempt) {
  console.info(`task \`${task.id}\`, attempt ${attempt.number}`);
  return { summary: greet(task.description), mendable: false };
}

/** What the run's journal says of the task. */
function greet(description) {
  return `hello, ${description}`;
}
