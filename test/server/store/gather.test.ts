import { expect, it } from 'vitest';
import { gather } from '../../../server/store/gather.js';

/** Reads that wait to be let go, one after the other. */
function gate() {
  const reads: { within: string; ones: readonly number[]; go: () => void }[] = [];
  const arrivals: (() => void)[] = [];
  return {
    read: (within: string, ones: readonly number[]) =>
      new Promise<number[]>((resolve) => {
        reads.push({ within, ones, go: () => resolve(ones.map((one) => one * 10)) });
        arrivals.shift()?.();
      }),
    async next() {
      if (reads.length === 0) await new Promise<void>((resolve) => arrivals.push(resolve));
      return reads.shift()!;
    },
  };
}

it('reads together what is asked for while a read is under way, and answers each its own', async () => {
  const { read, next } = gate();
  const ask = gather(read);
  const first = ask('a', 1);
  const begun = await next();
  expect(begun.ones).toEqual([1]);
  // A read that has begun may not have seen what was written since: who asks now is not answered by it.
  const later = [2, 3, 1].map((one) => ask('a', one));
  begun.go();
  expect(await first).toBe(10);
  const together = await next();
  expect(together.ones).toEqual([2, 3, 1]);
  together.go();
  expect(await Promise.all(later)).toEqual([20, 30, 10]);
});

it('never reads for two workspaces at once, nor lets one wait for the other', async () => {
  const { read, next } = gate();
  const ask = gather(read);
  const [ours, theirs] = [ask('ours', 1), ask('theirs', 2)];
  const [one, other] = [await next(), await next()];
  expect([one, other]).toMatchObject([
    { within: 'ours', ones: [1] },
    { within: 'theirs', ones: [2] },
  ]);
  other.go();
  expect(await theirs).toBe(20);
  one.go();
  expect(await ours).toBe(10);
});

it('reads a crowd in parts', async () => {
  const sizes: number[] = [];
  const ask = gather(async (_within, ones: readonly number[]) => {
    sizes.push(ones.length);
    return ones;
  });
  const crowd = Array.from({ length: 300 }, (_, n) => n);
  expect(await Promise.all(crowd.map((n) => ask('a', n)))).toEqual(crowd);
  expect(sizes).toEqual([256, 44]);
});

it('fails for those that it read, and for nobody after them', async () => {
  let isAway = true;
  const ask = gather(async (_within, ones: readonly number[]) => {
    if (isAway) throw new Error('away');
    return ones;
  });
  const lost = await Promise.allSettled([ask('a', 1), ask('a', 2)]);
  expect(lost.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isAway = false;
  expect(await ask('a', 3)).toBe(3);
});
