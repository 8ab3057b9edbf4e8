import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Broken, Leg } from '../../../server/channels/phone/leg.js';
import { callGatherer, joinLegs } from '../../../server/channels/phone/legs.js';
import { readCallLog } from '../../../server/channels/phone/read.js';
import { zone } from '../../../server/channels/phone/zone.js';

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(content: string | Uint8Array, zoneName = 'UTC', pieceBytes = 1_000) {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const legs: Leg[] = [];
  const broken: Broken[] = [];
  for await (const item of readCallLog(inPieces(bytes, pieceBytes), zone(zoneName))) {
    if ('leg' in item) legs.push(item.leg);
    else broken.push(item.broken);
  }
  return { legs, broken };
}

function calls(legs: readonly Leg[]): Leg[] {
  const gatherer = callGatherer();
  const found = legs.map((leg) => gatherer.add(leg)).filter((call) => call !== null);
  return [...found, ...gatherer.rest()].map(joinLegs);
}

const line = (cells: readonly string[]) =>
  `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',')}\n`;
const asteriskLine = (changes: Record<number, string> = {}) => {
  const cells = [
    ...['shop', '+441632960111', '200', 'from-trunk', '"Ada ""A"" King" <+441632960111>'],
    ...['PJSIP/trunk-00000001', 'PJSIP/200-00000002', 'Dial', 'PJSIP/200,30'],
    ...['2026-02-03 09:15:00', '2026-02-03 09:15:08', '2026-02-03 09:17:08', '128', '120'],
    ...['ANSWERED', 'DOCUMENTATION', '1770110100.7', ''],
  ];
  for (const [index, text] of Object.entries(changes)) cells[Number(index)] = text;
  return cells;
};

