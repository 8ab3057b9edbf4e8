import { html } from 'lit';
import type { ErrorReply } from '../../shared/errors.js';
import { limits } from '../../shared/limits.js';
import { replyOf } from '../api/request.js';
import { View } from '../parts/view.js';
import { meOf } from '../state/console.js';
import { type Language, language, t, useLanguage } from '../texts/text.js';
import { choice, field, outcome } from './form.js';

/** Oneself: name, password, language; and how this browser shows the console. */
class Profile extends View {
  static override properties = {
    ...View.properties,
    nameState: { state: true },
    passwordState: { state: true },
  };
  declare nameState: 'idle' | 'busy' | 'saved' | ErrorReply;
  declare passwordState: 'idle' | 'busy' | 'saved' | ErrorReply;

  constructor() {
    super();
    this.nameState = 'idle';
    this.passwordState = 'idle';
  }

  protected override watched() {
    return [this.app.preferences, this.app.session];
  }

  async #saveName(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const name = String(new FormData(event.currentTarget).get('name') ?? '').trim();
    if (name === '') return;
    this.nameState = 'busy';
    try {
      this.app.session.set({ state: 'signed-in', me: await this.app.api.changeMe({ name }) });
      this.nameState = 'saved';
    } catch (error) {
      this.nameState = replyOf(error);
    }
  }

  async #savePassword(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement)) return;
    const data = new FormData(form);
    this.passwordState = 'busy';
    try {
      await this.app.api.changeMe({
        password: { current: String(data.get('current') ?? ''), next: String(data.get('next') ?? '') },
      });
      this.passwordState = 'saved';
      form.reset();
    } catch (error) {
      this.passwordState = replyOf(error);
    }
  }

  async #setLanguage(next: Language): Promise<void> {
    await useLanguage(next);
    try {
      this.app.session.set({ state: 'signed-in', me: await this.app.api.changeMe({ locale: next }) });
    } catch (error) {
      // It is shown all the same; the next choice tells the server again.
      replyOf(error);
    }
  }

  protected override render() {
    const { preferences } = this.app;
    const now = preferences.get();
    const me = meOf(this.app);
    return html`<section><h3>${t('settings.profile')}</h3>
        <form @submit=${(event: SubmitEvent) => void this.#saveName(event)}>
          ${field(t('entry.name'), html`<input class="field" name="name" .value=${me.name} required maxlength="200" autocomplete="name" />`)}
          ${field(t('entry.email'), html`<input class="field" value=${me.email} readonly autocomplete="username" />`)}
          <div class="formacts"><button class="btn pri" type="submit">${t('form.save')}</button>${outcome(this.nameState)}</div>
        </form>
      </section>
      <section><h3>${t('profile.password')}</h3>
        <form @submit=${(event: SubmitEvent) => void this.#savePassword(event)}>
          ${field(t('profile.current'), html`<input class="field" type="password" name="current" required autocomplete="current-password" />`)}
          ${field(t('entry.new_password'), html`<input class="field" type="password" name="next" required minlength=${limits.passwordCodePoints.min} autocomplete="new-password" />`, t('entry.password_hint', { count: limits.passwordCodePoints.min }))}
          <div class="formacts"><button class="btn" type="submit">${t('profile.change_password')}</button>${outcome(this.passwordState)}</div>
        </form>
      </section>
      <section><h3>${t('profile.look')}</h3>
        ${choice(
          t('profile.language'),
          [
            { id: 'en', label: 'English' },
            { id: 'ru', label: 'Русский' },
          ],
          language.get(),
          (id) => void this.#setLanguage(id),
        )}
        ${choice(
          t('profile.theme'),
          (['system', 'light', 'dark'] as const).map((id) => ({ id, label: t(`theme.${id}`) })),
          now.theme,
          (theme) => preferences.set({ ...now, theme }),
        )}
        ${choice(
          t('profile.density'),
          (['comfortable', 'compact'] as const).map((id) => ({ id, label: t(`density.${id}`) })),
          now.density,
          (density) => preferences.set({ ...now, density }),
        )}
        ${choice(
          t('profile.shortcuts'),
          [
            { id: 'on', label: t('profile.on') },
            { id: 'off', label: t('profile.off') },
          ],
          now.shortcuts ? 'on' : 'off',
          (id) => preferences.set({ ...now, shortcuts: id === 'on' }),
        )}
        <p class="lab hint">${t('profile.shortcuts_hint')}</p>
      </section>`;
  }
}
customElements.define('tl-profile', Profile);
