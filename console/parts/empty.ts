import { html, svg, type TemplateResult } from 'lit';

/** The thread with nothing on it: three hollow knots. */
export const emptyThread = (): TemplateResult =>
  html`<svg width="64" height="150" viewBox="0 0 64 150" aria-hidden="true">${svg`<path d="M32 0v150" stroke="var(--hair-2)" stroke-width="2" /><circle cx="32" cy="30" r="9" fill="var(--surface)" stroke="var(--chat)" stroke-width="2" /><rect x="23" y="66" width="18" height="16" rx="3" fill="var(--surface)" stroke="var(--mail)" stroke-width="2" /><rect x="26" y="108" width="12" height="22" rx="4" fill="var(--surface)" stroke="var(--phone)" stroke-width="2" />`}</svg>`;
