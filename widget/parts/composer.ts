import { html, nothing } from 'lit/html.js';
import { byteLength, codePointLength } from '../../shared/length.js';
import { limits } from '../../shared/limits.js';
import type { ThreadlinePanel } from '../panel-element.js';
import { icon } from './icons.js';

const isTooLong = (text: string): boolean =>
  codePointLength(text) > limits.messageCodePoints || byteLength(text) > limits.messageBytes;

/** Where the visitor writes. What stands against sending is said above it; what is typed is kept at every key. */
export function composer(panel: ThreadlinePanel): unknown {
  const { words, client, popup } = panel;
  const written = (): string => panel.field?.value ?? '';
  const value = written();
  const extras = isTooLong(value) ? panel.extra : panel.extras;
  const problem = extras?.problem(value);

  const canSend = (): boolean => {
    const files = panel.extras?.ready() ?? 0;
    return files >= 0 && !!(files || written().trim()) && !isTooLong(written());
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    if (!canSend()) return;
    const { field } = panel;
    client.setTyping(panel.thread, false);
    panel.saveDraft('');
    panel.send(written());
    panel.extras?.complain('');
    if (!field) return;
    field.value = '';
    field.focus();
  };
  const onInput = (): void => {
    panel.saveDraft(written());
    panel.extras?.complain('');
    if (written().trim()) client.setTyping(panel.thread, true);
  };
  const onKey = (event: KeyboardEvent): void => {
    // While an input method composes, Enter belongs to it (229: Safari ends composing before the key).
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229)
      submit(event);
  };
  const onPaste = (event: ClipboardEvent): void => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    panel.need((made) => made.attach(files));
  };

  return html`${extras?.above(problem)}
    <form class="comp" @submit=${submit}>
      <button
        type="button"
        class="ib"
        aria-label=${words.attachFile}
        @click=${() => panel.need((made) => made.pick())}
      >
        ${icon('clip')}
      </button>
      <textarea
        rows="1"
        dir="auto"
        enterkeyhint="send"
        aria-label=${words.writeHere}
        placeholder=${words.writeHere}
        aria-invalid=${problem ? 'true' : nothing}
        aria-describedby=${problem ? 'problem' : nothing}
        disabled=${client.refusal ? '' : nothing}
        @input=${onInput}
        @keydown=${onKey}
        @paste=${onPaste}
      ></textarea>
      <button
        type="button"
        class="ib"
        id="smile"
        aria-label=${words.pickEmoji}
        aria-expanded=${popup === 'smile'}
        @click=${() => panel.toggleMenu('smile')}
      >
        ${icon('smile')}
      </button>
      <button class="send" aria-label=${words.sendIt} aria-disabled=${!canSend()}>${icon('up')}</button>
      ${popup === 'smile' ? panel.extra?.emoji() : nothing}
    </form>`;
}
