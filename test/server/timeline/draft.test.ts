import { describe, expect, it } from 'vitest';
import { messageText, prepare } from '../../../server/timeline/draft.js';
import { limits } from '../../../shared/limits.js';
import { aMessage } from './drafts.js';

const refusal = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('It was not refused.');
};

describe('the text of a message', () => {
  it('is kept up to the last character and refused one over, naming the limit', () => {
    const most = 'é'.repeat(limits.messageCodePoints);
    expect(messageText(most, 0)).toBe(most);
    expect(refusal(() => messageText(`${most}é`, 0))).toMatchObject({
      code: 'message_too_long',
      details: {
        limit: 'messageCodePoints',
        max: limits.messageCodePoints,
        found: limits.messageCodePoints + 1,
      },
    });
  });

  it('is counted in bytes too, after the characters', () => {
    const flags = '👩‍👩‍👧‍👦'.repeat(1_142); // 7 characters and 25 bytes each: under 8,000 and under 32 KB
    expect(messageText(flags, 0)).toBe(flags);
    const four = '😀'.repeat(limits.messageCodePoints);
    expect(messageText(four, 0)).toBe(four);
    expect(refusal(() => messageText('x'.repeat(limits.messageBytes + 1), 0))).toMatchObject({
      code: 'message_too_long',
      details: { limit: 'messageBytes' },
    });
  });

  it('loses control characters and lone surrogates, and keeps right-to-left marks, tabs and line ends', () => {
    expect(messageText('a\u0000b\u0007c\r\nd\re\tf\ud800g\u202eh\u200f', 0)).toBe(
      'abc\nd\ne\tf\ufffdg\u202eh\u200f',
    );
  });

  it('is empty when nothing but control characters or spaces is left, unless a file comes with it', () => {
    for (const text of ['', ' \n\t ', '\u0001'.repeat(limits.messageCodePoints)]) {
      expect(refusal(() => messageText(text, 0))).toMatchObject({ code: 'message_empty' });
      expect(messageText(text, 1).trim()).toBe('');
    }
  });
});

describe('a draft', () => {
  it.each([
    ['an operator where a string belongs', { contactId: { $gt: '' } }, 'contactId'],
    ['no dedupe key', { dedupeKey: '' }, 'dedupeKey'],
    ['a dedupe key without end', { dedupeKey: 'x'.repeat(limits.dedupeKeyBytes + 1) }, 'dedupeKey'],
    ['a time that is none', { occurredAt: new Date(Number.NaN) }, 'occurredAt'],
    ['a place in two conversations', { conversation: { id: 'a', open: {} } }, 'conversation'],
    ['somebody unknown as its actor', { actor: { type: 'root' } }, 'actor.type'],
  ])('is refused for %s, naming the field', (_what, over, field) => {
    const draft = { ...aMessage(), ...over } as ReturnType<typeof aMessage>;
    expect(refusal(() => prepare('w', draft))).toMatchObject({ code: 'event_invalid', details: { field } });
  });

  it('is refused for a key that its kind does not have', () => {
    const draft = aMessage();
    const body = { ...draft.body, seq: 7 };
    expect(refusal(() => prepare('w', { ...draft, body }))).toMatchObject({ code: 'event_invalid' });
  });

  it('has a subject of one line, cut where a conversation’s may end', () => {
    const subject = ` Re:\r\n${'long '.repeat(200)}`;
    const { conversation } = prepare(
      'w',
      aMessage({ conversation: { open: { key: 'k', inboxId: 'i', subject } } }),
    );
    const kept = conversation && 'open' in conversation ? conversation.open.subject : '';
    expect(kept).toMatch(/^Re: long long/);
    expect([...kept]).toHaveLength(limits.subjectCodePoints);
  });
});
