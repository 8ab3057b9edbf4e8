import { AppError } from '../../shared/errors.js';
import type { JobKind } from '../jobs/runner.js';
import { log } from '../log.js';
import { onPublished, type Published } from '../timeline/publish.js';
import { type DoorWatch, watchDoor } from '../timeline/watch.js';
import { correlationOf } from './correlation.js';
import {
  appendSeconds,
  countAppend,
  deliverySeconds,
  jobAttempts,
  jobSeconds,
  transactionSeconds,
} from './metrics.js';
import type { Spans } from './spans.js';

/**
 * Looks on from outside: at the door, at what is told to sockets, at jobs. Each step is a figure; with LOG_LEVEL `debug`
 * a line under its correlation id; with a collector a span in that id's trace.
 */
export interface Observer {
  /** The same kinds of jobs, looked on while they run. */
  jobs<Kind extends JobKind>(kinds: readonly Kind[]): Kind[];
  close(): Promise<void>;
}

const codeOf = (error: unknown): string => (error instanceof AppError ? error.code : 'internal');
const clock = (): number => performance.now();
const epochMs = (at: number): number => performance.timeOrigin + at;

/** Begins to look on. Call it when the sockets listen to what is published: what is told before them is told first. */
export function observe(spans: Spans | null): Observer {
  const ends = [watchDoor(doorWatch(spans)), onPublished((published) => sawTold(published, spans))];
  return {
    jobs: (kinds) => kinds.map((kind) => ({ ...kind, run: watched(kind, spans) })),
    async close() {
      for (const end of ends) end();
      await spans?.close();
    },
  };
}

function doorWatch(spans: Spans | null): DoorWatch {
  return {
    clock,
    appended(event, isFirst, began) {
      const ended = clock();
      appendSeconds.observe((ended - began) / 1_000);
      countAppend(event.channel ?? 'none', isFirst ? 'new' : 'retry');
      if (!spans && !log.isLevelEnabled('debug')) return;
      const { _id: eventId, kind, conversationId, seq, workspaceId } = event;
      const correlationId = correlationOf(event.body) ?? eventId;
      log.debug({ correlationId, eventId, kind, conversationId, seq, workspaceId, isFirst }, 'appended');
      spans?.record({
        name: 'append',
        correlationId,
        from: epochMs(began),
        to: epochMs(ended),
        attributes: { ...named({ eventId, kind, conversationId, seq, workspaceId }), is_first: isFirst },
      });
    },
    refused(draft, error, began) {
      const code = codeOf(error);
      countAppend(draft.channel ?? 'none', code);
      if (!spans && !log.isLevelEnabled('debug')) return;
      const correlationId = correlationOf(draft.body) ?? 'none';
      log.debug({ correlationId, kind: draft.kind, code }, 'refused at the door');
      spans?.record({
        name: 'append',
        correlationId,
        from: epochMs(began),
        to: epochMs(clock()),
        attributes: named({ kind: draft.kind }),
        failed: code,
      });
    },
    committed(began) {
      transactionSeconds.observe((clock() - began) / 1_000);
    },
  };
}

/** The sockets listened first: when this is told, they have it. */
function sawTold({ event, workspaceId, visibleToVisitor }: Published, spans: Spans | null): void {
  const recorded = Date.parse(event.recordedAt);
  const now = Date.now();
  deliverySeconds.observe(Math.max(0, now - recorded) / 1_000);
  if (!spans && !log.isLevelEnabled('debug')) return;
  const { id: eventId, kind, conversationId, seq } = event;
  const correlationId = correlationOf(event.body) ?? eventId;
  log.debug({ correlationId, eventId, kind, conversationId, seq, workspaceId, visibleToVisitor }, 'told');
  spans?.record({
    name: 'deliver',
    correlationId,
    from: recorded,
    to: Math.max(recorded, now),
    attributes: {
      ...named({ eventId, kind, conversationId, seq, workspaceId }),
      to_visitor: visibleToVisitor,
    },
  });
}

function watched(kind: JobKind, spans: Spans | null): JobKind['run'] {
  return async (payload, context) => {
    const began = clock();
    let failed: string | undefined;
    try {
      await kind.run(payload, context);
    } catch (error) {
      failed = codeOf(error);
      throw error;
    } finally {
      const ended = clock();
      jobSeconds.observe({ name: kind.name }, (ended - began) / 1_000);
      jobAttempts.inc({ name: kind.name, outcome: failed ?? 'ok' });
      const { jobId, workspaceId, attempt } = context;
      const correlationId = correlationOf(payload) ?? jobId;
      log.debug({ correlationId, jobId, job: kind.name, attempt, workspaceId, failed }, 'job attempted');
      spans?.record({
        name: `job ${kind.name}`,
        correlationId,
        from: epochMs(began),
        to: epochMs(ended),
        attributes: { ...named({ jobId, workspaceId }), attempt },
        ...(failed !== undefined && { failed }),
      });
    }
  };
}

/** Attributes under our own prefix; what is not there is left out. */
function named(values: Record<string, string | number | undefined>): Record<string, string | number> {
  const attributes: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    attributes[`threadline.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`] = value;
  }
  return attributes;
}
