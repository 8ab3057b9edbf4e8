import { html, type SVGTemplateResult, svg, type TemplateResult } from 'lit/html.js';

/** lucide (ISC): the paths used here. */
const paths = {
  x: 'M18 6 6 18M6 6l12 12',
  more: 'M11 12a1 1 0 1 0 2 0 1 1 0 1 0-2 0M18 12a1 1 0 1 0 2 0 1 1 0 1 0-2 0M4 12a1 1 0 1 0 2 0 1 1 0 1 0-2 0',
  clip: 'm16 6-8.414 8.586a2 2 0 0 0 2.829 2.829l8.414-8.586a4 4 0 1 0-5.657-5.657l-8.379 8.551a6 6 0 1 0 8.485 8.485l8.379-8.551',
  smile: 'M15 10V9M9 10V9M16.472 15a6 6 0 0 1-8.943 0M2 12a10 10 0 1 0 20 0 10 10 0 1 0-20 0',
  up: 'm5 12 7-7 7 7M12 19V5',
  seen: 'M18 6 7 17l-5-5M22 10l-7.5 7.5L13 16',
  check: 'M20 6 9 17l-5-5',
  clock: 'M12 6v6l4 2M2 12a10 10 0 1 0 20 0 10 10 0 1 0-20 0',
  alert: 'm21.73 18-8-14a2 2 0 0 0-3.48 0l-8 14A2 2 0 0 0 4 21h16a2 2 0 0 0 1.73-3M12 9v4M12 17h.01',
  cloud:
    'M10.94 5.274A7 7 0 0 1 15.71 10h1.79a4.5 4.5 0 0 1 4.222 6.057M18.796 18.81A4.5 4.5 0 0 1 17.5 19H9A7 7 0 0 1 5.79 5.78M2 2l20 20',
};

export const icon = (name: keyof typeof paths): TemplateResult => {
  const path: SVGTemplateResult = svg`<path d=${paths[name]} />`;
  return html`<svg viewBox="0 0 24 24" aria-hidden="true">${path}</svg>`;
};
