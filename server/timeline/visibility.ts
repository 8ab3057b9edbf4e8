import { EventKind, eventKinds } from '../../shared/events/kinds.js';

/** Who reads: agents see every kind, the customer's own browser only the kinds that say so. */
export type Audience = 'agent' | 'visitor';

export const visitorKinds: readonly EventKind[] = EventKind.options.filter(
  (kind) => eventKinds[kind].visitor,
);
export const contentKinds: readonly EventKind[] = EventKind.options.filter(
  (kind) => eventKinds[kind].content,
);

export const isVisibleToVisitor = (kind: EventKind): boolean => eventKinds[kind].visitor;
