import { t } from '../texts/text.js';
import { monthLabel } from '../texts/time.js';
import type { ContentEntry, Fold } from './entry.js';

/**
 * Months of long ago, folded into one line: how much of each channel, and what about. Pure, but for the texts.
 */

/** A month that ended less than this before now is shown as it was. */
const recentDays = 60;
/** Fewer entries than this take no more room than the line that would stand for them. */
const fewestFolded = 3;
const mostTopics = 4;
const topicLength = 40;
const dayMs = 86_400_000;

/** `2026-06`, in the reader's zone. */
export function monthOf(iso: string): string {
  const at = new Date(iso);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}`;
}
const firstOf = (month: string) => {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return new Date(year, number - 1, 1);
};
const isContent = (entry: ContentEntry) => ['chat', 'emails', 'call', 'note'].includes(entry.type);

/**
 * Folds what is long ago, month by month; months next to each other within a year make one line. `open` are the months
 * that were asked for, or stood open already: what somebody reads is never folded under their eyes. A month in which
 * two contacts were joined stays: that can be undone there.
 */
export function foldMonths(
  entries: readonly ContentEntry[],
  now: Date,
  open: ReadonlySet<string>,
): (ContentEntry | Fold)[] {
  const months = new Map<string, ContentEntry[]>();
  for (const entry of entries) {
    const month = monthOf(entry.at);
    const inMonth = months.get(month);
    if (inMonth) inMonth.push(entry);
    else months.set(month, [entry]);
  }
  const shown: (ContentEntry | Fold)[] = [];
  for (const [month, inMonth] of months) {
    const first = firstOf(month);
    const end = new Date(first.getFullYear(), first.getMonth() + 1, 1);
    const isFolded =
      now.getTime() - end.getTime() > recentDays * dayMs &&
      !open.has(month) &&
      inMonth.filter(isContent).length >= fewestFolded &&
      !inMonth.some((entry) => entry.type === 'merge');
    if (!isFolded) {
      shown.push(...inMonth);
      continue;
    }
    const last = shown.at(-1);
    const isNext = last?.type === 'fold' && firstOf(last.months.at(-1) ?? '').getTime() === end.getTime();
    // A year has its own anchor: no fold reaches over it.
    if (isNext && end.getFullYear() === first.getFullYear()) {
      last.months.push(month);
      last.entries.push(...inMonth);
      last.from = oldestOf(inMonth);
      continue;
    }
    shown.push({
      type: 'fold',
      key: `fold/${month}`,
      at: inMonth[0]?.at ?? '',
      from: oldestOf(inMonth),
      saysDate: false,
      months: [month],
      entries: [...inMonth],
    });
  }
  return shown;
}

const oldestOf = (entries: readonly ContentEntry[]): string => entries.at(-1)?.at ?? '';

/** Apr to Jun; Jan, Feb; Mar. */
export function monthsText(fold: Fold): string {
  const [newest = '', ...rest] = fold.months;
  const oldest = rest.at(-1);
  const name = (month: string) => monthLabel(firstOf(month), 'short');
  if (oldest === undefined) return name(newest);
  return rest.length === 1
    ? `${name(oldest)}, ${name(newest)}`
    : t('fold.months', { from: name(oldest), to: name(newest) });
}

/** 7 e-mails, 2 chats, 2 calls: what there is most of first. */
export function countsText(fold: Fold): string {
  const counts = { emails: 0, chats: 0, calls: 0, notes: 0 };
  const chats = new Set<string>();
  for (const entry of fold.entries) {
    if (entry.type === 'emails') counts.emails += entry.events.length;
    else if (entry.type === 'chat') chats.add(entry.events[0]?.conversationId ?? entry.key);
    else if (entry.type === 'call') counts.calls += 1;
    else if (entry.type === 'note') counts.notes += 1;
  }
  counts.chats = chats.size;
  return (['emails', 'chats', 'calls', 'notes'] as const)
    .filter((kind) => counts[kind] > 0)
    .sort((a, b) => counts[b] - counts[a])
    .map((kind) => t(`fold.${kind}`, { count: counts[kind] }))
    .join(', ');
}

/** What it was about, each once: subjects, and the first words of what had none. */
export function topicsOf(fold: Fold, subjectOf: (conversationId: string) => string): string[] {
  const topics = new Map<string, string>();
  for (const entry of fold.entries) {
    if (entry.type !== 'emails' && entry.type !== 'chat') continue;
    const first = entry.events.at(-1);
    if (!first) continue;
    const subject =
      first.kind === 'email' ? first.body.subject : subjectOf(first.conversationId ?? '') || first.body.text;
    const topic = shortened(subject.replace(/^(?:(?:re|fwd?|aw|wg|отв|ответ)\s*:\s*)+/i, ''));
    if (topic !== '' && !topics.has(topic.toLowerCase())) topics.set(topic.toLowerCase(), topic);
  }
  return [...topics.values()].slice(0, mostTopics);
}

/** Its beginning, to the end of a sentence or of a word. */
function shortened(text: string): string {
  const [line = ''] = text.trim().split(/[\n.!?](?:\s|$)/);
  if (line.length <= topicLength) return line.trim();
  const cut = line.slice(0, topicLength);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), topicLength / 2)).trim()}…`;
}
