import type { SenderProof } from '../../../shared/events/email.js';
import type { FromReading } from './address.js';
import { domainOf } from './address.js';
import { type HeaderLine, splitOutsideQuotes, unquoted, withoutComments } from './headers.js';

/**
 * Whether the sender is who the From line says. Only one witness counts: the mail host that the operator trusts, by the
 * Authentication-Results (RFC 8601) that it wrote on top of the letter. Whatever a stranger wrote stands below what our
 * own host wrote, so that reading stops where the letter came from outside.
 */
export function authenticate(
  headers: readonly HeaderLine[],
  from: FromReading,
  options: { trustedHost?: string | undefined; vouch?: boolean | undefined },
): SenderProof {
  // Where it is unclear whom the line names, a proof of one reading would be taken for another.
  if (from.problem) return unproved(from.problem);
  const judged = judge(headers, domainOf(from.address), options.trustedHost);
  if (judged === 'pass') return { verified: true, method: 'dmarc' };
  if (options.vouch) return { verified: true, method: 'agent' };
  return unproved(judged);
}

const unproved = (reason: string): SenderProof => ({ verified: false, method: 'none', reason });

function judge(headers: readonly HeaderLine[], fromDomain: string, trustedHost: string | undefined): string {
  if (trustedHost === undefined) return 'no_trusted_host';
  const results = trustedResults(headers, trustedHost.toLowerCase());
  if (results.length === 0) return 'no_results';
  const verdicts = results.flatMap((result) => result.filter((one) => one.method === 'dmarc'));
  if (verdicts.length === 0) return 'dmarc_none';
  // One host says it once. If it seems to say several things, somebody else has written too.
  if (verdicts.some((one) => one.result !== 'pass')) return `dmarc_${knownResult(verdicts)}`;
  const isAligned = verdicts.every((one) => one.properties.get('header.from') === fromDomain);
  return isAligned ? 'pass' : 'dmarc_unaligned';
}

const knownResult = (verdicts: readonly Verdict[]): string => {
  const result = verdicts.find((one) => one.result !== 'pass')?.result ?? '';
  return /^(?:fail|none|temperror|permerror|bestguesspass|policy|neutral)$/.test(result) ? result : 'fail';
};

/** Fields that mail hosts put on top of a letter. The first other one is where its sender began to write. */
const trace =
  /^(?:return-path|delivered-to|received|received-spf|authentication-results|authentication-results-original|arc-.*|x-.*|envelope-to|delivery-date|dkim-filter|delivered-by|apparently-to|status|content-length)$/;

/**
 * The results that the trusted host wrote. It took the letter from outside at its first Received line: all that stands
 * above that it wrote itself. Some hosts put their results right below that line, above what the sender wrote: there the
 * topmost counts, and only when there are none above. A second line of that name is the sender's own invention.
 */
function trustedResults(headers: readonly HeaderLine[], trustedHost: string): Verdict[][] {
  const above: Verdict[][] = [];
  let isBelow = false;
  for (const { name, value } of headers) {
    if (!trace.test(name)) break;
    if (name === 'received') {
      const { by, isFromOutside } = readReceived(value);
      if (isFromOutside) {
        if (isBelow || by !== trustedHost) break;
        isBelow = true;
      }
    } else if (name === 'authentication-results') {
      const read = readResults(value);
      if (read?.authservId !== trustedHost) continue;
      if (!isBelow) above.push(read.verdicts);
      else return above.length > 0 ? above : [read.verdicts];
    }
  }
  return above;
}

/**
 * A Received line without a `from`, or from this very machine, is a host handing the letter on inside itself. A name
 * alone proves nothing: it is what the other side called itself.
 */
export function readReceived(value: string): { by: string; isFromOutside: boolean } {
  const whole = value.slice(0, 2_000);
  const text = withoutComments(whole);
  const by = /(?:^|\s)by\s+([^\s;]+)/i.exec(text)?.[1]?.toLowerCase().replace(/\.$/, '') ?? '';
  if (!/^\s*from\s/i.test(text)) return { by, isFromOutside: false };
  const from = (whole.split(/\sby\s/i, 1)[0] ?? '').replace(/ipv6:/gi, ' ');
  const addresses = from.match(/\b\d{1,3}(?:\.\d{1,3}){3}\b|[0-9a-f]*:[0-9a-f:]*:[0-9a-f:]*/gi) ?? [];
  const isLoopback = addresses.length > 0 && addresses.every((one) => /^127\.|^::1$/.test(one));
  return { by, isFromOutside: !isLoopback };
}

interface Verdict {
  method: string;
  result: string;
  /** `header.from` and others, in lower case. */
  properties: Map<string, string>;
}

/** RFC 8601, 2.2: `authserv-id [version]; method=result [reason=..] ptype.property=value ...; ...` */
function readResults(value: string): { authservId: string; verdicts: Verdict[] } | null {
  const [first = '', ...rest] = splitOutsideQuotes(withoutComments(value.slice(0, 32_768)), ';');
  const authservId = unquoted(first.trim()).split(/\s/)[0]?.toLowerCase();
  if (!authservId) return null;
  const verdicts = rest.slice(0, 50).flatMap((piece): Verdict[] => {
    const [head, ...pairs] = pairsOf(piece);
    if (!head) return [];
    const properties = new Map<string, string>();
    for (const [name, text] of pairs) {
      // Said twice with two values it says nothing.
      const before = properties.get(name);
      properties.set(name, before === undefined || before === text ? text : '');
    }
    return [{ method: head[0].replace(/\/.*$/, ''), result: head[1], properties }];
  });
  return { authservId, verdicts };
}

/** `name=value` pairs outside quotes, in lower case, without the dot at a domain's end. */
function pairsOf(piece: string): [string, string][] {
  const pairs: [string, string][] = [];
  for (const match of piece.matchAll(/([\w.-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+)/g)) {
    pairs.push([
      (match[1] ?? '').toLowerCase(),
      unquoted(match[2] ?? '')
        .toLowerCase()
        .replace(/\.$/, ''),
    ]);
    if (pairs.length >= 50) break;
  }
  return pairs;
}
