import fc from 'fast-check';

/** What a run is made of. Plain data: it is printed, shrunk, kept in `seeds/` and played again. */
export interface Schedule {
  /** Of delays and chances that no operation names. */
  seed: number;
  servers: number;
  visitors: number;
  agents: number;
  /** The last visitor is a second tab of the first. */
  twoTabs: boolean;
  /** The longest delay of a frame, in ms. */
  latencyMs: number;
  /** Chances in percent, of each frame. */
  loss: number;
  double: number;
  /** Frames overtake each other, and one that is lost is lost alone. Otherwise a connection is a stream, which ends. */
  reorders: boolean;
  /** Chances in percent, of each step: the server's store fails; a page's storage fails; the mail server does not take a letter. */
  storeFails: number;
  storageFails: number;
  mailFails: number;
  /** Chance in percent that a sender is told to wait. */
  limits: number;
  operations: Operation[];
}

export const storeSteps = [
  'findEvents',
  'findConversations',
  'findContacts',
  'takeNumbers',
  'writeConversations',
  'insertEvents',
  'insertJobs',
  'changeContacts',
  'bury',
  'putConversation',
  'eventsOn',
  'commit',
  'committed',
] as const;
export const stepFaults = ['crash', 'refuse', 'away', 'conflict', 'duplicate'] as const;
export const modes = ['text', 'empty', 'note', 'email', 'long', 'huge'] as const;
/** What is done beside the people at their pages. */
export const works = [
  'call',
  'letter',
  'change',
  'block',
  'note',
  'decide',
  'stranger',
  'archive',
  'undo',
  'erase',
  'rebuild',
  'merge',
  'part',
  'browse',
  'picture',
  'ask',
  'malformed',
  'chore',
  'look',
] as const;
export type Work = (typeof works)[number];

export type Operation = { waitMs: number } & (
  | { type: 'write'; client: number; mode: (typeof modes)[number]; count: number; fresh: boolean }
  | { type: 'status'; client: number }
  | {
      type: 'cut' | 'half-open' | 'partition' | 'reload' | 'slow' | 'forget-answers' | 'begin-and-go';
      client: number;
      ms: number;
    }
  | { type: 'retry' | 'discard' | 'older' | 'seen'; client: number }
  | { type: 'wipe' | 'hand-over' | 'told-twice' | 'unfollow' | 'astray' | 'read-by-other'; client: number }
  | { type: 'work'; server: number; what: Work; pick: number }
  | { type: 'crash' | 'pause' | 'skew' | 'restart'; server: number; ms: number }
  | { type: 'step'; server: number; step: (typeof storeSteps)[number]; fault: (typeof stepFaults)[number] }
  | { type: 'store-away' | 'mail-away'; ms: number }
);

const waitMs = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 60 }) },
  { weight: 2, arbitrary: fc.integer({ min: 61, max: 4_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 5_000, max: 60_000 }) },
);
const client = fc.nat({ max: 4 });
const server = fc.nat({ max: 1 });
const shortMs = fc.integer({ min: 1, max: 3_000 });
const ms = fc.oneof(shortMs, fc.integer({ min: 3_000, max: 90_000 }));
const among = <const T extends string>(...types: T[]) => fc.constantFrom<T>(...types);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      type: among('write'),
      waitMs,
      client,
      mode: fc.oneof(
        { weight: 6, arbitrary: among('text') },
        { weight: 4, arbitrary: among('text', 'empty', 'note', 'email') },
        { weight: 1, arbitrary: among('long', 'huge') },
      ),
      count: fc.integer({ min: 1, max: 4 }),
      fresh: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: among('status'), waitMs, client }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: among('cut', 'half-open', 'partition', 'reload', 'slow', 'forget-answers', 'begin-and-go'),
      waitMs,
      client,
      ms,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: among('retry', 'discard', 'older', 'seen'), waitMs, client }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: among('crash', 'pause', 'skew', 'restart'), waitMs, server, ms }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: among('step'),
      waitMs,
      server,
      step: fc.constantFrom(...storeSteps),
      fault: fc.constantFrom(...stepFaults),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: among('store-away', 'mail-away'), waitMs, ms: shortMs }) },
  {
    weight: 12,
    arbitrary: fc.record({
      type: among('work'),
      waitMs,
      server,
      what: fc.constantFrom(...works),
      pick: fc.nat({ max: 9_999 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: among('wipe', 'hand-over', 'told-twice', 'unfollow', 'astray', 'read-by-other'),
      waitMs,
      client,
    }),
  },
);

const chance = (max: number) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max }) });

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  seed: fc.nat({ max: 0x7fffffff }),
  servers: fc.integer({ min: 1, max: 2 }),
  visitors: fc.integer({ min: 1, max: 3 }),
  agents: fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 2 }) },
  ),
  twoTabs: fc.boolean(),
  latencyMs: fc.constantFrom(1, 20, 300, 3_000),
  loss: chance(20),
  double: chance(30),
  reorders: fc.boolean(),
  storeFails: chance(10),
  storageFails: chance(20),
  mailFails: chance(60),
  limits: chance(30),
  operations: fc.array(operation, { minLength: 1, maxLength: 40, size: 'max' }),
});
