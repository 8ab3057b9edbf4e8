import { sendKeys, setViewport } from '@web/test-runner-commands';
import { expect } from './fixtures/expect.js';
import { faults, find, findAll, mount, shows, unmount, until } from './fixtures/mount.js';
import { refusal } from './fixtures/server.js';
import { rows } from './fixtures/world.js';

const inbox = '/w/kestrel/inbox/all';
const daniel = `${inbox}/daniel`;

/** Sending is possible once it is known how the answer travels and the text has been taken. */
async function clickSend(): Promise<void> {
  const send = await until(() => {
    const button = find('.composer .send') as HTMLButtonElement | null;
    return button && !button.disabled ? button : null;
  }, 'it to be sendable');
  send.click();
}

describe('the console', () => {
  beforeEach(() => setViewport({ width: 1440, height: 900 }));
  afterEach(unmount);

  describe('is accessible', () => {
    const places: [string, string, () => Promise<unknown>][] = [
      ['the inbox with a conversation and its timeline', daniel, () => shows('.tl .ev.mergeev')],
      ['an e-mail conversation', `${inbox}/hannah`, () => shows('.composer .notice')],
      ['an empty view', '/w/kestrel/inbox/spam', () => shows('.blank h3')],
      ['a contact page', '/w/kestrel/contacts/c-daniel', () => shows('.wide .tl .ev')],
      ['the contacts', '/w/kestrel/contacts', () => shows('a.person')],
      ['the profile', '/w/kestrel/settings/profile', () => shows('.settings-page form')],
      ['an inbox’s settings', '/w/kestrel/settings/inboxes/shop', () => shows('.copyable')],
      ['the agents', '/w/kestrel/settings/agents', () => shows('.team li')],
    ];
    for (const theme of ['light', 'dark'])
      for (const [name, address, ready] of places)
        it(`${name}, ${theme}`, async () => {
          const { app } = await mount(address);
          app.preferences.set({ ...app.preferences.get(), theme: theme as 'light' });
          await ready();
          expect(await faults()).sameAs([]);
        });

    it('the sign-in, with a wrong password', async () => {
      await mount('/', (server) => {
        server.transport.refresh = () => Promise.reject(refusal('unauthorized'));
        server.answer = (method, path) => {
          if (method === 'POST' && path === '/api/sessions') throw refusal('credentials_wrong');
          return undefined;
        };
      });
      await shows('.signin form');
      (find('[name=email]') as HTMLInputElement).value = 'anna@kestrel.example';
      (find('[name=password]') as HTMLInputElement).value = 'not the password';
      find('.signin .btn.pri')!.click();
      await shows('.err', 'do not match');
      expect(await faults()).sameAs([]);
    });

    it('palette, sheet, merge dialog, toast and errors', async () => {
      const { app } = await mount(daniel);
      await shows('.suggest');
      app.keys.run('palette');
      await shows('dialog.palette .opt');
      expect(await faults(), 'palette').sameAs([]);
      await sendKeys({ press: 'Escape' });
      await until(() => !find('dialog'), 'the palette to close');
      app.keys.run('sheet');
      await shows('dialog.sheet');
      expect(await faults(), 'sheet').sameAs([]);
      await sendKeys({ press: 'Escape' });
      await until(() => !find('dialog'), 'the sheet to close');
      find('.suggest .btn', 'Compare')!.click();
      await shows('dialog.merge .strands');
      expect(await faults(), 'merge').sameAs([]);
    });

    it('on a phone: list, conversation, timeline', async () => {
      await setViewport({ width: 360, height: 740 });
      for (const address of [inbox, daniel, `${daniel}?timeline=1`]) {
        await mount(address);
        await shows(address === inbox ? '.row' : address === daniel ? '.msg' : '.tl .ev');
        expect(await faults(), address).sameAs([]);
        unmount();
      }
    });
  });

  describe('by keyboard alone', () => {
    it('goes down and up the list with j and k, and back with Escape', async () => {
      const { app } = await mount(inbox);
      await until(() => findAll('.row').length === rows.length, 'the rows');
      await sendKeys({ press: 'j' });
      await sendKeys({ press: 'j' });
      await until(() => location.pathname.endsWith('/hannah'), 'the second conversation');
      expect(find('.row[aria-selected=true]')!.textContent).contains('Hannah');
      await sendKeys({ press: 'k' });
      await until(() => location.pathname.endsWith('/olga'), 'the first');
      await sendKeys({ press: 'Escape' });
      expect('conversationId' in app.route.get()).is(false);
    });

    it('answers with r and Ctrl+Enter; what was sent stands in the conversation once', async () => {
      const { server } = await mount(daniel);
      await shows('.msg');
      await sendKeys({ press: 'r' });
      await until(() => document.activeElement?.tagName === 'TEXTAREA', 'the composer to have the focus');
      await sendKeys({ type: 'Tonight after six, then. jkre' });
      await until(() => !(find('.composer .send') as HTMLButtonElement).disabled, 'it to be sendable');
      await sendKeys({ down: 'Control' });
      await sendKeys({ press: 'Enter' });
      await sendKeys({ up: 'Control' });
      await until(() => server.sent.some((one) => one.name === 'message:send'), 'the sending');
      await shows('.msg.ours', 'Tonight after six');
      expect(findAll('.msg').filter((one) => one.textContent?.includes('Tonight after six'))).hasLength(1);
      expect(location.pathname).is(daniel);
      expect((find('textarea') as HTMLTextAreaElement).value).is('');
    });

    it('sends what was finished before the server had said how it travels, once it has', async () => {
      let told = (_detail: unknown): void => undefined;
      const detail = new Promise((resolve) => {
        told = resolve;
      });
      const { server } = await mount(daniel, (made) => {
        made.answer = (method, path) =>
          method === 'GET' && path.endsWith('/conversations/daniel') ? detail : undefined;
      });
      await shows('.msg');
      await sendKeys({ press: 'r' });
      await until(() => document.activeElement?.tagName === 'TEXTAREA', 'the composer to have the focus');
      await sendKeys({ type: 'Quick one' });
      await sendKeys({ down: 'Control' });
      await sendKeys({ press: 'Enter' });
      await sendKeys({ up: 'Control' });
      expect(server.sent.filter((one) => one.name === 'message:send')).hasLength(0);
      const row = rows.find((one) => one.id === 'daniel');
      told({ ...row, reply: { by: 'chat', online: true }, contactReadSeq: 2 });
      await shows('.msg.ours', 'Quick one');
      expect(server.sent.filter((one) => one.name === 'message:send')).hasLength(1);
    });

    it('writes a note with n, on yellow paper, to colleagues only', async () => {
      const { server } = await mount(daniel);
      await shows('.msg');
      await sendKeys({ press: 'n' });
      await shows('.composer.is-note');
      await until(() => document.activeElement?.tagName === 'TEXTAREA', 'the focus');
      await sendKeys({ type: 'Bracket is on the shelf' });
      await clickSend();
      await until(() => server.sent.find((one) => one.name === 'message:send'), 'the sending');
      expect((server.sent.find((one) => one.name === 'message:send')!.body as { mode: string }).mode).is(
        'note',
      );
    });

    it('closes with e, moves on, and undoes with Ctrl+Z', async () => {
      const { app } = await mount(daniel);
      await shows('.msg');
      await sendKeys({ press: 'e' });
      await shows('.toast', 'Closed #4182');
      expect(find('.row', 'Daniel Okafor')).is(null);
      expect(location.pathname).is(`${inbox}/lyon`);
      await sendKeys({ down: 'Control' });
      await sendKeys({ press: 'z' });
      await sendKeys({ up: 'Control' });
      await until(() => app.rows.of('daniel').get()?.status === 'open', 'it to be open again');
    });

    it('assigns with a, an arrow and Enter', async () => {
      const { app } = await mount(`${inbox}/lyon`);
      await shows('.composer textarea');
      await sendKeys({ press: 'a' });
      await shows('[role=menu]');
      await sendKeys({ press: 'Home' });
      await sendKeys({ press: 'ArrowDown' });
      await sendKeys({ press: 'Enter' });
      await until(() => app.rows.of('lyon').get()?.assigneeId === 'tomas', 'Tomás to have it');
      expect(find('[role=menu]')).is(null);
    });

    it('joins a suggested contact with y', async () => {
      const { server } = await mount(daniel);
      await shows('.suggest');
      await sendKeys({ press: 'y' });
      await until(
        () => server.asked.some((one) => one.path.endsWith('/contacts/c-daniel/merges')),
        'the merge',
      );
      await shows('.toast', 'Merged with D. Okafor');
    });

    it('runs a command from the palette', async () => {
      await mount(daniel);
      await shows('.msg');
      await sendKeys({ down: 'Control' });
      await sendKeys({ press: 'k' });
      await sendKeys({ up: 'Control' });
      await shows('dialog.palette');
      await sendKeys({ type: 'contacts' });
      await sendKeys({ press: 'Enter' });
      await until(() => location.pathname === '/w/kestrel/contacts', 'the contacts');
    });

    it('goes from event to event in the year picture', async () => {
      await mount(daniel);
      await shows('.time .tl .ev');
      const slider = await until(() => find('.time [role=slider]'), 'the picture');
      slider.focus();
      await sendKeys({ press: 'End' });
      await until(() => slider.getAttribute('aria-valuetext')?.startsWith('Chat, 23 Nov'), 'the last event');
      await sendKeys({ press: 'Home' });
      await until(() => slider.getAttribute('aria-valuetext')?.includes('4 Dec 2025'), 'the first event');
    });

    it('lets single letters be switched off', async () => {
      const { app } = await mount(inbox);
      await until(() => findAll('.row').length === rows.length, 'the rows');
      app.preferences.set({ ...app.preferences.get(), shortcuts: false });
      await sendKeys({ press: 'j' });
      await sendKeys({ press: 'ArrowDown' });
      await until(() => location.pathname.endsWith('/olga'), 'the arrow, and only the arrow, to have moved');
    });
  });

  describe('is calm', () => {
    it('lets new rows wait behind the chip and moves nothing', async () => {
      const { server } = await mount(inbox);
      await until(() => findAll('.row').length === rows.length, 'the rows');
      const before = findAll('.row').map((row) => row.textContent);
      server.tell('conversation', {
        ...rows[0],
        id: 'fresh',
        subject: 'Fresh',
        lastAt: new Date().toISOString(),
      });
      await shows('.chip.new', '1 new');
      expect(findAll('.row').map((row) => row.textContent)).sameAs(before);
    });

    it('says what it is offline, keeps what is written, and sends it when the connection is back', async () => {
      const { server } = await mount(daniel);
      await shows('.msg');
      server.live.online.set(false);
      await shows('.banner', 'Offline since');
      await shows('.via', 'Sends when you are online');
      await sendKeys({ press: 'r' });
      await until(() => document.activeElement?.tagName === 'TEXTAREA', 'the focus');
      await sendKeys({ type: 'Kept' });
      await clickSend();
      await shows('.msg.ours .st', 'will send when online');
      server.live.online.set(true);
      await until(() => !find('.msg .st', 'will send') && find('.msg.ours', 'Kept'), 'it to be sent');
    });

    it('keeps a text over the limit and names the limit', async () => {
      await mount(daniel);
      const area = (await shows('.composer textarea')) as HTMLTextAreaElement;
      area.value = 'x'.repeat(8_001);
      area.dispatchEvent(new Event('input', { bubbles: true }));
      await shows('.composer .err', '8,000');
      expect((find('.composer .send') as HTMLButtonElement).disabled).is(true);
      expect(area.value).hasLength(8_001);
    });

    it('keeps a draft for each conversation and mode', async () => {
      const { app } = await mount(daniel);
      const area = (await shows('.composer textarea')) as HTMLTextAreaElement;
      area.value = 'half a sentence';
      area.dispatchEvent(new Event('input', { bubbles: true }));
      await sendKeys({ press: 'Escape' });
      app.go({ page: 'inbox', workspaceId: 'kestrel', view: 'all', sort: 'waiting', conversationId: 'lyon' });
      await until(() => (find('textarea') as HTMLTextAreaElement | null)?.value === '', 'another composer');
      await shows('.row', 'half a sentence');
      app.go({
        page: 'inbox',
        workspaceId: 'kestrel',
        view: 'all',
        sort: 'waiting',
        conversationId: 'daniel',
      });
      await until(
        () => (find('textarea') as HTMLTextAreaElement | null)?.value === 'half a sentence',
        'the draft',
      );
    });

    it('shows what failed, what still works, and lets one try again', async () => {
      let isBroken = true;
      await mount(daniel, (server) => {
        server.answer = (_method, path) => {
          if (isBroken && path.includes('/timeline')) throw refusal('internal');
          return undefined;
        };
      });
      await shows('.time .blank h3', 'The timeline did not load');
      expect(await faults()).sameAs([]);
      isBroken = false;
      find('.time .blank .btn')!.click();
      await shows('.time .tl .ev');
    });

    it('keeps a message that was refused, with the reason, until somebody decides', async () => {
      await mount(daniel, (server) => {
        server.answer = (_method, path) => {
          if (path === 'message:send') throw refusal('blocked');
          return undefined;
        };
      });
      const area = (await shows('.composer textarea')) as HTMLTextAreaElement;
      await shows('.via', 'online');
      area.value = 'Refused words';
      area.dispatchEvent(new Event('input', { bubbles: true }));
      await clickSend();
      await shows('.msg.fail', 'Refused words');
      find('.msg.fail .btn', 'Edit')!.click();
      await until(
        () => (find('textarea') as HTMLTextAreaElement).value === 'Refused words',
        'the text to be back',
      );
    });
  });
});
