import type { CallBody } from '../../shared/events/call.js';
import type { TimelineEvent } from '../../shared/events/timeline.js';
import { limits } from '../../shared/limits.js';
import { readTimeline } from '../timeline/read.js';
import { chosenScope, workspaceOption } from './choose.js';
import { type Command, exitCodes } from './command.js';
import { findContact } from './find-contact.js';
import { withStore } from './store.js';

export const timeline: Command = {
  name: 'timeline',
  usage: 'CONTACT|EMAIL|PHONE [--workspace NAME]',
  summary: "Print a contact's one timeline, oldest first: chat, e-mail and calls in one order.",
  details: 'With --json every event is one line.',
  options: workspaceOption,
  args: { min: 1, max: 1 },
  async run(input) {
    return withStore(input, async () => {
      const scope = await chosenScope(input);
      const contact = await findContact(scope, input.args[0] ?? '');
      input.out.print(`${contact.name ?? 'Unknown'} (${contact.contactId})`);
      let cursor: string | undefined;
      do {
        // From the beginning of time forwards, a page at a time: a long history is never held whole.
        const page = await readTimeline(scope, contact.contactId, {
          direction: 'newer',
          limit: limits.pageEntries,
          ...(cursor === undefined ? { at: '1970-01-01T00:00:00.000Z' } : { cursor }),
        });
        for (const event of page.events) input.out.data(event, describeEvent(event));
        cursor = page.newerCursor;
      } while (cursor !== undefined && !input.signal.aborted);
      return exitCodes.ok;
    });
  },
};

const arrows = { in: '<-', out: '->', internal: '--' } as const;

/** One line for one event. */
export function describeEvent(event: TimelineEvent): string {
  const when = event.occurredAt.slice(0, 16).replace('T', ' ');
  const channel = (event.channel ?? '').padEnd(5);
  return `${when}  ${channel}  ${arrows[event.direction]}  ${event.erased ? '(erased)' : said(event)}`;
}

const oneLine = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 100 ? `${[...line].slice(0, 99).join('')}...` : line;
};

function said(event: TimelineEvent): string {
  switch (event.kind) {
    case 'message':
      return oneLine(event.body.text || event.body.attachments.map(({ name }) => name).join(', '));
    case 'note':
      return `note: ${oneLine(event.body.text)}`;
    case 'email':
      return oneLine(`${event.body.subject} | ${event.body.text}`);
    case 'call':
      return call(event.body);
    case 'identity_proved':
    case 'claim_made':
      return `${event.kind}: ${event.body.type} ${event.body.value}`;
    case 'status_changed':
      return `${event.body.from} -> ${event.body.to}`;
    case 'conversation_started':
      return oneLine(`#${event.body.number} ${event.body.subject}`);
    default:
      return event.kind;
  }
}

function call(body: CallBody): string {
  const talked =
    body.talkSeconds > 0 ? `, ${Math.floor(body.talkSeconds / 60)} min ${body.talkSeconds % 60} s` : '';
  const numbers = `${body.from.e164 ?? body.from.shown} -> ${body.to.e164 ?? body.to.shown}`;
  return `${body.outcome} call ${numbers}${talked}${body.numberVerified ? '' : ' (number not verified)'}`;
}
