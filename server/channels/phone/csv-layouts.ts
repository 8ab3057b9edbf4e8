import { addSeconds, type Broken, type Leg, type Outcome, type ReadLeg, seconds } from './leg.js';
import { chooser, type Zone } from './zone.js';

type Column =
  | 'accountcode'
  | 'src'
  | 'dst'
  | 'dcontext'
  | 'clid'
  | 'channel'
  | 'dstchannel'
  | 'lastapp'
  | 'lastdata'
  | 'start'
  | 'answer'
  | 'end'
  | 'duration'
  | 'billsec'
  | 'disposition'
  | 'amaflags'
  | 'uniqueid'
  | 'userfield'
  | 'sequence'
  | 'linkedid'
  | 'recordingfile'
  | 'did'
  | 'cnam'
  | 'callername'
  | 'blegid'
  | 'readcodec'
  | 'writecodec'
  | 'other';

/** How the columns of a call log without a header stand. */
interface Layout {
  name: string;
  columns: readonly Column[];
  /** Columns at the end that some settings of the exchange leave out. */
  optional: number;
}

const asteriskColumns = [
  ...(['accountcode', 'src', 'dst', 'dcontext', 'clid', 'channel', 'dstchannel', 'lastapp'] as const),
  ...(['lastdata', 'start', 'answer', 'end', 'duration', 'billsec', 'disposition', 'amaflags'] as const),
] as const;
const asterisk: Layout = {
  name: 'Asterisk cdr_csv',
  columns: [...asteriskColumns, 'uniqueid', 'userfield'],
  optional: 2,
};
/** With `newcdrcolumns = yes` three more stand at the end: the peer's account, the linked id, a sequence number. */
const asteriskNew = [['uniqueid', 'userfield'] as const, ['uniqueid'] as const, [] as const].map(
  (ids): Layout => ({
    name: 'Asterisk cdr_csv',
    columns: [...asteriskColumns, ...ids, 'other', 'linkedid', 'sequence'],
    optional: 0,
  }),
);
const asteriskCustom: Layout = {
  name: 'Asterisk cdr_custom',
  columns: [
    ...(['clid', 'src', 'dst', 'dcontext', 'channel', 'dstchannel', 'lastapp', 'lastdata'] as const),
    ...(['start', 'answer', 'end', 'duration', 'billsec', 'disposition', 'amaflags'] as const),
    ...(['accountcode', 'uniqueid', 'userfield', 'sequence'] as const),
  ],
  optional: 1,
};
const freeswitch: Layout = {
  name: 'FreeSWITCH cdr_csv',
  columns: [
    ...(['callername', 'src', 'dst', 'dcontext', 'start', 'answer', 'end', 'duration', 'billsec'] as const),
    ...(['disposition', 'uniqueid', 'blegid', 'accountcode', 'readcodec', 'writecodec'] as const),
  ],
  optional: 3,
};
const layouts = [asterisk, ...asteriskNew, asteriskCustom, freeswitch];

/** Names that a header may have for a column. */
const headerNames = new Map<string, Column>([
  ...(
    ['accountcode', 'src', 'dst', 'dcontext', 'clid', 'channel', 'dstchannel', 'lastapp', 'lastdata'] as const
  ).map((name) => [name, name] as const),
  ...(['start', 'answer', 'end', 'duration', 'billsec', 'disposition', 'amaflags', 'uniqueid'] as const).map(
    (name) => [name, name] as const,
  ),
  ...(['userfield', 'sequence', 'linkedid', 'recordingfile', 'did', 'cnam'] as const).map(
    (name) => [name, name] as const,
  ),
  ['calldate', 'start'],
  ['answerdate', 'answer'],
  ['hangupdate', 'end'],
  ['caller_id_name', 'callername'],
  ['caller_id_number', 'src'],
  ['destination_number', 'dst'],
  ['context', 'dcontext'],
  ['start_stamp', 'start'],
  ['answer_stamp', 'answer'],
  ['end_stamp', 'end'],
  ['hangup_cause', 'disposition'],
  ['uuid', 'uniqueid'],
  ['bleg_uuid', 'blegid'],
]);

export interface CsvLayout {
  name: string;
  columns: readonly Column[];
  optional: number;
  hasHeader: boolean;
}

const isTime = (text: string | undefined): boolean =>
  /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}/.test(text ?? '');

/** How these cells would be read: by a header, or by where the times stand. Null when it is no call log. */
export function layoutOf(cells: readonly string[]): CsvLayout | null {
  const named = cells.map(
    (cell) =>
      headerNames.get(
        cell
          .trim()
          .toLowerCase()
          .replace(/^\ufeff/, ''),
      ) ?? 'other',
  );
  if (['src', 'dst', 'start'].every((column) => named.includes(column as Column))) {
    return { name: 'CSV with a header', columns: named, optional: 0, hasHeader: true };
  }
  const found = layouts.find(({ columns, optional }) => {
    const start = columns.indexOf('start');
    const answer = cells[start + 1];
    return (
      cells.length <= columns.length &&
      cells.length >= columns.length - optional &&
      isTime(cells[start]) &&
      isTime(cells[start + 2]) &&
      (answer === '' || isTime(answer))
    );
  });
  return found ? { ...found, hasHeader: false } : null;
}

