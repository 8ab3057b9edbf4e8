import { html, nothing } from 'lit';
import type { SessionAnswer } from '../../shared/api.js';
import type { ErrorReply } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { codePointLength } from '../../shared/text.js';
import { replyOf } from '../api/request.js';
import { channelIcon, channelKnot, icon } from '../parts/icon.js';
import { logo } from '../parts/marks.js';
import { View } from '../parts/view.js';
import { begin, enter } from '../state/session.js';
import { language, t, useLanguage } from '../texts/text.js';
import { shortDate } from '../texts/time.js';

interface Field {
  name: string;
  label: string;
  type: 'text' | 'email' | 'password';
  autocomplete: string;
  beside?: unknown;
  isNew?: boolean;
}

/** Where nobody is signed in: sign-in, first run, a forgotten password, a reset, an invitation. */
class Entry extends View {
  static override properties = {
    ...View.properties,
    error: { state: true },
    problem: { state: true },
    isBusy: { state: true },
    done: { state: true },
    needsSetUp: { state: true },
  };
  declare error: ErrorReply | null;
  /** A field that does not fit, and why. */
  declare problem: { field: string; text: string } | null;
  declare isBusy: boolean;
  declare done: 'asked' | 'reset' | null;
  declare needsSetUp: boolean;

  constructor() {
    super();
    this.error = null;
    this.problem = null;
    this.isBusy = false;
    this.done = null;
    this.needsSetUp = false;
  }

  protected override watched() {
    return [this.app.route];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.app.api.setUpNeeded().then(
      ({ needed }) => {
        this.needsSetUp = needed;
      },
      (error: unknown) => {
        replyOf(error);
      },
    );
  }

