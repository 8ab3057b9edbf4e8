import type { TemplateResult } from 'lit/html.js';
import type { Kit } from '../extras.js';
import type { Text } from '../texts/text.js';

const address = /^[^\s@<>"]{1,64}@[^\s@<>"]+\.[^\s@<>".]+$/;

/** What the form before the chat asks: an address to answer to, which proves nothing. */
export const emailForm = (
  { html, nothing, icon }: Kit,
  text: Text,
  isWrong: boolean,
  done: (said: { email: string; name?: string } | null) => void,
): TemplateResult => {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const data = new FormData(event.currentTarget);
    const email = String(data.get('email')).trim().toLowerCase();
    const name = String(data.get('name')).trim().slice(0, 200);
    done(address.test(email) ? { email, ...(name && { name }) } : null);
  };
  return html`<form class="form" novalidate @submit=${submit}>
    <p class="big">${text('before')}</p>
    <p class="sub">${text('beforeWhy')}</p>
    <label>${text('name')}<input class="f" name="name" autocomplete="name" maxlength="200" /></label>
    <label
      >${text('email')}<input
        class="f"
        name="email"
        type="email"
        inputmode="email"
        autocomplete="email"
        required
        maxlength="254"
        aria-invalid=${isWrong ? 'true' : nothing}
        aria-describedby=${isWrong ? 'wrong' : nothing}
      />${
        isWrong ? html`<span class="err" id="wrong">${icon('alert')}${text('emailWrong')}</span>` : nothing
      }</label
    >
    <button class="btn">${text('start')}</button>
  </form>`;
};
