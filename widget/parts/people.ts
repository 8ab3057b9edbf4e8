import { html, type TemplateResult } from 'lit/html.js';

/** The first letters of the first two words. */
const initials = (name: string): string =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? '')
    .join('')
    .toUpperCase();

/** A face: letters on one of four grounds. The place in the team decides which, so that neighbours differ. */
export const face = (name: string, place: number, large = false): TemplateResult =>
  html`<span class="av c${Math.max(0, place) % 4} ${large ? 'l' : ''}" aria-hidden="true">${initials(name)}</span>`;

export const faces = (names: readonly string[], large = false): TemplateResult =>
  html`<span class="faces">${names.map((name, place) => face(name, place, large))}</span>`;

export interface Person {
  name: string;
  face: TemplateResult;
}
