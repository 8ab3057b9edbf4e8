import { html, type TemplateResult } from 'lit/html.js';

/** lucide (ISC): the paths used here, to a tenth of a unit. */
const paths = {
  close: 'M18 6 6 18M6 6l12 12',
  more: 'M11 12a1 1 0 1 0 2 0 1 1 0 1 0-2 0M18 12a1 1 0 1 0 2 0 1 1 0 1 0-2 0M4 12a1 1 0 1 0 2 0 1 1 0 1 0-2 0',
  clip: 'm16 6-8.4 8.6a2 2 0 0 0 2.8 2.8l8.4-8.6a4 4 0 1 0-5.7-5.7L4.7 11.7a6 6 0 1 0 8.5 8.5l8.4-8.6',
  smile: 'M15 10V9M9 10V9M16.5 15a6 6 0 0 1-9 0M2 12a10 10 0 1 0 20 0 10 10 0 1 0-20 0',
  up: 'm5 12 7-7 7 7M12 19V5',
  seen: 'M18 6 7 17l-5-5M22 10l-7.5 7.5L13 16',
  check: 'M20 6 9 17l-5-5',
  clock: 'M12 6v6l4 2M2 12a10 10 0 1 0 20 0 10 10 0 1 0-20 0',
  cloud:
    'M11 5.3A7 7 0 0 1 15.7 10h1.8a4.5 4.5 0 0 1 4.2 6M18.8 18.8a4.5 4.5 0 0 1-1.3.2H9A7 7 0 0 1 5.8 5.8M2 2l20 20',
};

export const iconOf = (path: string): TemplateResult =>
  html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg>`;

export const icon = (name: keyof typeof paths): TemplateResult => iconOf(paths[name]);
