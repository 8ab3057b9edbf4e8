import type { TemplateResult } from 'lit/html.js';
import type { Kit } from '../extras.js';
import type { ExtrasTexts } from '../texts/text.js';

const address = /^[^\s@<>"]{1,64}@[^\s@<>"]+\.[^\s@<>".]+$/;

/** What the form before the chat asks: an address to answer to, which proves nothing. */
export const emailForm = (
  { html, nothing }: Kit,
  words: ExtrasTexts,
  /** What is wrong with the address, drawn. */
  wrong: unknown,
  done: (said: { email: string; name?: string } | null) => unknown,
): TemplateResult => {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const data = new FormData(event.currentTarget);
    const email = String(data.get('email')).trim().toLowerCase();
    const name = String(data.get('name')).trim().slice(0, 200);
    void done(address.test(email) ? { email, ...(name && { name }) } : null);
  };
  return html`<form class="form" novalidate @submit=${submit}>
    <p class="big">${words.beforeWeStart}</p>
    <p class="sub">${words.whyWeAsk}</p>
    <label>${words.yourName}<input class="f" name="name" autocomplete="name" maxlength="200" /></label>
    <label
      >${words.yourEmail}<input
        class="f"
        name="email"
        type="email"
        inputmode="email"
        autocomplete="email"
        required
        maxlength="254"
        aria-invalid=${wrong ? 'true' : nothing}
        aria-describedby=${wrong ? 'wrong' : nothing}
      />${wrong || nothing}</label
    >
    <button class="btn">${words.startChat}</button>
  </form>`;
};
