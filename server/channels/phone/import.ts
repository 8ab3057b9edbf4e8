import { AppError } from '../../../shared/errors.js';
import { limits } from '../../../shared/limits.js';
import type { Resolved } from '../../contacts/resolve.js';
import type { InboxRow } from '../../inboxes/model.js';
import { appendAll, type DraftEvent } from '../../timeline/append.js';
import type { Scope } from '../../workspaces/scope.js';
import { describeCall } from './describe.js';
import type { Broken } from './leg.js';
import { type Call, callGatherer, joinLegs } from './legs.js';
import { readCallLog } from './read.js';
import { whoseCall } from './whose.js';
import { zone } from './zone.js';

export interface CallImport {
  inbox: Pick<InboxRow, '_id' | 'timeZone'>;
  /** How a number without a country is read: ISO 3166-1 alpha-2. */
  country: string;
  importId: string;
  /** The operator answers for the numbers: each becomes a proved identity (proof `agent`). */
  vouch: boolean;
  /** Told of each record that was passed over. */
  onBroken?: (broken: Broken) => void;
  /** Told after each batch. */
  onProgress?: (counts: ImportCounts) => void;
  signal?: AbortSignal;
}

export interface ImportCounts {
  imported: number;
  duplicates: number;
  broken: number;
}

/**
 * Puts a call log's calls onto timelines, one event a call. The same log again adds nothing. What cannot be read is
 * counted and told, and the rest is imported.
 * @throws AppError `store_unavailable`, `store_full`: what was imported until then stays, and the same log may be
 *   imported again
 */
export async function importCalls(
  scope: Scope,
  log: AsyncIterable<Uint8Array>,
  options: CallImport,
): Promise<ImportCounts> {
  const counts: ImportCounts = { imported: 0, duplicates: 0, broken: 0 };
  const reportBroken = (broken: Broken): void => {
    counts.broken += 1;
    options.onBroken?.(broken);
  };
  let batch: Call[] = [];
  const flush = async (): Promise<void> => {
    await importBatch(scope, batch, options, counts, reportBroken);
    batch = [];
    options.onProgress?.(counts);
  };

  const gatherer = callGatherer();
  const take = async (call: Call | null): Promise<void> => {
    if (call) batch.push(call);
    if (batch.length >= limits.appendBatch) await flush();
  };
  for await (const read of readCallLog(log, zone(options.inbox.timeZone ?? 'UTC'))) {
    if (options.signal?.aborted) break;
    if ('broken' in read) reportBroken(read.broken);
    else await take(gatherer.add(read.leg));
  }
  for (const call of gatherer.rest()) await take(call);
  await flush();
  return counts;
}

async function importBatch(
  scope: Scope,
  calls: readonly Call[],
  options: CallImport,
  counts: ImportCounts,
  reportBroken: (broken: Broken) => void,
): Promise<void> {
  const drafts = await draftsOf(scope, calls, options);
  const settled = await appendAll(scope, drafts);
  for (const [index, outcome] of settled.entries()) {
    if (!(outcome instanceof AppError)) {
      if (outcome.isFirst) counts.imported += 1;
      else counts.duplicates += 1;
    } else if (outcome.retry === 'same') {
      // Not the record's fault: the store is away or full, and going on would only skip what could be imported later.
      throw outcome;
    } else {
      reportBroken({ place: calls[index]?.legs[0].place ?? '', problem: outcome.message });
    }
  }
}

/** How many numbers are looked up at once. */
const lookUps = 8;

/** Drafts in the order of the calls. A number that calls often is looked up once a batch. */
async function draftsOf(scope: Scope, calls: readonly Call[], options: CallImport): Promise<DraftEvent[]> {
  const known = new Map<string, Promise<Resolved>>();
  const drafts: DraftEvent[] = [];
  for (let from = 0; from < calls.length; from += lookUps) {
    const some = calls.slice(from, from + lookUps);
    drafts.push(...(await Promise.all(some.map((call) => draftOf(scope, call, options, known)))));
  }
  return drafts;
}

async function draftOf(
  scope: Scope,
  call: Call,
  options: CallImport,
  known: Map<string, Promise<Resolved>>,
): Promise<DraftEvent> {
  const leg = joinLegs(call);
  const { direction, customer, body } = describeCall(leg, options.country);
  const inboxId = options.inbox._id;
  const key = customer === null ? 'internal' : (customer.e164 ?? customer.shown);
  const arrival = {
    inboxId,
    callId: body.callId,
    customer,
    direction,
    vouch: options.vouch,
    importId: options.importId,
    at: leg.start,
  };
  const looked = (!customer?.anonymous && known.get(key)) || whoseCall(scope, arrival);
  if (!customer?.anonymous) known.set(key, looked);
  const { contactId, verified } = await looked;
  return {
    kind: 'call',
    // A shown number can be forged; one that we dialled ourselves cannot.
    body: { ...body, numberVerified: verified || direction === 'out' },
    channel: 'phone',
    direction,
    actor: direction === 'in' ? { type: 'contact', id: contactId } : { type: 'system' },
    dedupeKey: `phone:${inboxId}:${body.callId}`,
    occurredAt: leg.start,
    contactId,
    inboxId,
    // A call between colleagues is in nobody's queue.
    ...(customer && {
      conversation: {
        open: {
          key: `phone:${inboxId}:${contactId}`,
          inboxId,
          subject: customer.e164 ?? (customer.anonymous ? '' : customer.shown),
        },
      },
    }),
    importId: options.importId,
    fromArchive: true,
  };
}
