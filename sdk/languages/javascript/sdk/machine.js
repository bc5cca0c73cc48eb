// The time and random numbers of the language: the host's where they are granted, else refused by name instead of a trap that
// says nothing. The entry that `orch-plugin build` writes uses it, before the plugin's own modules are evaluated.

const TAKEN = 2 ** 53;

/** @param {string} name @param {string} needs */
function refuse(name, needs) {
  throw new Error(`\`${name}\` needs the host's: write \`"wasi": ${needs}\` under \`permissions\` of \`plugin.json\``);
}

/** `Date` without a clock: what is given a time works. */
export function refuseClock() {
  const needs = '{ "clocks": true }';
  const Own = globalThis.Date;
  globalThis.Date = new Proxy(Own, {
    construct(target, values, as) {
      return values.length === 0 ? refuse('new Date()', needs) : Reflect.construct(target, values, as);
    },
    apply: () => refuse('Date()', needs),
    get(target, key, as) {
      return key === 'now' ? () => refuse('Date.now()', needs) : Reflect.get(target, key, as);
    },
  });
  Own.prototype.constructor = globalThis.Date;
}

/** `Math.random` by the host's numbers, and `crypto.getRandomValues`. @param {() => bigint | number} draw */
export function useRandom(draw) {
  const next = () => BigInt.asUintN(64, BigInt(draw()));
  Math.random = () => Number(next() >> 11n) / TAKEN;
  globalThis.crypto = {
    getRandomValues(array) {
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number(next() & 0xffn);
      return array;
    },
  };
}

/** `Math.random` without the host's numbers would give the same ones in each call. */
export function refuseRandom() {
  Math.random = () => refuse('Math.random()', '{ "random": true }');
}
