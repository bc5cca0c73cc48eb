// Guard: refuses commands that delete a folder and all below it.

/**
 * @param {import('orch:guard/guard@0.1.0').ProposedChange} change
 * @returns {import('orch:guard/guard@0.1.0').Judgement}
 */
export function judge(change) {
  // What attempts changed and what people take in is judged by others.
  if (change.tag !== 'task') return { tag: 'allow' };
  const command = change.val.command;
  if (command?.tag === 'argv' && deletes(command.val)) return { tag: 'refuse', val: 'it deletes folders' };
  // What a line does cannot be read off its text: a person decides.
  if (command?.tag === 'shell' && command.val.includes('rm ')) {
    return { tag: 'escalate', val: { risk: 'medium', reason: `it may delete something: ${command.val}` } };
  }
  return { tag: 'allow' };
}

/** True of `rm` with an option that goes into folders. */
function deletes([program, ...rest]) {
  const recursive = (word) => (word.startsWith('--') ? word === '--recursive' : /^-.*[rR]/.test(word));
  return program?.split('/').pop() === 'rm' && rest.some(recursive);
}
