/** Chance that can be had again: every proof prints its seed, `PROOF_SEED` gives it back. */
export interface Random {
  /** From 0 up to 1, without it. */
  next(): number;
  /** A whole number from 0 up to `below`, without it. */
  below(below: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** The full forms of the proofs, as `npm run test:long` asks for them. */
export const isLong = process.env.THREADLINE_TEST_LONG === '1';

export const seedOfRun = (): number =>
  process.env.PROOF_SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env.PROOF_SEED);

/** Mulberry32: small, and good enough to choose what to break. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (from) => {
      const picked = from[below(from.length)];
      if (picked === undefined) throw new Error('nothing to pick from');
      return picked;
    },
  };
}
