import { html, nothing } from 'lit/html.js';
import type { FileRef } from '../../shared/events/parts.js';
import type { ThreadlinePanel } from '../panel-element.js';
import { isRussian } from '../texts/text.js';
import { icon } from './icons.js';
import { type Item, itemsOf } from './items.js';
import { bubble } from './message.js';
import { faces, firstName, personOf } from './people.js';
import { nearTop } from './scroll.js';

/** The log of a conversation, or the greeting of one that has not begun. */
export function conversation(panel: ThreadlinePanel): unknown {
  const { client, thread: at, words } = panel;
  const { state, session, typing } = client;
  const thread = state.threads[at ?? ''];
  const outgoing = state.outbox.filter((item) => item.thread === at);
  const items = itemsOf(thread, outgoing, panel.newAfter, panel.times.daysAgo);
  announce(panel, items);
  const name = typing[at ?? '']?.name;
  const onScroll = ({ currentTarget: log }: { currentTarget: Element }): void => {
    if (at && log.scrollTop < nearTop && thread?.isLoaded && !thread.isStart && !thread.wantsOlder)
      client.input({ type: 'older', conversationId: at });
  };
  return html`<div class="body chat" tabindex="0" aria-label=${words.theMessages} role="group" @scroll=${onScroll}>
    ${at ? html`<div class="top"></div>` : hello(panel)}
    <div class="log" role="log" aria-live=${panel.isNews ? 'polite' : 'off'} aria-relevant="additions">
      ${items.map((item) => line(panel, item))}
    </div>
    ${
      name === undefined
        ? nothing
        : html`<div class="m ag" aria-hidden="true">
            ${personOf(session?.inbox.availability.agents ?? [], (agent) => agent.name === name, name).face}
            <div class="b dots"><i></i><i></i><i></i></div>
          </div>`
    }
    ${
      at
        ? nothing
        : html`<div class="quick">
            ${session?.inbox.quickReplies.map(
              (reply) =>
                html`<button type="button" class="qr" dir="auto" @click=${() => panel.send(reply)}>${reply}</button>`,
            )}
          </div>`
    }
  </div>`;
}

/** Only a new message of theirs is announced: not history, not the visitor's own echo, not a state. */
function announce(panel: ThreadlinePanel, items: readonly Item[]): void {
  const [oldFirst, oldEnd] = panel.ends;
  const last = items.at(-1);
  const first = items[0]?.key ?? '';
  const end = last?.key ?? (panel.thread ? '' : 'none');
  if (first === oldFirst && end === oldEnd) return;
  panel.isNews = oldEnd !== '' && end !== oldEnd && last?.type === 'theirs';
  panel.ends = [first, end];
}

function hello({ client, shell, words }: ThreadlinePanel): unknown {
  const { inbox } = client.session ?? {};
  const { online, agents = [] } = inbox?.availability ?? {};
  const names = agents.slice(0, 3).map(({ name }) => name);
  const list = new Intl.ListFormat(isRussian(shell.locale()) ? 'ru' : 'en').format(names.map(firstName));
  return html`<div class="hello">
    ${
      inbox &&
      html`${names.length ? faces(names, true) : nothing}
        <p class="big" dir="auto">${inbox.greeting || words.welcome}</p>
        <p class="now">
          <span class=${online ? 'on' : 'off'}></span>${
            online ? (list ? words.whoIsOnline(list, agents.length) : words.onlineNow) : words.nobodyNow
          }
        </p>`
    }
  </div>`;
}

function line(panel: ThreadlinePanel, item: Item): unknown {
  const { words, times } = panel;
  const { event } = item;
  const files = (refs: readonly FileRef[] = [], from = words.byYou): unknown =>
    refs.length ? panel.extra?.files(refs, from) : nothing;
  if (event) {
    const { name, face } = panel.nameOf(event.actor);
    const time = times.time(event.occurredAt);
    if (item.type === 'status') {
      const said = item.event.body.to === 'open' ? words.wasReopened : words.wasClosed;
      return html`<p class="sysn">${said(name, time)}</p>`;
    }
    const { text = '', attachments } = item.event.body ?? {};
    const said = bubble(
      event.erased ? words.wasErased : text,
      item.type === 'theirs' ? (one) => panel.extra?.formatted(one) : undefined,
    );
    if (item.type === 'theirs')
      return html`<div class="m ag">
        ${item.isLast ? face : html`<span></span>`}
        <div>
          ${
            item.isFirst
              ? html`<p class="nm">${name} <time datetime=${event.occurredAt}>${time}</time></p>`
              : html`<span class="hid">${name}</span>`
          }
          ${said}${files(attachments, name)}
        </div>
      </div>`;
    return html`<div class="m me">
      <span class="hid">${words.byYou}</span>${said}${files(attachments)}${state(
        item.isSeen ? 'seen' : 'check',
        item.shows && (item.isSeen ? words.wasSeen : words.wasSent),
      )}
    </div>`;
  }
  if (item.type !== 'outgoing')
    return html`<p class="dsep ${item.type}">${item.at ? times.day(item.at) : words.unreadBelow}</p>`;
  const { body, state: at } = item.item;
  const isSent = at === 'sent';
  const isRefused = at === 'refused';
  return html`<div class="m me ${isRefused ? 'fail' : isSent ? '' : 'waiting'}">
    <span class="hid">${words.byYou}</span>${bubble(body.text)}${files(body.attachments)}${
      isRefused
        ? panel.extra?.refused(item.item)
        : state(
            isSent ? 'check' : 'clock',
            item.shows &&
              (isSent ? words.wasSent : panel.client.isOnline ? words.isSending : words.isWaiting),
          )
    }
  </div>`;
}

const state = (drawn: 'seen' | 'check' | 'clock', said: string | false): unknown =>
  said ? html`<p class="st">${icon(drawn)}${said}</p>` : nothing;
