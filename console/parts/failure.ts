import { html, nothing, type TemplateResult } from 'lit';
import type { ErrorReply } from '../../shared/errors.js';
import { t } from '../texts/text.js';
import { icon } from './icon.js';

/** What failed, what still works, one action, a code to copy. Without permission: who can give it. */
export function failure(
  error: ErrorReply,
  words: { title: string; still?: string },
  retry?: () => void,
): TemplateResult {
  if (error.code === 'forbidden')
    return html`<div class="blank" role="alert"><h3>${t('failure.forbidden')}</h3><p>${t('failure.forbidden_help')}</p></div>`;
  const code = error.requestId ? `${error.code}, ${error.requestId}` : error.code;
  return html`<div class="blank" role="alert">
    <h3>${words.title}</h3>
    <p>${t(`error.${error.code}`)} ${words.still ?? ''}</p>
    <div class="acts">
      ${retry ? html`<button class="btn" type="button" @click=${retry}>${icon('rotate-cw', 's')}${t('failure.retry')}</button>` : nothing}
      <button class="btn ghost" type="button" @click=${() => void navigator.clipboard.writeText(`${code}\n${error.message}\n${location.href}`)}>
        ${t('failure.copy')}
      </button>
    </div>
    <p class="lab num">${code}</p>
  </div>`;
}
