import { html, nothing, type TemplateResult } from 'lit';
import type { ErrorReply } from '../../shared/errors.js';
import { icon } from '../parts/icon.js';
import { t } from '../texts/text.js';

/** One labelled field of a form. */
export function field(
  label: string,
  control: TemplateResult,
  hint?: string | TemplateResult,
): TemplateResult {
  return html`<label class="formrow"><span class="formlabel">${label}</span>${control}${hint ? html`<span class="lab hint">${hint}</span>` : nothing}</label>`;
}

/** What became of the last change: saved, or why not. */
export function outcome(state: 'idle' | 'busy' | 'saved' | ErrorReply): TemplateResult {
  return html`<span role="status" class="saved">${
    state === 'saved'
      ? html`${icon('check', 's')}${t('form.saved')}`
      : typeof state === 'object'
        ? html`<span class="err">${icon('triangle-alert', 'xs')}${t(`error.${state.code}`)}${state.details?.field ? ` (${String(state.details.field)})` : ''}</span>`
        : nothing
  }</span>`;
}

/** A choice of a few, drawn as chips. */
export function choice<T extends string>(
  label: string,
  options: readonly { id: T; label: string }[],
  current: T,
  choose: (id: T) => void,
): TemplateResult {
  return html`<fieldset class="formrow"><legend class="formlabel">${label}</legend><div class="chips">${options.map((option) => html`<button class="chip" type="button" aria-pressed=${option.id === current} @click=${() => choose(option.id)}>${option.label}</button>`)}</div></fieldset>`;
}

/** Text to take elsewhere, with a button that copies it. */
export function copyable(text: string, label: string): TemplateResult {
  return html`<div class="copyable"><pre tabindex="0" aria-label=${label}><code>${text}</code></pre><button class="btn" type="button" @click=${(
    event: Event & { currentTarget: HTMLButtonElement },
  ) => {
    const button = event.currentTarget;
    void navigator.clipboard.writeText(text).then(() => {
      const words = button.querySelector('span');
      if (words) words.textContent = t('form.copied');
    });
  }}>${icon('copy', 's')}<span>${t('form.copy')}</span></button></div>`;
}
