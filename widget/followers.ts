import { emptyState, type Input } from '../shared/delivery/state.js';
import type { VisitorResults } from '../shared/protocol.js';
import type { Client, Draft, Known } from './client.js';
import { type Patch, patched, patchOf } from './patch.js';
import { type IdentitySource, readKept, type ThreadlineEvent } from './shell.js';
import { forgetKept } from './storage.js';
import type { Seat } from './tabs.js';

/*
 * Several tabs of one visitor on one line; a chunk of its own, which comes with the second tab. The tab that leads tells
 * what changes in all that it knows; one that follows shows it, and has everything done by the one that leads. What it
 * asked for is its own until that tab says it is done: if that dies, the next one is asked again, and the engine takes a
 * message once however often it is told.
 */

/** What a tab that follows can have done. */
const acts = {
  /** Whether somebody leads. */
  ping: () => undefined,
  wake: (client: Client) => client.wake(),
  renew: (client: Client) => client.renew(),
  restart: (client: Client) => client.restart(),
  input: async (client: Client, input: Input<Draft>) => {
    // Storage that is still being read would bring the message back as it was.
    if (input.type === 'retry' || input.type === 'discard') await restored(client);
    client.input(input);
  },
  request: (client: Client, name: keyof VisitorResults, body: object) => client.request(name, body),
  typing: (client: Client, thread: string | null, typing: boolean) => client.setTyping(thread, typing),
  seen: (client: Client, conversationId: string, seq: number) => client.seen(conversationId, seq),
};
/** At the latest when the engine's own patience with storage is over. */
async function restored(client: Client): Promise<void> {
  for (let look = 0; look < 60 && !client.state.isRestored; look += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
}
type Act = keyof typeof acts | 'hello' | 'identify';
/** Done whoever's chat it is; the others never in another person's name. */
const impersonal: readonly Act[] = ['ping', 'wake', 'renew', 'hello', 'identify'];

interface Call {
  from: string;
  id: number;
  act: Act;
  args: readonly unknown[];
  /** Whose chat the asking tab shows. */
  person: string | undefined;
}

/** All that is known, after so many changes. */
interface Snapshot {
  at: number;
  known: Known;
}

type Said =
  | { at: number; patch: Patch }
  /** Every tab tells its page. */
  | { event: ThreadlineEvent; detail: unknown }
  /** The call came; with an id: it is done, or it failed. */
  | { to: string; id?: number; value?: unknown; failed?: true };

/** A tab that does not even say that it was asked is dead or frozen. */
const deadAfterMs = 4_000;
/** How often a tab that is looked at makes sure that somebody leads. */
const pingMs = 20_000;

const knownOf = ({ session, isOnline, refusal, conversations, typing, state }: Known): Known => ({
  session,
  isOnline,
  refusal,
  conversations,
  typing,
  state,
});
const nothing: Known = {
  session: null,
  isOnline: false,
  refusal: null,
  conversations: [],
  typing: {},
  state: emptyState(),
};

const pageHere = (): object => ({ url: location.href.slice(0, 2_000), title: document.title.slice(0, 200) });

const tokenOf = async (source: IdentitySource | undefined): Promise<string> =>
  (await (typeof source === 'function' ? source() : source)) ?? '';

/** Whom a token names. Nothing is proved by it here: it only spares the server a token that says nothing new. */
function subjectOf(token: string): unknown {
  try {
    const [, claims = ''] = token.split('.');
    return JSON.parse(atob(claims.replace(/-/g, '+').replace(/_/g, '/'))).sub;
  } catch {
    return token;
  }
}

const served = new WeakMap<BroadcastChannel, (call: Call) => Promise<void>>();

/** The leading side: does what a tab that follows asked, and tells all of them what changes from here on. */
export function serve(seat: Seat, channel: BroadcastChannel, call: Call | 0): void {
  // Another tab leads, too, for the moment in which this one is being robbed.
  if (call === 0 || !call.act) return;
  const hear = served.get(channel) ?? listen(seat, channel);
  served.set(channel, hear);
  void hear(call);
}

function listen(seat: Seat, channel: BroadcastChannel): (call: Call) => Promise<void> {
  let told = knownOf(seat.client);
  let at = 0;
  let isDue = false;
  let subject: unknown;
  /** Whose chat it is; empty: nobody's any more. */
  let mine = told.session?.contactId;

  function say(said: Said): void {
    try {
      if (seat.tell === tell) channel.postMessage(said);
    } catch {
      // Closed: the lead was given up.
      seat.tell = undefined;
    }
  }
  function tellChange(): void {
    isDue = false;
    const known = knownOf(seat.client);
    const patch = patchOf(told, known);
    if (!patch) return;
    told = known;
    at += 1;
    say({ at, patch });
  }
  const tell = (event?: ThreadlineEvent, detail?: unknown): void => {
    if (event === 'message' || event === 'identified') {
      tellChange();
      say({ event, detail });
    } else if (!isDue) {
      isDue = true;
      queueMicrotask(tellChange);
    }
  };
  seat.tell = tell;

  /** Agents are shown the page that is looked at, be it this tab's again. */
  function showPage(): void {
    if (seat.tell !== tell) document.removeEventListener('visibilitychange', showPage);
    else if (document.visibilityState === 'visible')
      seat.client.request('page', pageHere()).catch(() => undefined);
  }
  document.addEventListener('visibilitychange', showPage);

  async function identify(token: string): Promise<void> {
    subject ??= subjectOf(await tokenOf(seat.options.identity()).catch(() => ''));
    if (subjectOf(token) === subject) return;
    subject = subjectOf(token);
    seat.client.identify(token);
  }

  async function act({ act, args, person }: Call): Promise<unknown> {
    const { client, options } = seat;
    // One that only begins to lead, where nothing is kept, has yet to learn whose chat it is: the same one's.
    mine = client.session?.contactId ?? readKept(options.inboxId).contactId ?? (mine && '');
    if (person !== undefined && person !== (mine ?? person) && !impersonal.includes(act))
      throw new Error('Asked by the tab of another person.');
    if (act === 'identify') return identify(String(args[0]));
    if (act !== 'hello') return acts[act](client, ...(args as [never, never]));
    tellChange();
    return { at, known: told } satisfies Snapshot;
  }

  return async (call) => {
    const { from: to, id } = call;
    say({ to });
    try {
      const value = await act(call);
      tellChange();
      say({ to, id, value });
    } catch {
      say({ to, id, failed: true });
    }
  };
}

interface Asked {
  call: Call;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/**
 * The following side: gives the tab a client that shows what the tab that leads knows, and waits for the lock. `own` is
 * the client with a line that the tab had so far.
 * @returns what ends it
 */
export function follow(seat: Seat, own: Client | undefined): () => void {
  const { name, options, client: before, step } = seat;
  const { inboxId, emit, onChange } = options;
  const tab = crypto.randomUUID();
  const channel = new BroadcastChannel(name);
  const queue = new AbortController();
  const asked = new Map<number, Asked>();
  let isGranted = false;
  let isEnded = false;
  let nextId = 0;
  const { outbox } = before.state;
  const unsaid = own
    ? outbox.filter(({ state }) => state !== 'sent' && state !== 'refused')
    : outbox.filter(({ state }) => state === 'saving');
  let known: Known = { ...knownOf(before), isOnline: false, typing: {} };
  /** How many changes `known` holds; none are taken before the first snapshot. */
  let at = -1;
  let round = 0;
  /** The page's storage keeps this person's things: somebody else's there means that this one is gone. */
  let isKept = false;
  let dead: ReturnType<typeof setTimeout> | undefined;

  function end(): void {
    isEnded = true;
    queue.abort();
    channel.close();
    clearTimeout(dead);
    clearInterval(pings);
    for (const { reject } of asked.values()) reject(new Error('The tab that leads is another one.'));
  }

  function post(call: Call): void {
    // Kept all the same: whoever leads next is told, be it this tab.
    if (isEnded) return;
    channel.postMessage(call);
    dead ??= setTimeout(takeOver, deadAfterMs);
  }

  /**
   * What was asked for and is not known to be done is done here: the engine takes each once. A tab that is left by now
   * leads nobody, and asks itself for nothing.
   */
  function lead(): Promise<void> {
    const led = seat.lead();
    const { client } = seat;
    for (const { call } of client === mirror ? [] : asked.values())
      if (call.act === 'input') void acts.input(client, call.args[0] as Input<Draft>);
    return led;
  }

  function takeOver(): void {
    end();
    navigator.locks.request(name, { steal: true }, lead).catch(seat.lost);
  }

  function ask(act: Act, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call: Call = { from: tab, id: nextId++, act, args, person: mirror.session?.contactId };
      asked.set(call.id, { call, resolve, reject });
      post(call);
    });
  }
  const tell = (act: Act, ...args: unknown[]): void => void ask(act, ...args).catch(() => undefined);

  /** Asks for all that is known: changes alone do not do, or no longer. */
  function greet(): void {
    at = -1;
    round += 1;
    const mine = round;
    ask('hello').then(
      (answer) => {
        if (mine !== round) return;
        const snapshot = answer as Snapshot;
        ({ at } = snapshot);
        take(snapshot.known);
      },
      () => undefined,
    );
  }

  function take(next: Known): void {
    const had = mirror.session?.contactId;
    known = next;
    const { state: _state, ...shown } = next;
    Object.assign(mirror, shown);
    const has = next.session?.contactId;
    const kept = readKept(inboxId).contactId;
    if (had !== undefined && had !== (has ?? kept)) {
      // Another person, or nobody: nothing of the former one's is done any more.
      isKept = false;
      for (const [id, { call, reject }] of asked) {
        if (impersonal.includes(call.act) || call.act === 'restart') continue;
        asked.delete(id);
        reject(new Error('Signed out.'));
      }
      emit('signed-out');
    }
    isKept ||= has !== undefined && has === kept;
    onChange();
  }

  /** Shows nothing until the tab that leads says who is here. */
  function forget(): void {
    take(nothing);
    greet();
  }

  channel.onmessage = ({ data }: MessageEvent<Said | Call | 0>) => {
    if (data !== 0 && 'act' in data) return;
    clearTimeout(dead);
    dead = undefined;
    if (data === 0) {
      // Another leads: it is asked for all that the former one did not say was done.
      for (const [id, { call }] of asked) {
        if (call.act === 'hello') asked.delete(id);
        else post(call);
      }
      return greet();
    }
    if ('patch' in data) {
      if (at < 0) return;
      if (data.at !== at + 1) return greet();
      at = data.at;
      take(patched(known, data.patch) as Known);
    } else if ('event' in data) {
      emit(data.event, data.detail);
    } else if (data.to === tab && data.id !== undefined) {
      const done = asked.get(data.id);
      asked.delete(data.id);
      if (data.failed) done?.reject(new Error('It was not done.'));
      else done?.resolve(data.value);
      onChange();
    }
  };

  const mirror: Client = {
    ...known,
    /**
     * As the shipped engine makes it of what was asked and is not yet known to be done. What place that has among what the
     * tab that leads writes is for whoever leads to say: it has none yet.
     */
    get state() {
      let state = { ...known.state, isRestored: false };
      for (const { call } of asked.values())
        if (call.act === 'input') state = step(state, call.args[0] as Input<Draft>).state;
      return state;
    },
    input(input) {
      tell('input', input);
      onChange();
    },
    request: (name, body) => ask('request', name, body) as Promise<never>,
    write(clientId, thread, text, attachments) {
      const { touch } = options;
      const body = { text, attachments, ...(!mirror.conversations.length && { touch }) };
      const queuedAt = performance.timeOrigin + performance.now();
      mirror.input({ type: 'write', clientId, thread, body, queuedAt });
    },
    setTyping: (thread, typing) => tell('typing', thread, typing),
    seen: (conversationId, seq) => tell('seen', conversationId, seq),
    identify(source) {
      tokenOf(source).then(
        (token) => token && tell('identify', token),
        (error) => emit('error', error),
      );
    },
    restart() {
      tell('restart');
      // Not left to a tab that may be frozen.
      forgetKept(inboxId);
      options.storage.clear().catch(() => undefined);
      forget();
    },
    renew: () => tell('renew'),
    check() {
      if (isKept && readKept(inboxId).contactId !== mirror.session?.contactId) forget();
    },
    wake() {
      mirror.check();
      tell('wake');
      if (document.visibilityState === 'visible') tell('request', 'page', pageHere());
    },
    sleep: () => undefined,
    stop: () => undefined,
  };
  const pings = setInterval(() => {
    if (document.visibilityState === 'visible') tell('ping');
  }, pingMs);

  seat.use(mirror);
  navigator.locks
    .request(name, { signal: queue.signal }, () => {
      isGranted = true;
      end();
      return lead();
    })
    .catch((error) => {
      // Given up before it was granted: this tab left, or took the lead.
      if (isGranted) seat.lost(error);
    });
  // What was written here and is not known to have arrived goes on with the tab that leads.
  for (const { clientId, thread, body, queuedAt } of unsaid)
    tell('input', { type: 'write', clientId, thread, body, queuedAt });
  greet();
  mirror.identify(options.identity());
  return end;
}
