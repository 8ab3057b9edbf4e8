import { describe, expect, it } from 'vitest';
import type { StoredEvent } from '../../../server/timeline/model.js';
import type { ConversationState } from '../../../server/timeline/ports.js';
import { begin, project, reopens, startedKey } from '../../../server/timeline/projection.js';
import { liftBody } from '../../../shared/events/up.js';
import { limits } from '../../../shared/limits.js';

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 10, minute));

function event(seq: number, over: Partial<StoredEvent>): StoredEvent {
  return {
    _id: `e${seq}`,
    workspaceId: 'w',
    contactId: 'c',
    conversationId: 'k',
    inboxId: 'i',
    channel: 'chat',
    kind: 'message',
    direction: 'in',
    actor: { type: 'contact', id: 'c' },
    seq,
    previousSeq: seq - 1,
    occurredAt: at(seq),
    recordedAt: at(seq),
    v: 1,
    body: { text: 'Hello', attachments: [], clientId: 'client-1' },
    dedupeKey: `d${seq}`,
    ...over,
  };
}

const started = event(1, {
  kind: 'conversation_started',
  direction: 'internal',
  body: { number: 7, subject: 'A question' },
  dedupeKey: startedKey('the-key'),
});

const stateAfter = (...events: StoredEvent[]): ConversationState => events.reduce(project, begin(started));
const out: Partial<StoredEvent> = { direction: 'out', actor: { type: 'agent', id: 'a' } };
const status = (from: string, to: string): Partial<StoredEvent> => ({
  kind: 'status_changed',
  direction: 'internal',
  body: { from, to },
});
const call = (outcome: string): Partial<StoredEvent> => ({
  kind: 'call',
  channel: 'phone',
  body: {
    callId: '1',
    from: { shown: '1' },
    to: { shown: '2' },
    startedAt: at(2).toISOString(),
    outcome,
    ringSeconds: 1,
    talkSeconds: outcome === 'answered' ? 60 : 0,
    numberVerified: false,
  },
});

describe('a conversation', () => {
  it('begins as its first event says, the key it was begun under included', () => {
    expect(begin(started)).toMatchObject({ number: 7, key: 'the-key', subject: 'A question', head: 1 });
  });

  it('waits for us since the first word that we did not answer', () => {
    expect(stateAfter(event(2, {})).waitingSince).toEqual(at(2));
    expect(stateAfter(event(2, {}), event(3, {})).waitingSince).toEqual(at(2));
    expect(stateAfter(event(2, {}), event(3, out)).waitingSince).toBeNull();
    expect(stateAfter(event(2, {}), event(3, out), event(4, {})).waitingSince).toEqual(at(4));
  });

  it('waits for no note, for nobody’s letter that a machine wrote, and not while it is closed or spam', () => {
    const note: Partial<StoredEvent> = { kind: 'note', direction: 'internal' };
    expect(stateAfter(event(2, {}), event(3, note)).waitingSince).toEqual(at(2));
    const automatic = {
      kind: 'email' as const,
      body: { text: 'Away', attachments: [], automatic: 'auto_reply' },
    };
    expect(stateAfter(event(2, automatic)).waitingSince).toBeNull();
    expect(stateAfter(event(2, {}), event(3, status('open', 'closed'))).waitingSince).toBeNull();
    expect(stateAfter(event(2, status('open', 'spam')), event(3, {})).waitingSince).toBeNull();
  });

  it('waits after a missed call, and not after one that was answered', () => {
    expect(stateAfter(event(2, call('missed')))).toMatchObject({ waitingSince: at(2), outcome: 'missed' });
    expect(stateAfter(event(2, call('missed')), event(3, call('answered')))).toMatchObject({
      waitingSince: null,
      outcome: 'answered',
    });
  });

  it('that an import brought long after it happened is closed, waits for nobody, and is opened by no old word', () => {
    const history = { history: true as const };
    const old = begin({ ...started, ...history });
    expect(old.status).toBe('closed');
    const missed = event(2, { ...call('missed'), ...history });
    expect(reopens(old, missed)).toBe(false);
    expect(project(old, missed)).toMatchObject({
      status: 'closed',
      waitingSince: null,
      outcome: 'missed',
      incoming: 1,
    });
    // What comes today opens it like any other; what is old opens nothing in one that is open.
    expect(reopens(project(old, missed), event(3, {}))).toBe(true);
    expect(stateAfter(event(2, { ...call('missed'), ...history })).waitingSince).toBeNull();
  });

  it('shows as the latest what happened last, not what was learnt last', () => {
    const late = event(3, { occurredAt: at(1), body: { text: 'Older', attachments: [], clientId: 'c' } });
    const state = stateAfter(event(2, {}), late);
    expect(state).toMatchObject({ snippet: 'Hello', lastAt: at(2), incoming: 2, head: 3 });
  });

  it('is not waiting for what we answered before we learnt of it', () => {
    const late = event(4, { occurredAt: at(2) });
    expect(stateAfter(event(2, {}), event(3, out), late).waitingSince).toBeNull();
  });

  it('keeps apart what its customer may see', () => {
    const note: Partial<StoredEvent> = { kind: 'note', direction: 'internal' };
    expect(stateAfter(event(2, {}), event(3, note))).toMatchObject({ head: 3, visitorHead: 2 });
  });

  it('is opened again by the customer’s word while it is closed, never while it is spam or by an old letter', () => {
    const closed = stateAfter(event(2, {}), event(3, status('open', 'closed')));
    expect(reopens(closed, event(4, {}))).toBe(true);
    expect(reopens(closed, event(4, { occurredAt: at(1) }))).toBe(false);
    expect(reopens(closed, event(4, out))).toBe(false);
    expect(reopens(stateAfter(event(2, status('open', 'spam'))), event(4, {}))).toBe(false);
    expect(project(closed, event(4, {})).waitingSince).toEqual(at(4));
  });

  it('has a snippet of one line, cut between characters', () => {
    const text = `one\n\ntwo  ${'😀'.repeat(300)}`;
    const { snippet } = stateAfter(event(2, { body: { text, attachments: [], clientId: 'c' } }));
    expect(snippet.startsWith('one two 😀')).toBe(true);
    expect([...snippet]).toHaveLength(limits.snippetCodePoints);
    expect(snippet.isWellFormed()).toBe(true);
  });

  it('keeps the place of what went with its import, and nothing else of it', () => {
    const state = stateAfter(event(2, {}), event(3, { erased: 'undone' }));
    expect(state).toMatchObject({ head: 3, visitorHead: 3, incoming: 1 });
  });

  it('leaves the state that it was given as it was', () => {
    const before = Object.freeze(begin(started));
    expect(() => project(before, event(2, {}))).not.toThrow();
  });
});

describe('a body of an older version', () => {
  const table = { note: { 1: (body: unknown) => ({ ...(body as object), two: true }), 2: () => 'three' } };

  it('is lifted step by step to today’s', () => {
    expect(liftBody('note', 1, { one: true }, table, 2)).toEqual({ one: true, two: true });
    expect(liftBody('note', 1, { one: true }, table, 3)).toBe('three');
    expect(liftBody('note', 3, 'as it is', table, 3)).toBe('as it is');
  });

  it('is refused when a step is missing, and when it is of a newer release', () => {
    expect(() => liftBody('note', 1, {}, {}, 2)).toThrow(/No step lifts note from v1/);
    expect(() => liftBody('note', 3, {}, table, 2)).toThrow(/newer/);
  });
});
