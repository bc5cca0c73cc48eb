// Text as UTF-8: the engine has no `TextDecoder` and no `TextEncoder`.

const ASCII_MAX = 0x7f;
/** How many bytes become text at once. */
const RUN = 4096;

/**
 * The text of these bytes. Throws where they are no UTF-8.
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function decode(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    const isAscii = bytes[at] <= ASCII_MAX;
    let end = at + 1;
    // Runs of other letters are not cut: that could be in the middle of one.
    while (end < bytes.length && bytes[end] <= ASCII_MAX === isAscii && !(isAscii && end - at === RUN)) end += 1;
    const run = bytes.subarray(at, end);
    parts.push(isAscii ? String.fromCharCode(...run) : decodeURIComponent(escaped(run)));
    at = end;
  }
  return parts.join('');
}

/**
 * The bytes of a text. Half a pair of surrogates becomes U+FFFD.
 * @param {string} text
 * @returns {Uint8Array}
 */
export function encode(text) {
  const bytes = [];
  for (const letter of String(text)) {
    const code = letter.codePointAt(0);
    if (code <= ASCII_MAX) {
      bytes.push(code);
    } else {
      const whole = letter.isWellFormed() ? letter : '\ufffd';
      for (const byte of encodeURIComponent(whole).slice(1).split('%')) bytes.push(parseInt(byte, 16));
    }
  }
  return Uint8Array.from(bytes);
}

function escaped(run) {
  return Array.from(run, (byte) => `%${byte.toString(16)}`).join('');
}
