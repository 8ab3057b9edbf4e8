import { html, nothing } from 'lit';
import type { AgentSummary, Role } from '../../shared/api.js';
import type { ErrorReply } from '../../shared/errors.js';
import { replyOf } from '../api/request.js';
import { icon } from '../parts/icon.js';
import { face } from '../parts/marks.js';
import '../parts/menu.js';
import { View } from '../parts/view.js';
import { meOf } from '../state/console.js';
import { refreshTeam } from '../state/session.js';
import { t } from '../texts/text.js';
import { copyable, outcome } from './form.js';

/** Who works here: invite by a link, roles, deactivate. */
class Agents extends View {
  static override properties = {
    ...View.properties,
    role: { attribute: false },
    state: { state: true },
    link: { state: true },
  };
  declare role: Role;
  declare state: 'idle' | 'busy' | 'saved' | ErrorReply;
  declare link: { email: string; url: string } | null;

  constructor() {
    super();
    this.state = 'idle';
    this.link = null;
    this.role = 'agent';
  }

  protected override watched() {
    return [this.app.agents];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void refreshTeam(this.app);
  }

  async #invite(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement)) return;
    const data = new FormData(form);
    const email = String(data.get('email') ?? '').trim();
    const role = data.get('role') === 'admin' ? 'admin' : 'agent';
    this.state = 'busy';
    this.link = null;
    try {
      const { link } = await this.app.api.invite({ email, role });
      this.link = { email, url: link };
      this.state = 'idle';
      form.reset();
    } catch (error) {
      this.state = replyOf(error);
    }
  }

  async #change(agent: AgentSummary, change: { role?: Role; active?: boolean }): Promise<void> {
    try {
      await this.app.api.changeAgent(agent.id, change);
      await refreshTeam(this.app);
      this.state = 'idle';
    } catch (error) {
      this.state = replyOf(error);
    }
  }

  protected override render() {
    const { app } = this;
    const me = meOf(app).id;
    const roles: Role[] = this.role === 'owner' ? ['owner', 'admin', 'agent'] : ['admin', 'agent'];
    return html`<section><h3>${t('agents.invite')}</h3>
        <form class="inline" @submit=${(event: SubmitEvent) => void this.#invite(event)}>
          <input class="field" type="email" name="email" required aria-label=${t('entry.email')} placeholder=${t('entry.email')} />
          <select class="field" name="role" aria-label=${t('agents.role')}><option value="agent">${t('role.agent')}</option><option value="admin">${t('role.admin')}</option></select>
          <button class="btn pri" type="submit">${icon('user-plus', 's')}${t('agents.make_link')}</button>
        </form>
        ${outcome(this.state)}
        ${this.link ? html`<p class="lab hint">${t('agents.link', { email: this.link.email })}</p>${copyable(this.link.url, t('agents.link', { email: this.link.email }))}` : nothing}
      </section>
      <section><h3>${t('settings.agents')}</h3>
        <ul class="team">${app.agents.get().map(
          (agent) => html`<li class=${agent.active ? nothing : 'inactive'}>
            <span class=${agent.active ? `presence ${agent.availability === 'away' ? 'off' : ''}` : nothing}>${face(agent, { size: 'm' })}</span>
            <span class="grow cut"><b dir="auto">${agent.name}</b><small>${agent.email}</small></span>
            ${agent.active ? nothing : html`<span class="tag">${t('agents.inactive')}</span>`}
            <span class="lab">${t(`role.${agent.role}`)}</span>
            ${
              agent.id === me || (agent.role === 'owner' && this.role !== 'owner')
                ? html`<span class="ib" aria-hidden="true"></span>`
                : html`<tl-menu .app=${app} .label=${t('agents.change', { name: agent.name })} .trigger=${icon('ellipsis')} .items=${[
                    ...roles.map((role) => ({
                      id: role,
                      label: t(`role.${role}`),
                      isCurrent: agent.role === role,
                    })),
                    {
                      id: 'active',
                      label: t(agent.active ? 'agents.deactivate' : 'agents.activate'),
                      icon: 'ban' as const,
                      isDanger: agent.active,
                    },
                  ]} @choose=${(event: CustomEvent<string>) =>
                    void this.#change(
                      agent,
                      event.detail === 'active' ? { active: !agent.active } : { role: event.detail as Role },
                    )}></tl-menu>`
            }
          </li>`,
        )}</ul>
      </section>`;
  }
}
customElements.define('tl-agents', Agents);
