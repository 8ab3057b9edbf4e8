import { step } from '../shared/delivery/step.js';
import { type Client, type ClientOptions, createClient, type Draft } from './client.js';
import { storageKey, type ThreadlineEvent } from './shell.js';

/** A tab among those of its browser that hold the same chat. One leads: it has the line and the outbox of all. */
export interface Seat {
  /** Of the lock and the channel. Tabs of another build are none of ours: what is said there has this one's names. */
  name: string;
  options: ClientOptions;
  client: Client;
  /** The tab has another client from here on. */
  use: (client: Client) => void;
  /** Leads, which goes with holding the lock, until it is left. */
  lead: () => Promise<void>;
  /** There is no lock to hold, or another tab took it, because this one seemed dead. */
  lost: (error: Error) => void;
  /** Tells those who follow that something changed, or what happened; there once somebody follows. */
  tell?: ((event?: ThreadlineEvent, detail?: unknown) => void) | undefined;
  /** The engine, for those who follow: a copy of it in their chunk would be loaded twice. */
  step: typeof step<Draft>;
}

/**
 * Seats this tab. Whoever gets the lock leads; the others load what it takes to follow, and wait for the lock, which the
 * browser hands on when a tab ends, however it ends. Where the browser has no locks or channels, or the chunk does not
 * come, the tab has a line of its own: the server takes each message once all the same.
 */
export function takeSeat(
  given: ClientOptions,
  show: (client: Client) => void,
): Pick<Client, 'wake' | 'sleep'> {
  const { emit, onChange } = given;
  let isHere = false;
  let leave = (): void => undefined;
  /** The client with a line; none while this tab follows. */
  let own: Client | undefined;

  const options: ClientOptions = {
    ...given,
    emit(event, detail) {
      emit(event, detail);
      seat.tell?.(event, detail);
    },
    onChange() {
      onChange();
      seat.tell?.();
    },
  };
  const use = (client: Client): void => {
    seat.client = client;
    show(client);
  };
  /** With an engine that reads storage anew: what a page wrote that was here meanwhile waits there, and goes first. */
  function openLine(): void {
    own?.stop();
    use(createClient(options, seat.client));
    own = seat.client;
    own.wake();
  }
  async function lead(): Promise<void> {
    if (!isHere) return;
    const channel = new BroadcastChannel(seat.name);
    channel.onmessage = ({ data }) => {
      // A tab that cannot serve the others does not lead them.
      import('./followers.js').then(({ serve }) => serve(seat, channel, data), lost);
    };
    openLine();
    // Whoever followed another tab follows this one now.
    channel.postMessage(0);
    await new Promise<void>((resolve) => {
      leave = resolve;
    });
    channel.close();
  }
  async function follow(): Promise<void> {
    const { follow } = await import('./followers.js');
    if (!isHere) return;
    own?.stop();
    leave = follow(seat, own);
    own = undefined;
  }
  // Rejects, too, where there are no locks at all.
  const sit = async (): Promise<void> =>
    navigator.locks.request(seat.name, { ifAvailable: true }, (lock) => (lock ? lead() : follow()));
  function lost(error: Error): void {
    leave();
    const taken = error.name === 'AbortError';
    (taken ? follow() : Promise.reject()).catch(() => isHere && openLine());
  }

  own = createClient(options);
  const seat: Seat = {
    name: storageKey(given.inboxId) + import.meta.url,
    options,
    client: own,
    use,
    lead,
    lost,
    step,
  };
  show(own);
  return {
    wake() {
      if (isHere) return seat.client.wake();
      isHere = true;
      seat.client.check();
      sit().catch(lost);
    },
    sleep() {
      isHere = false;
      seat.client.sleep();
      leave();
    },
  };
}
