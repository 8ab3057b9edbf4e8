import { Binary, Timestamp } from 'bson';
import { encode, type Plain } from '../bson/encode.js';
import type { Doc, Value } from '../bson/types.js';
import type { Snapshot } from '../disk/environment.js';
import { compareTimes, fromTimestamp, type OplogEntry, type Time, toTimestamp } from '../disk/oplog.js';
import { StoreError } from '../errors.js';
import { compilePipeline, isStage, type PipelineContext } from '../stages/pipeline.js';
import * as read from './command.js';
import type { Source } from './cursors.js';
import type { Database } from './database.js';
import { type Token, tokenFrom, tokenOf } from './token.js';

/** A change stream: the oplog read on from a place, as MongoDB shows it. */

export interface Scope {
  /** Null: every database. */
  db: string | null;
  /** Null: every collection of the database. */
  collection: string | null;
}

export interface StreamOptions {
  database: Database;
  scope: Scope;
  /** The fields of `$changeStream`. */
  spec: Doc;
  /** The stages after it. */
  pipeline: Doc[];
  context: PipelineContext;
  /** A document as it is now, for `updateLookup`. */
  lookup(db: string, collection: string, id: Value, snapshot: Snapshot): Doc | null;
}

const known = new Set([
  'fullDocument',
  'fullDocumentBeforeChange',
  'resumeAfter',
  'startAfter',
  'startAtOperationTime',
  'allChangesForCluster',
  'showExpandedEvents',
  'showSystemEvents',
  'showRawUpdateDescription',
]);
/** Shown only to those who ask for them. */
const expanded = new Set(['create', 'createIndexes', 'dropIndexes', 'modify']);
const allowedStages = new Set([
  '$match',
  '$project',
  '$addFields',
  '$set',
  '$unset',
  '$replaceRoot',
  '$replaceWith',
  '$redact',
  '$changeStreamSplitLargeEvent',
]);

const before = ({ seconds, counter }: Time): Time => ({ seconds, counter: counter - 1 });

function choiceOf(spec: Doc, field: string, choices: string[]): string {
  const value = read.optionalText(spec, field) ?? choices[0]!;
  if (!choices.includes(value))
    throw new StoreError(
      2,
      'BadValue',
      `Enumeration value '${value}' for field '$changeStream.${field}' is not valid`,
    );
  return value;
}