/** Reads a log's records, one after another, in the order of the file: the doubled hour of autumn needs that order. */
export function csvLegs(layout: CsvLayout, zone: Zone): (cells: readonly string[], line: number) => ReadLeg {
  const choose = chooser();
  const most = layout.columns.length;
  const least = most - layout.optional;
  return (cells, line) => {
    const place = `line ${line}`;
    const broken = (problem: string): { broken: Broken } => ({ broken: { place, problem } });
    if (cells.length < least || cells.length > most) {
      const wanted = least === most ? `${most}` : `${least} to ${most}`;
      return broken(`${cells.length} columns where ${layout.name} has ${wanted}`);
    }
    const cell = (column: Column): string => cells[layout.columns.indexOf(column)]?.trim() ?? '';
    const instants = zone.instants(cell('start'));
    if (!instants) return broken('the start is not a time');
    const duration = seconds(cell('duration') || secondsBetween(cell('start'), cell('end')));
    const billed = seconds(cell('billsec') || secondsBetween(cell('answer'), cell('end')));
    if (duration === null || billed === null) return broken('the duration is not a number of seconds');
    const start = choose(instants, duration, epochIn(cell('uniqueid')));
    if (!start) return broken('the start is not a time');
    return { leg: toLeg(cell, { place, start, duration, billed }) };
  };
}

/** What a log without a column of lengths says by its times: nothing that was not answered lasted. */
function secondsBetween(from: string, to: string): string {
  if (!isTime(from) || !isTime(to)) return '0';
  const time = (text: string) => Date.parse(`${text.slice(0, 10)}T${text.slice(11, 19)}Z`);
  return String((time(to) - time(from)) / 1_000);
}

/** Asterisk's ids begin with the second in which the call began: they know which of two doubled hours it was. */
function epochIn(uniqueId: string): Date | null {
  const match = /(?:^|-)(1\d{9})\.\d+$/.exec(uniqueId);
  return match ? new Date(Number(match[1]) * 1_000) : null;
}

function toLeg(
  cell: (column: Column) => string,
  known: { place: string; start: Date; duration: number; billed: number },
): Leg {
  const { place, start, duration } = known;
  const outcome = outcomeOf(cell('disposition'), cell('lastapp'), known.billed);
  const hasTalked = outcome === 'answered' || outcome === 'voicemail';
  const talkSeconds = hasTalked ? Math.min(known.billed, duration) : 0;
  const clid = parseClid(cell('clid'));
  const callerExtension = extensionOf(cell('channel'));
  const calledExtension = extensionOf(cell('dstchannel')) ?? extensionOf(cell('lastdata'));
  // The caller's number may be the company's own, shown to the outside: the telephone behind the channel tells.
  const isOut = callerExtension !== null && calledExtension === null;
  return {
    place,
    callId: cell('linkedid') || cell('uniqueid') || null,
    otherIds: [cell('uniqueid'), cell('blegid')].filter((id) => id !== ''),
    fallbackId: `${cell('channel') || `${cell('src')} ${cell('dst')}`} ${start.toISOString()}`,
    from: cell('src') || clid.number,
    to: cell('dst'),
    callerName: cell('callername') || clid.name || cell('cnam') || null,
    direction: isOut ? 'out' : null,
    start,
    answer: hasTalked ? addSeconds(start, duration - talkSeconds) : null,
    end: addSeconds(start, duration),
    talkSeconds,
    outcome,
    agent: isOut ? callerExtension : calledExtension,
    recording: recordingOf(cell('recordingfile')),
  };
}

const dispositions = new Map<string, Outcome>([
  ['ANSWERED', 'answered'],
  ['NO ANSWER', 'missed'],
  ['BUSY', 'busy'],
  ['FAILED', 'failed'],
  ['CONGESTION', 'failed'],
]);

function outcomeOf(disposition: string, application: string, billed: number): Outcome {
  const known = dispositions.get(disposition.toUpperCase());
  const outcome = known ?? outcomeOfCause(disposition, billed > 0);
  return outcome === 'answered' && /^voicemail$/i.test(application) ? 'voicemail' : outcome;
}

const busyCauses = new Set(['USER_BUSY', 'CALL_REJECTED']);
const missedCauses = new Set([
  'NO_ANSWER',
  'NO_USER_RESPONSE',
  'ORIGINATOR_CANCEL',
  'ALLOTTED_TIMEOUT',
  'PROGRESS_TIMEOUT',
  'NORMAL_CLEARING',
  'LOSE_RACE',
  'SUBSCRIBER_ABSENT',
  'USER_NOT_REGISTERED',
]);

/** A FreeSWITCH hangup cause says why it ended; whether anybody talked decides first. */
export function outcomeOfCause(cause: string, wasAnswered: boolean): Outcome {
  if (wasAnswered) return 'answered';
  const name = cause.toUpperCase();
  if (busyCauses.has(name)) return 'busy';
  return missedCauses.has(name) ? 'missed' : 'failed';
}

/** `"Name" <number>`, `<number>`, or a number alone. A name may itself hold quotes. */
export function parseClid(clid: string): { name: string; number: string } {
  const open = clid.lastIndexOf('<');
  if (open === -1 || !clid.endsWith('>')) return { name: '', number: /^[\d+*#]+$/.test(clid) ? clid : '' };
  const before = clid.slice(0, open).trim();
  const name =
    before.length >= 2 && before.startsWith('"') && before.endsWith('"') ? before.slice(1, -1) : before;
  return { name, number: clid.slice(open + 1, -1) };
}

/** The telephone behind a channel: `PJSIP/101-b53302fc` or `user/1001@…` is 101; a trunk is nobody's. */
function extensionOf(channel: string): string | null {
  return /^(?:PJSIP|SIP|IAX2|Local|SCCP|user)\/(\d{2,6})(?:[-@]|$)/i.exec(channel)?.[1] ?? null;
}

/** Only an address can be a link; a bare file name says nothing to a browser. */
function recordingOf(text: string): string | null {
  return /^https?:\/\//i.test(text) && text.length <= 2_048 && URL.canParse(text) ? text : null;
}
