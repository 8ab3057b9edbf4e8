import { mount as mountPanel } from '../../widget/panel.js';
import type { Lent, PanelHandle } from '../../widget/shell.js';
import { type FakeLine, fakeLine, message } from './fake-line.js';

/** The panel on a line of the page's own, for pictures: `?scene=` says what stands in it. */
declare global {
  interface Window {
    stage?: FakeLine;
  }
}

export function mount(shell: Lent): PanelHandle {
  const scene = new URLSearchParams(location.search).get('scene');
  const talk = [
    message(1, 'visitor', 'Bought one. Now I get this:', 40),
    message(
      2,
      'anna',
      'E-07 is the speed sensor, not the motor. Three checks:\n\n1. Find the magnet on the spoke.\n2. It should pass within 1 cm.\n3. Turn the bike off and on.\n\nhttps://kestrel.example/speed-sensor',
      31,
    ),
    message(3, 'visitor', 'Magnet was 2 cm off!', 5),
  ];
  const { line, openLine } = fakeLine(scene === 'talk' || scene === 'offline' ? talk : [], {
    asksForEmail: scene === 'form',
  });
  window.stage = line;
  line.session.inbox.availability.agents.push({ id: 'priya', name: 'Priya Nair' });
  const handle = mountPanel(shell, openLine);
  const after = (ms: number, work: () => void): void => void setTimeout(work, ms);
  const root = (): ShadowRoot | null | undefined =>
    shell.host.shadowRoot?.querySelector('threadline-panel')?.shadowRoot;
  const write = (text: string): void => {
    const field = root()?.querySelector('textarea');
    if (!field) return;
    field.value = text;
    field.dispatchEvent(new Event('input'));
    root()?.querySelector('form')?.requestSubmit();
  };
  if (scene === 'talk') {
    after(200, () => line.notice('typing', { conversationId: 'conv-1', typing: true, name: 'Anna Weber' }));
  }
  if (scene === 'offline') {
    after(150, () => {
      line.refuseWith = { code: 'message_too_long', retry: 'changed' };
      write('IMG_2291.heic');
    });
    after(300, () => {
      line.cut();
      write('If yes I can come at six.');
    });
  }
  return handle;
}