export function openStream(options: StreamOptions): Source {
  const { database, scope, spec, context } = options;
  for (const field of spec.keys())
    if (!known.has(field))
      throw new StoreError(
        40415,
        'Location40415',
        `BSON field '$changeStream.${field}' is an unknown field.`,
      );
  for (const stage of options.pipeline) {
    const name = stage.keys().next().value ?? '';
    if (!allowedStages.has(name) && !isStage(name))
      throw new StoreError(40324, 'Location40324', `Unrecognized pipeline stage name: '${name}'`);
    if (!allowedStages.has(name))
      throw new StoreError(20, 'IllegalOperation', `${name} is not permitted in a $changeStream pipeline`);
  }
  const fullDocument = choiceOf(spec, 'fullDocument', [
    'default',
    'updateLookup',
    'whenAvailable',
    'required',
  ]);
  const beforeChange = choiceOf(spec, 'fullDocumentBeforeChange', ['off', 'whenAvailable', 'required']);
  const isExpanded = read.flag(spec, 'showExpandedEvents');
  const run = compilePipeline(options.pipeline, context);
  let position = startOf(database, spec);
  const ready: { event: Buffer; token: Token }[] = [];
  let latest: Token = { time: position, isInvalidation: false };
  let isInvalid = false;
  let snapshot: Snapshot | null = null;

  function fill(): void {
    while (ready.length === 0 && !isInvalid) {
      const entries = database.oplog.after(position, snapshot!);
      if (entries.length === 0) return;
      for (const one of entries) {
        position = one.time;
        latest = { time: one.time, isInvalidation: false };
        take(one);
        if (isInvalid) return;
      }
    }
  }

  function take({ time, entry }: OplogEntry): void {
    const [db, name] = splitNamespace(entry.get('ns') as string);
    const kind = entry.get('op') as string;
    if (expanded.has(kind) && !isExpanded) return;
    if (!concerns(scope, db, name, entry, kind)) return;
    push(eventOf(time, entry, db, name, kind), { time, isInvalidation: false });
    if (!invalidates(scope, db, name, kind)) return;
    isInvalid = true;
    const token: Token = { time, isInvalidation: true };
    latest = token;
    push(
      new Map<string, Value>([
        ['_id', tokenOf(token)],
        ['operationType', 'invalidate'],
        ['clusterTime', toTimestamp(time)],
        ['wallTime', entry.get('wall')!],
      ]),
      token,
    );
  }

  function push(event: Doc, token: Token): void {
    const wanted = encode({ id: event.get('_id')! });
    for (const shown of run([event])) {
      if (!shown) continue;
      const id = shown.get('_id');
      if (id === undefined || !encode({ id }).equals(wanted))
        throw new StoreError(
          280,
          'ChangeStreamFatalError',
          'Encountered an event whose _id field, which contains the resume token, was modified by the pipeline. Modifying the _id field of an event makes it impossible to resume the stream from that point. Only transformations that retain the unmodified _id field are allowed.',
          {},
          ['NonResumableChangeStreamError'],
        );
      ready.push({ event: encode(shown), token });
    }
  }

  function eventOf(time: Time, entry: Doc, db: string, name: string, kind: string): Doc {
    const detail = entry.get('o');
    const fields: [string, Value | undefined][] = [
      ['_id', tokenOf({ time, isInvalidation: false })],
      ['operationType', kind],
      ['clusterTime', toTimestamp(time)],
      ...(isExpanded && entry.has('ui') ? [['collectionUUID', entry.get('ui')] as [string, Value]] : []),
      ['wallTime', entry.get('wall')],
      ...originOf(entry),
    ];
    const key: [string, Value] = ['documentKey', new Map([['_id', entry.get('k') ?? null]])];
    const ns: [string, Value] = [
      'ns',
      new Map<string, Value>([
        ['db', db],
        ['coll', name],
      ]),
    ];
    switch (kind) {
      case 'insert':
        fields.push(['fullDocument', detail], ns, key);
        break;
      case 'replace':
        fields.push(['fullDocument', detail], ns, key, ...beforeImage(entry));
        break;
      case 'update':
        fields.push(
          ns,
          key,
          ['updateDescription', updateOf(entry.get('d') as Doc)],
          ...afterImage(entry, db, name),
          ...beforeImage(entry),
        );
        break;
      case 'delete':
        fields.push(ns, key, ...beforeImage(entry));
        break;
      case 'dropDatabase':
        fields.push(['ns', new Map([['db', db]])]);
        break;
      case 'rename':
        fields.push(ns, ['to', (detail as Doc).get('to')]);
        if (isExpanded) fields.push(['operationDescription', detail]);
        break;
      case 'drop':
        fields.push(ns);
        break;
      default:
        fields.push(ns, ['operationDescription', detail]);
    }
    return new Map(fields.filter((one): one is [string, Value] => one[1] !== undefined));
  }

  function updateOf(description: Doc): Doc {
    if (isExpanded) return description;
    const shown = new Map(description);
    shown.delete('disambiguatedPaths');
    return shown;
  }

  function beforeImage(entry: Doc): [string, Value | undefined][] {
    if (beforeChange === 'off') return [];
    const image = entry.get('pre');
    if (image === undefined && beforeChange === 'required')
      throw noImage('pre-image', 'fullDocumentBeforeChange');
    return [['fullDocumentBeforeChange', image ?? null]];
  }

  function afterImage(entry: Doc, db: string, name: string): [string, Value | undefined][] {
    if (fullDocument === 'default') return [];
    if (fullDocument === 'updateLookup')
      return [['fullDocument', options.lookup(db, name, entry.get('k') ?? null, snapshot!)]];
    const image = entry.get('post');
    if (image === undefined && fullDocument === 'required') throw noImage('post-image', 'fullDocument');
    return [['fullDocument', image ?? null]];
  }

  return {
    isTailable: true,
    enter() {
      snapshot = database.snapshot();
      // Cut while nobody was looking: what is gone cannot be shown, and is not passed over in silence.
      checkHistory(database, position, snapshot);
    },
    leave() {
      snapshot?.done();
      snapshot = null;
    },
    next() {
      fill();
      const next = ready.shift();
      if (!next) return undefined;
      return next.event;
    },
    isOver: () => isInvalid && ready.length === 0,
    wait(ms, gone) {
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          stop();
          gone.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        const stop = database.onCommit(done);
        gone.addEventListener('abort', done, { once: true });
      });
    },
    extra: (): Plain => ({ postBatchResumeToken: tokenOf(ready[0] ? justBefore(ready[0].token) : latest) }),
  };
}

