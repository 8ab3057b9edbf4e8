import type { ConversationList, SessionAnswer } from '../../shared/api.js';
import type { Cluster } from './programs.js';

/** Who works there, by the routes that everybody uses. */
export interface Office {
  workspaceId: string;
  inboxId: string;
  /** Conversations by e-mail: what is answered there leaves as a letter. */
  letters: string[];
  accessToken: () => Promise<string>;
}

const owner = {
  workspace: 'Kestrel Cycles',
  name: 'Anna Weiss',
  email: 'anna@kestrel.example',
  password: 'correct horse battery',
};
/** An access token lives for a quarter of an hour, by the clock of whoever looks at it. */
const tokenFreshMs = 5 * 60_000;

/** Sets the installation up, with that many conversations by e-mail. `port` is the balancer's. */
export async function openOffice(cluster: Cluster, port: number, letters: number): Promise<Office> {
  const first = cluster.servers[0];
  if (!first) throw new Error('There is no server.');
  const token = /#setup=([0-9A-Za-z_-]{20,100})/.exec(first.printed())?.[1];
  const ask = async <Answer>(path: string, accessToken: string | null, body?: object): Promise<Answer> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(accessToken && { authorization: `Bearer ${accessToken}` }),
      },
    });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  };
  const session = await ask<SessionAnswer>('/api/setup', null, { ...owner, token });
  const workspaceId = session.agent.workspaces[0]?.id ?? '';
  const page = await (await fetch(`${first.url}/demo`)).text();
  const inboxId = /data-inbox="([^"]+)"/.exec(page)?.[1] ?? '';

  for (let at = 0; at < letters; at += 1) await cluster.cli(['mail', 'import', '-'], letter(at));
  const list = await ask<ConversationList>(
    `/api/workspaces/${workspaceId}/conversations?view=all&limit=50`,
    session.accessToken,
  );
  let signedIn = { token: session.accessToken, at: performance.now() };
  return {
    workspaceId,
    inboxId,
    letters: list.rows.filter(({ channel }) => channel === 'email').map(({ id }) => id),
    async accessToken() {
      if (performance.now() - signedIn.at > tokenFreshMs) {
        const { email, password } = owner;
        const again = await ask<SessionAnswer>('/api/sessions', null, { email, password });
        signedIn = { token: again.accessToken, at: performance.now() };
      }
      return signedIn.token;
    },
  };
}

const letter = (at: number): string =>
  [
    `From: Customer ${at} <customer-${at}@okafor.example>`,
    'To: help@kestrel.example',
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Subject: Question ${at}`,
    `Message-ID: <question-${at}@okafor.example>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    `Where is order ${at}?`,
    '',
  ].join('\r\n');