describe('reading a call log', () => {
  it("reads Asterisk's eighteen columns", async () => {
    const { legs, broken } = await read(line(asteriskLine({ 4: '"Ada "A" King" <+441632960111>' })));
    expect(broken).toEqual([]);
    expect(legs).toEqual([
      expect.objectContaining({
        place: 'line 1',
        callId: '1770110100.7',
        from: '+441632960111',
        to: '200',
        callerName: 'Ada "A" King',
        start: new Date('2026-02-03T09:15:00Z'),
        answer: new Date('2026-02-03T09:15:08Z'),
        end: new Date('2026-02-03T09:17:08Z'),
        talkSeconds: 120,
        outcome: 'answered',
        agent: '200',
      }),
    ]);
  });

  it('reads the log in any pieces', async () => {
    const text = line(asteriskLine()).repeat(3).replaceAll('\n', '\r\n');
    const whole = await read(text);
    for (const size of [1, 7, 4_096]) expect(await read(text, 'UTC', size)).toEqual(whole);
    expect(whole.legs).toHaveLength(3);
  });

  it('reads sixteen columns, and joins their legs by channel and start', async () => {
    const first = asteriskLine().slice(0, 16);
    const second = asteriskLine({ 6: 'PJSIP/201-00000009', 10: '', 13: '0', 14: 'NO ANSWER' }).slice(0, 16);
    const { legs, broken } = await read(line(first) + line(second));
    expect(broken).toEqual([]);
    expect(calls(legs)).toEqual([
      expect.objectContaining({ outcome: 'answered', talkSeconds: 120, agent: '200' }),
    ]);
  });

  it("reads the columns of Asterisk's custom log, and a log with a header in any order", async () => {
    const [account = '', src = '', dst = '', context = '', clid = '', ...rest] = asteriskLine();
    const [channel = '', other = '', app = '', data = '', start = '', answer = '', end = '', ...numbers] =
      rest;
    const [duration = '', billsec = '', disposition = '', ama = '', id = '', user = ''] = numbers;
    const custom = [clid, src, dst, context, channel, other, app, data, start, answer, end];
    custom.push(duration, billsec, disposition, ama, account, id, user, '12');
    const named = `uniqueid,src,dst,calldate,duration,billsec,disposition\n${[id, src, dst, start, duration, billsec, disposition].join(',')}\n`;
    for (const text of [line(custom), named]) {
      const { legs, broken } = await read(text);
      expect(broken).toEqual([]);
      expect(legs).toEqual([
        expect.objectContaining({
          callId: '1770110100.7',
          from: src,
          to: dst,
          talkSeconds: 120,
          outcome: 'answered',
        }),
      ]);
    }
  });

  it('reads the newer columns, with and without ids before them', async () => {
    const base = asteriskLine().slice(0, 16);
    const rows = [
      [...base, '1770110100.7', 'note', 'peer', '1770110100.1', '12'],
      [...base, '1770110100.7', 'peer', '1770110100.1', '12'],
      [...base, 'peer', '1770110100.1', '12'],
    ];
    for (const row of rows) {
      const { legs, broken } = await read(line(row));
      expect(broken).toEqual([]);
      expect(legs).toEqual([expect.objectContaining({ callId: '1770110100.1', talkSeconds: 120 })]);
    }
  });

  it('reads a spreadsheet’s separators, and lengths from times where no column holds them', async () => {
    const table = [
      ['calldate', 'answer', 'end', 'clid', 'src', 'dst', 'disposition'],
      ['2026-02-03 09:15:00', '2026-02-03 09:15:08', '2026-02-03 09:17:08', '"A; B"', '+441632960111', '200'],
      ['2026-02-03 10:15:00', '', '2026-02-03 10:15:20', 'C', '+441632960111', '200'],
    ];
    table[1]?.push('ANSWERED');
    table[2]?.push('NO ANSWER');
    for (const separator of [',', ';', '\t']) {
      const text = table.map((row) => row.join(separator)).join('\n');

      const { legs, broken } = await read(text);
      expect(broken, separator).toEqual([]);
      expect(
        legs.map(({ talkSeconds, start, end, outcome }) => [
          talkSeconds,
          (end.getTime() - start.getTime()) / 1_000,
          outcome,
        ]),
      ).toEqual([
        [120, 128, 'answered'],
        [0, 20, 'missed'],
      ]);
    }
  });

  it('names the line with a wrong number of columns and reads the others', async () => {
    const good = line(asteriskLine());
    const { legs, broken } = await read(`${good}${good}"a","b","c"\n${good}`);
    expect(legs.map(({ place }) => place)).toEqual(['line 1', 'line 2', 'line 4']);
    expect(broken).toEqual([{ place: 'line 3', problem: '3 columns where Asterisk cdr_csv has 18' }]);
  });

  it('names a line that was cut inside quotes, wherever it stands, and reads the others', async () => {
    const good = line(asteriskLine());
    const cut = good.slice(0, 60).replace(/"$/, '');
    expect(await read(`${good}${cut}`)).toMatchObject({
      legs: [{ place: 'line 1' }],
      broken: [{ place: 'line 2' }],
    });
    const { legs, broken } = await read(`${cut}\n${good.repeat(40)}`);
    expect(legs).toHaveLength(40);
    expect(broken).toHaveLength(1);
    expect(broken[0]?.place).toBe('line 1');
  });

  it('says that it does not know what is no call log', async () => {
    const { legs, broken } = await read('Dear sir or madam,\nplease find attached\n');
    expect(legs).toEqual([]);
    expect(broken).toHaveLength(1);
    expect(broken[0]?.problem).toContain('not a call log');
  });

  it('names a JSON document that was cut, and reads those before it', async () => {
    const document = JSON.stringify({
      variables: {
        uuid: 'u1',
        start_epoch: '1770110100',
        end_epoch: '1770110110',
        hangup_cause: 'USER_BUSY',
      },
      callflow: [{ caller_profile: { caller_id_number: '+441632960111', destination_number: '200' } }],
    });
    const { legs, broken } = await read(`${document}\n${document.slice(0, 80)}`);
    expect(legs).toEqual([expect.objectContaining({ callId: 'u1', outcome: 'busy', answer: null })]);
    expect(broken).toEqual([{ place: 'document 2', problem: 'the document is cut off' }]);
  });

  it('decodes variables that are percent-encoded and leaves alone those that are not', async () => {
    const document = (callerId: string) =>
      JSON.stringify({
        variables: { uuid: 'u', start_epoch: '1770110100', caller_id: callerId, sip_to_user: '200' },
      });
    const encoded = await read(document('%22Zo%C3%AB%20100%25%22%20%3C%2B441632960111%3E'));
    expect(encoded.legs[0]).toMatchObject({ callerName: 'Zoë 100%', from: '+441632960111' });
    const plain = await read(document('"50%25 off" <+441632960111>'));
    expect(plain.legs[0]).toMatchObject({ callerName: '50%25 off' });
  });

  it('takes the order of the log to tell the two meanings of the hour that comes twice', async () => {
    const at = (time: string, seconds: string) =>
      line([
        ...['Ada', '+441632960111', '200', 'public', `2026-10-25 ${time}`, '', `2026-10-25 ${time}`],
        ...[seconds, '0', 'NO_ANSWER', `id-${time}`, '', '', 'PCMU', 'PCMU'],
      ]);
    const { legs } = await read(
      at('02:05:00', '5') + at('02:50:00', '5') + at('02:10:00', '5'),
      'Europe/Berlin',
    );
    expect(legs.map(({ start }) => start.toISOString())).toEqual([
      '2026-10-25T00:05:00.000Z',
      '2026-10-25T00:50:00.000Z',
      '2026-10-25T01:10:00.000Z',
    ]);
  });

  it('takes the second in an Asterisk id to tell them apart where there is one', async () => {
    const cells = asteriskLine({ 9: '2026-10-25 02:10:00', 11: '2026-10-25 02:12:08', 16: '1792890600.4' });
    const { legs } = await read(line(cells), 'Europe/Berlin');
    expect(legs[0]?.start).toEqual(new Date(1_792_890_600_000));
  });

  it('reads fifty thousand characters of quotes, commas and brackets in no time', async () => {
    const traps = [
      '"'.repeat(50_000),
      ','.repeat(50_000),
      '{'.repeat(50_000),
      '"",'.repeat(16_000),
      '<cdr '.repeat(10_000),
    ];
    for (const trap of traps) {
      const began = performance.now();
      await read(`${trap}\n${trap}`);
      expect(performance.now() - began).toBeLessThan(2_000);
    }
  });
});

const data = process.env.TEST_DATA_DIR ?? join(import.meta.dirname, '../../../../shared/data');
const cdr = join(data, 'cdr');
interface Expected {
  line: number;
  sameCallAsLine?: number;
  callId: string;
  from: string;
  to: string;
  callerName: string | null;
  localStart: string;
  localAnswer: string | null;
  localEnd: string;
  ringSeconds: number | null;
  durationSeconds: number;
  talkSeconds: number;
  disposition: string;
}
interface ExpectedFreeswitch {
  uuid: string;
  from: string;
  to: string;
  callerName: string;
  startedAt: string;
  answeredAt: string | null;
  endedAt: string;
  talkSeconds: number;
  csvTimeZone: string;
}
const json = <T>(path: string): T => JSON.parse(readFileSync(join(cdr, path), 'utf8')) as T;
const utc = (local: string | null) => (local === null ? null : new Date(`${local.replace(' ', 'T')}Z`));

// The logs in TEST_DATA_DIR are read where they lie; without them this part says that it did not run.
describe.skipIf(!existsSync(cdr))('the call logs of the test data', () => {
  it.each([
    ['asterisk/Master.csv', 64],
    ['asterisk/Master-no-uniqueid.csv', 10],
    ['asterisk/Master-crlf-truncated.csv', 6],
    ['asterisk/cdr-table-export.csv', 20],
  ])('%s gives the calls that its expectations list', async (file, lines) => {
    const { legs, broken } = await read(readFileSync(join(cdr, file)));
    expect(broken.map(({ place }) => place)).toEqual(file.includes('truncated') ? ['line 7'] : []);
    expect(legs).toHaveLength(lines);
    const offset = file.includes('table') ? 1 : 0;
    const listed = json<Expected[]>('asterisk/Master.expected.json');
    const byStart = new Map<string, Expected>();
    for (const record of listed) {
      if (record.sameCallAsLine === undefined) byStart.set(`${record.localStart} ${record.from}`, record);
    }
    const found = calls(legs);
    for (const call of found) {
      const key = `${call.start.toISOString().slice(0, 19).replace('T', ' ')} ${call.from}`;
      const wanted = byStart.get(key);
      expect(wanted, `${call.place} (${offset})`).toBeDefined();
      if (!wanted) continue;
      expect({
        to: call.to,
        callerName: call.callerName,
        answer: call.answer,
        end: call.end,
        talkSeconds: call.talkSeconds,
      }).toEqual({
        to: wanted.to,
        callerName: wanted.callerName,
        answer: utc(wanted.localAnswer),
        end: utc(wanted.localEnd),
        talkSeconds: wanted.talkSeconds,
      });
      if (!file.includes('no-uniqueid')) expect(call.callId).toBe(wanted.callId);
    }
    if (file === 'asterisk/Master.csv') {
      expect(found).toHaveLength(listed.filter(({ sameCallAsLine }) => sameCallAsLine === undefined).length);
    }
  });

  const wanted = () =>
    json<ExpectedFreeswitch[]>('freeswitch/expected.json').map((record) => ({
      callId: record.uuid,
      from: record.from,
      to: record.to,
      callerName: record.callerName,
      start: new Date(record.startedAt),
      answer: record.answeredAt === null ? null : new Date(record.answeredAt),
      end: new Date(record.endedAt),
      talkSeconds: record.talkSeconds,
    }));
  const seen = (call: Leg) => ({
    callId: call.callId,
    from: call.from,
    to: call.to,
    callerName: call.callerName,
    start: call.start,
    answer: call.answer,
    end: call.end,
    talkSeconds: call.talkSeconds,
  });

  it.each(['Master.csv', 'Master-asterisk-template.csv'])('freeswitch/cdr_csv/%s', async (file) => {
    const { legs, broken } = await read(readFileSync(join(cdr, 'freeswitch/cdr_csv', file)), 'Europe/Berlin');
    expect(broken).toEqual([]);
    expect(calls(legs).map(seen)).toEqual(wanted());
  });

  it.each(['json', 'xml'])('freeswitch/%s_cdr: one document a call', async (format) => {
    for (const record of wanted()) {
      const path = join(cdr, `freeswitch/${format}_cdr/a_${record.callId}.cdr.${format}`);
      const { legs, broken } = await read(readFileSync(path));
      expect(broken).toEqual([]);
      expect(calls(legs).map(seen)).toEqual([record]);
    }
  });
});