/** A batch that was cut by its size ends before what is still to come. */
const justBefore = ({ time, isInvalidation }: Token): Token => ({
  time: isInvalidation ? time : before(time),
  isInvalidation: false,
});

const noImage = (what: string, option: string) =>
  new StoreError(
    47,
    'NoMatchingDocument',
    `Change stream was configured to require a ${what} for all update, delete and replace events, but the ${what} was not found ('${option}': 'required')`,
    {},
    ['NonResumableChangeStreamError'],
  );

function originOf(entry: Doc): [string, Value | undefined][] {
  const txn = entry.get('txn');
  if (txn === undefined) return [];
  const id = entry.get('lsid') as Binary;
  return [
    ['txnNumber', txn],
    [
      'lsid',
      new Map<string, Value>([
        ['id', id],
        ['uid', new Binary(Buffer.alloc(32), 0)],
      ]),
    ],
  ];
}

function splitNamespace(namespace: string): [string, string] {
  const dot = namespace.indexOf('.');
  return [namespace.slice(0, dot), namespace.slice(dot + 1)];
}

const isSystem = (db: string, name: string) =>
  db === 'admin' || db === 'local' || db === 'config' || name.startsWith('system.');

function concerns(scope: Scope, db: string, name: string, entry: Doc, kind: string): boolean {
  if (scope.db === null) return !isSystem(db, name);
  if (scope.collection === null) return scope.db === db && !name.startsWith('system.');
  if (scope.db !== db) return false;
  if (scope.collection === name) return kind !== 'dropDatabase';
  // Somebody else's collection took this one's name.
  const to = kind === 'rename' ? ((entry.get('o') as Doc).get('to') as Doc) : null;
  return to?.get('db') === db && to.get('coll') === scope.collection;
}

function invalidates(scope: Scope, db: string, name: string, kind: string): boolean {
  if (scope.db === null) return false;
  if (scope.collection === null) return kind === 'dropDatabase' && scope.db === db;
  return (kind === 'drop' && scope.collection === name) || kind === 'rename';
}

function startOf(database: Database, spec: Doc): Time {
  const resume = spec.get('resumeAfter');
  const start = spec.get('startAfter');
  const at = spec.get('startAtOperationTime');
  if ([resume, start, at].filter((one) => one !== undefined).length > 1)
    throw new StoreError(
      40674,
      'Location40674',
      "Only one type of resume option is allowed, but multiple were found: at most one of 'resumeAfter', 'startAfter' and 'startAtOperationTime'",
    );
  // What a commit under way adds is acknowledged later than this: it is shown.
  let position = database.oplog.durable();
  if (resume !== undefined || start !== undefined) {
    const token = tokenFrom((resume ?? start)!);
    if (token.isInvalidation && resume !== undefined)
      throw new StoreError(
        260,
        'InvalidResumeToken',
        "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification.",
      );
    position = token.time;
  } else if (at !== undefined) {
    if (!(at instanceof Timestamp))
      throw new StoreError(
        14,
        'TypeMismatch',
        "BSON field '$changeStream.startAtOperationTime' is the wrong type",
      );
    position = before(fromTimestamp(at));
  }
  const snapshot = database.snapshot();
  try {
    checkHistory(database, position, snapshot);
  } finally {
    snapshot.done();
  }
  return position;
}

/** @throws StoreError `ChangeStreamHistoryLost` (286) when what comes next was cut away */
function checkHistory(database: Database, position: Time, snapshot: Snapshot): void {
  const cut = database.oplog.cutAt(snapshot);
  if (cut && compareTimes(position, cut) < 0)
    throw new StoreError(
      286,
      'ChangeStreamHistoryLost',
      'Resume of change stream was not possible, as the resume point may no longer be in the oplog.',
      {},
      ['NonResumableChangeStreamError'],
    );
}
