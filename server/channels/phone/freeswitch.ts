import { XMLParser } from 'fast-xml-parser';
import * as v from 'valibot';
import { outcomeOfCause, parseClid } from './csv-layouts.js';
import { addSeconds, type Leg, type ReadLeg, seconds } from './leg.js';
import type { Zone } from './zone.js';

const text = v.optional(v.union([v.string(), v.pipe(v.number(), v.transform(String))]), '');
const Profile = v.object({
  caller_id_name: text,
  caller_id_number: text,
  destination_number: text,
});
const Flow = v.object({ profile_index: text, caller_profile: v.optional(Profile) });
/** What both of FreeSWITCH's document formats say. */
const Record = v.object({
  channel_data: v.optional(v.object({ direction: text })),
  variables: v.record(v.string(), v.unknown()),
  callflow: v.optional(
    v.union([
      v.array(Flow),
      v.pipe(
        Flow,
        v.transform((flow) => [flow]),
      ),
    ]),
    [],
  ),
});
type Record = v.InferOutput<typeof Record>;

const xml = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  // Everything stays text: a telephone number is no number.
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
});
const XmlDocument = v.object({ cdr: v.unknown() });

/** One document of mod_xml_cdr. */
export function xmlLeg(document: string, place: string, zone: Zone): ReadLeg {
  try {
    return recordLeg(v.parse(XmlDocument, xml.parse(document)).cdr, place, zone);
  } catch (error) {
    return { broken: { place, problem: `not readable as XML: ${reasonOf(error)}` } };
  }
}

/** One document of mod_json_cdr. */
export function jsonLeg(document: string, place: string, zone: Zone): ReadLeg {
  let value: unknown;
  try {
    value = JSON.parse(document);
  } catch (error) {
    return { broken: { place, problem: `not readable as JSON: ${reasonOf(error)}` } };
  }
  return recordLeg(value, place, zone);
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : 'unknown').split('\n')[0]?.slice(0, 120) ?? '';

/** One record that was parsed already. */
function recordLeg(value: unknown, place: string, zone: Zone): ReadLeg {
  const parsed = v.safeParse(Record, value);
  if (!parsed.success) return { broken: { place, problem: 'not a FreeSWITCH record: it has no variables' } };
  const record = parsed.output;
  const variables = decoded(record.variables);
  const variable = (name: string): string => variables.get(name) ?? '';

  const start = timeOf(variable, 'start', zone);
  if (!start) return { broken: { place, problem: 'it has no start' } };
  const duration = seconds(variable('duration')) ?? 0;
  const end = timeOf(variable, 'end', zone) ?? addSeconds(start, duration);
  const answer = timeOf(variable, 'answer', zone);
  const talkSeconds = answer ? (seconds(variable('billsec')) ?? secondsBetween(answer, end)) : 0;

  const id = variable('uuid');
  const profile = firstProfile(record);
  const clid = parseClid(variable('caller_id'));
  const from = profile?.caller_id_number || clid.number || variable('sip_from_user');
  const to = profile?.destination_number || variable('sip_to_user');
  if (from === '' && to === '') return { broken: { place, problem: 'it names neither caller nor callee' } };
  const isVoicemail = /^voicemail$/i.test(variable('last_app'));
  const outcome = outcomeOfCause(variable('hangup_cause'), answer !== null);
  const leg: Leg = {
    place,
    // A second leg names the one that began the call.
    callId: variable('originating_leg_uuid') || variable('originator') || id || null,
    otherIds: [id, variable('bridge_uuid'), variable('last_bridge_to')].filter((other) => other !== ''),
    fallbackId: `${variable('channel_name') || `${from} ${to}`} ${start.toISOString()}`,
    from,
    to,
    callerName: profile?.caller_id_name || clid.name || null,
    direction: directionOf(variable('direction') || (record.channel_data?.direction ?? '')),
    start,
    answer,
    end,
    talkSeconds,
    outcome: outcome === 'answered' && isVoicemail ? 'voicemail' : outcome,
    agent: /^user\/(\d{2,6})@/.exec(variable('last_arg'))?.[1] ?? null,
    recording: /^https?:\/\//i.test(variable('record_url')) ? variable('record_url') : null,
  };
  return { leg };
}

/**
 * Variables are percent-encoded or not, by a setting of the exchange. An encoded record holds none of the characters
 * that encoding takes away; one such character anywhere says that nothing was encoded.
 */
function decoded(variables: Record['variables']): Map<string, string> {
  const texts = Object.entries(variables).flatMap(([name, value]) =>
    typeof value === 'string' || typeof value === 'number' ? [[name, String(value)] as const] : [],
  );
  const isPlain = texts.some(([, value]) => /[ "<>/@:;,\\]/.test(value));
  return new Map(isPlain ? texts : texts.map(([name, value]) => [name, percentDecoded(value)]));
}

function percentDecoded(value: string): string {
  if (!value.includes('%')) return value;
  // Runs of escapes are decoded together, since a letter may be several bytes; what is no UTF-8 stays as it is.
  return value.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    const bytes = Buffer.from(run.replaceAll('%', ''), 'hex');
    const decodedRun = bytes.toString('utf8');
    return decodedRun.includes('\ufffd') ? run : decodedRun;
  });
}

/** Whom the caller dialled first: a transfer adds profiles, the lowest index is the first. */
function firstProfile(record: Record) {
  const flows = record.callflow.filter(({ caller_profile }) => caller_profile !== undefined);
  return flows.sort((a, b) => Number(a.profile_index || 1) - Number(b.profile_index || 1))[0]?.caller_profile;
}

function timeOf(
  variable: (name: string) => string,
  name: 'start' | 'answer' | 'end',
  zone: Zone,
): Date | null {
  const epoch = variable(`${name}_epoch`);
  if (/^\d{9,11}$/.test(epoch)) return new Date(Number(epoch) * 1_000);
  if (/^0+$/.test(epoch)) return null;
  return zone.instants(variable(`${name}_stamp`))?.[0] ?? null;
}

const secondsBetween = (from: Date, to: Date): number =>
  Math.max(0, Math.round((to.getTime() - from.getTime()) / 1_000));

function directionOf(direction: string): 'in' | 'out' | null {
  if (direction === 'inbound') return 'in';
  return direction === 'outbound' ? 'out' : null;
}