  #page(): 'sign-in' | 'setup' | 'forgot' | 'reset' | 'invitation' {
    const { page } = this.app.route.get();
    return page === 'setup' || page === 'forgot' || page === 'reset' || page === 'invitation'
      ? page
      : 'sign-in';
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (this.isBusy || !(event.currentTarget instanceof HTMLFormElement)) return;
    const form = new FormData(event.currentTarget);
    const value = (name: string) => String(form.get(name) ?? '');
    const route = this.app.route.get();
    const token = 'token' in route ? route.token : '';
    const page = this.#page();
    this.error = null;
    this.problem = this.#check(page, value);
    if (this.problem) {
      this.querySelector<HTMLElement>(`[name=${this.problem.field}]`)?.focus();
      return;
    }
    this.isBusy = true;
    const { api } = this.app;
    try {
      let session: SessionAnswer | null = null;
      if (page === 'sign-in')
        session = await api.signIn({ email: value('email').trim(), password: value('password') });
      else if (page === 'setup')
        session = await api.setUp({
          token,
          workspace: value('workspace').trim(),
          name: value('name').trim(),
          email: value('email').trim(),
          password: value('password'),
        });
      else if (page === 'invitation')
        session = await api.acceptInvitation({
          token,
          name: value('name').trim(),
          password: value('password'),
        });
      else if (page === 'forgot') {
        await api.askPasswordReset(value('email').trim());
        this.done = 'asked';
      } else {
        await api.resetPassword({ token, password: value('password') });
        this.done = 'reset';
      }
      if (session && typeof session.accessToken === 'string') {
        if (page !== 'sign-in') this.app.go({ page: 'home' }, { replace: true });
        await enter(this.app, session);
      } else if (session) {
        this.app.go({ page: 'home' }, { replace: true });
        await begin(this.app);
      }
    } catch (error) {
      this.error = replyOf(error);
      if (this.error.code === 'credentials_wrong')
        this.querySelector<HTMLInputElement>('[name=password]')?.select();
    } finally {
      this.isBusy = false;
    }
  }

  #check(page: string, value: (name: string) => string): { field: string; text: string } | null {
    for (const name of ['workspace', 'name'])
      if (this.querySelector(`[name=${name}]`) && value(name).trim() === '')
        return { field: name, text: t('entry.missing') };
    if (this.querySelector('[name=email]') && !/^[^\s@]+@[^\s@]+\.[^\s@.]+$/.test(value('email').trim()))
      return { field: 'email', text: t('entry.email_wrong') };
    if (
      page !== 'sign-in' &&
      this.querySelector('[name=password]') &&
      codePointLength(value('password')) < limits.passwordCodePoints.min
    )
      return { field: 'password', text: t('entry.password_short', { count: limits.passwordCodePoints.min }) };
    if (page === 'sign-in' && value('password') === '')
      return { field: 'password', text: t('entry.missing') };
    return null;
  }

  protected override render() {
    const page = this.#page();
    const email: Field = { name: 'email', label: t('entry.email'), type: 'email', autocomplete: 'username' };
    const name: Field = { name: 'name', label: t('entry.name'), type: 'text', autocomplete: 'name' };
    const fresh: Field = {
      name: 'password',
      label: t(page === 'reset' ? 'entry.new_password' : 'entry.password'),
      type: 'password',
      autocomplete: 'new-password',
      isNew: true,
    };
    const fields: Field[] = {
      'sign-in': [
        email,
        {
          name: 'password',
          label: t('entry.password'),
          type: 'password' as const,
          autocomplete: 'current-password',
          beside: html`<a class="link small" href="/forgot">${t('entry.forgot')}</a>`,
        },
      ],
      setup: [
        {
          name: 'workspace',
          label: t('entry.workspace'),
          type: 'text' as const,
          autocomplete: 'organization',
        },
        name,
        email,
        fresh,
      ],
      forgot: [email],
      reset: [fresh],
      invitation: [name, fresh],
    }[page];
    return html`<div class="signin">
      <main><form novalidate @submit=${(event: SubmitEvent) => void this.#submit(event)}>
        <div class="brand">${logo()}Threadline</div>
        <h1>${t(`entry.title_${page === 'sign-in' ? 'sign_in' : page}`)}</h1>
        ${page === 'sign-in' && this.needsSetUp ? html`<p class="lead">${t('entry.needs_setup')}</p>` : nothing}
        ${page === 'setup' || page === 'forgot' || page === 'invitation' ? html`<p class="lead">${t(`entry.lead_${page}`)}</p>` : nothing}
        ${
          this.done
            ? html`<p class="lead" role="status">${t(`entry.done_${this.done}`)}</p><a class="btn" href="/sign-in">${t('entry.to_sign_in')}</a>`
            : html`${fields.map((field) => this.#field(field))}
              ${this.error && this.error.code !== 'credentials_wrong' ? html`<p class="err" role="alert">${icon('triangle-alert', 'xs')}${t(`error.${this.error.code}`)}</p>` : nothing}
              <button class="btn pri" type="submit" ?disabled=${this.isBusy}>${t(`entry.do_${page === 'sign-in' ? 'sign_in' : page}`)}</button>
              ${page === 'forgot' ? html`<a class="btn ghost" href="/sign-in">${t('entry.to_sign_in')}</a>` : nothing}`
        }
        <p class="lab languages"><button class="link" type="button" lang=${language.get() === 'ru' ? 'en' : 'ru'} @click=${() => void useLanguage(language.get() === 'ru' ? 'en' : 'ru')}>${language.get() === 'ru' ? 'English' : 'Русский'}</button></p>
      </form></main>
      ${picture()}
    </div>`;
  }

  #field(field: Field) {
    const wrong =
      this.problem?.field === field.name
        ? this.problem.text
        : field.name === 'password' && this.error?.code === 'credentials_wrong'
          ? t('error.credentials_wrong')
          : null;
    return html`<label><span class="labelrow"><span class="grow">${field.label}</span>${field.beside ?? nothing}</span>
      <input class="field ${wrong ? 'bad' : ''}" name=${field.name} type=${field.type} autocomplete=${field.autocomplete} aria-invalid=${wrong !== null} aria-describedby="hint-${field.name}" />
      <span id="hint-${field.name}">${
        wrong
          ? html`<span class="err" role="alert">${icon('triangle-alert', 'xs')}${wrong}</span>`
          : field.isNew
            ? html`<span class="lab">${t('entry.password_hint', { count: limits.passwordCodePoints.min })}</span>`
            : nothing
      }</span></label>`;
  }
}
customElements.define('tl-entry', Entry);

/** The product's idea, drawn: one thread. Decoration. */
function picture() {
  const year = new Date().getFullYear();
  const events = [
    [`${year}-11-23`, 'chat', false, 1],
    [`${year}-11-20`, 'phone', false, 2],
    [`${year}-11-12`, 'email', false, 3],
    null,
    [`${year}-08-27`, 'chat', false, 4],
    [`${year}-03-17`, 'phone', true, 5],
  ] as const;
  const last = [`${year - 1}-12-04`, 'chat', false, 6] as const;
  const row = ([date, channel, out, number]: readonly [
    string,
    'chat' | 'email' | 'phone',
    boolean,
    1 | 2 | 3 | 4 | 5 | 6,
  ]) =>
    html`<li class="ev"><time>${shortDate(`${date}T12:00:00`, new Date(), false)}</time><span class="knot ${channelKnot[channel]} ${out ? 'out' : ''}">${icon(channelIcon[channel])}</span><div><p class="t"><b>${t(`sample.title_${number}`)}</b></p><p class="d">${t(`sample.line_${number}`)}</p></div></li>`;
  return html`<aside aria-hidden="true"><ol class="tl">
    <li class="anchor year">${year}</li>
    ${events.map((event) => (event === null ? html`<li class="silence">${t('timeline.silence_months', { count: 2 })}</li>` : row(event)))}
    <li class="anchor year">${year - 1}</li>${row(last)}
  </ol></aside>`;
}
