import { html, nothing, svg, type TemplateResult } from 'lit';
import { t } from '../texts/text.js';
import { waited } from '../texts/time.js';

/** The product's mark: the thread with its three knots. */
export const logo = (): TemplateResult =>
  html`<svg class="logo" viewBox="0 0 20 20" aria-hidden="true">${svg`
  <path d="M10 0v20" stroke="var(--ink-3)" stroke-width="1.75"/><circle cx="10" cy="4" r="3.1" fill="var(--chat)"/><rect x="7.2" y="8" width="5.6" height="5" rx="1" fill="var(--mail)"/><rect x="8.3" y="14.6" width="3.4" height="5.4" rx="1.2" fill="var(--phone)"/>`}</svg>`;

/** AW of Anna Weiss; the last two digits of a number; ? of nobody. */
function initials(name: string | null): string {
  if (name === null || name.trim() === '') return '?';
  const words = name
    .trim()
    .split(/[\s.@_-]+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (words.length === 0) return '?';
  if (/^\+?[\d\s()]+$/.test(name)) return name.replace(/\D/g, '').slice(-2);
  const letter = (word: string | undefined) =>
    word === undefined ? '' : ([...word][0] ?? '').toLocaleUpperCase();
  return words.length === 1 ? letter(words[0]) : letter(words[0]) + letter(words.at(-1));
}

const tones = ['a', 'b', 'c', 'd'] as const;
/** One of four quiet tones, always the same for one id. */
function toneOf(id: string): string {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + char.charCodeAt(0)) >>> 0;
  return tones[sum % tones.length] ?? 'a';
}

/** A face. Customers are grey, agents have a tone; `null` is nobody. */
export function face(
  person: { id: string; name: string | null } | null,
  options: { size?: 'm' | 'l'; customer?: boolean } = {},
): TemplateResult {
  if (person === null)
    return html`<span class="av none ${options.size ?? ''}" title=${t('row.unassigned')}></span>`;
  const tone = options.customer ? 'e' : toneOf(person.id);
  return html`<span class="av ${tone} ${options.size ?? ''}" title=${person.name ?? nothing} data-initials=${initials(person.name)} aria-hidden="true"></span>`;
}

const circumference = 2 * Math.PI * 4.5;

/** The ring that fills towards the target while somebody waits for us. */
export function waitRing(wait: { waitedMs: number; share: number; state: string }): TemplateResult {
  return html`<span class="wait ${wait.state}" title=${t('row.waiting_title')}><svg viewBox="0 0 12 12" aria-hidden="true"><circle class="t" cx="6" cy="6" r="4.5" /><circle class="p" cx="6" cy="6" r="4.5" stroke-dasharray="${(wait.share * circumference).toFixed(1)} 40" /></svg><span class="vh">${t('row.waiting_title')}</span>${waited(wait.waitedMs)}</span>`;
}

/** Keys as they are drawn beside a command. Decoration: the name is in the tooltip. */
export const keyCaps = (keys: readonly string[]): TemplateResult =>
  html`${keys.map((key) => html`<span class="kbd" aria-hidden="true">${key}</span>`)}`;

/** Boxes of the content's own size; the sheet shows them only after 300 ms. */
export const box = (width: number, height = 10, top = 0): TemplateResult =>
  html`<i class="sk w${width} h${height} t${top}"></i>`;
