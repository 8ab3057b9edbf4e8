import { html, type TemplateResult } from 'lit/html.js';
import type { Availability } from '../../shared/protocol.js';

export interface Person {
  /** As people say it: the first name. */
  name: string;
  face: TemplateResult;
}

/** The first letters of the first two words. */
const initials = (name: string): string =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? '')
    .join('')
    .toUpperCase();

/** A face: letters on one of four grounds. The place in the team decides which, so that neighbours differ. */
const face = (name: string, place: number, large: boolean): TemplateResult =>
  html`<span class="av c${Math.max(0, place) % 4} ${large ? 'l' : ''}" aria-hidden="true">${initials(name)}</span>`;

export const faces = (names: readonly string[], large = false): TemplateResult =>
  html`<span class="faces">${names.map((name, place) => face(name, place, large))}</span>`;

export const firstName = (name: string): string => name.split(' ')[0] ?? '';

/** The agent that fits; whom the team does not hold any more goes by `otherwise`. */
export function personOf(
  agents: Availability['agents'],
  fits: (agent: Availability['agents'][number]) => boolean,
  otherwise: string,
): Person {
  const place = agents.findIndex(fits);
  const name = agents[place]?.name;
  return { name: name ? firstName(name) : otherwise, face: face(name ?? otherwise, place, false) };
}
