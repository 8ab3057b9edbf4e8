import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeFigures, readFigures } from '../../../server/cli/figures.js';
import { JobModel } from '../../../server/jobs/model.js';
import { enqueue } from '../../../server/jobs/queue.js';
import { registry } from '../../../server/observe/metrics.js';
import { doctorToken } from '../../../server/observe/token.js';
import { message, openDesk, openTab, say, signInOwner, type TestApp, testApp, toldOf } from '../http/app.js';

const metricsToken = 'a-token-of-prometheus';
let at: TestApp;
let accessToken: string;
beforeAll(async () => {
  at = await testApp({ METRICS_TOKEN: metricsToken });
  accessToken = (await signInOwner(at)).accessToken;
});
afterAll(() => at.stop());

const ask = (authorization?: string) =>
  fetch(`${at.url}/metrics`, { headers: authorization === undefined ? {} : { authorization } });
const figures = async () => readFigures(await (await ask(`Bearer ${metricsToken}`)).text());

describe('who reads the metrics', () => {
  it('is nobody without a token, wherever they come from and whatever else they hold', async () => {
    for (const header of [
      undefined,
      'Bearer ',
      `Bearer ${metricsToken}x`,
      `Bearer ${metricsToken.slice(1)}`,
      `Basic ${metricsToken}`,
      `Bearer ${accessToken}`,
      `Bearer ${at.secretKey}`,
      `Bearer ${doctorToken('another-secret-key-of-32-characters')}`,
    ]) {
      const answer = await ask(header);
      expect([header, answer.status]).toEqual([header, 401]);
      expect(await answer.text()).not.toContain('threadline_');
    }
    expect((await fetch(`${at.url}/metrics?token=${metricsToken}`)).status).toBe(401);
  });

  it('is who holds METRICS_TOKEN, and this installation’s own doctor', async () => {
    for (const token of [metricsToken, doctorToken(at.secretKey)]) {
      const answer = await ask(`Bearer ${token}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
  });
});

describe('the metrics', () => {
  it('count what happens, from the door to the sockets', async () => {
    const before = await figures();
    const grown = async (name: string): Promise<number> =>
      ((await figures()).get(name) ?? 0) - (before.get(name) ?? 0);
    const [visitor, desk] = [await openTab(at), await openDesk(at, accessToken)];
    const asked = message('counted');
    await visitor.ask('message:send', asked);
    expect(await visitor.ask('message:send', asked)).toMatchObject({ ok: true });
    const { conversationId } = await say(visitor, 'and again');
    await expect.poll(() => toldOf(desk, 'event').length).toBeGreaterThanOrEqual(2);
    await visitor.ask('events:read', { conversationId, after: 1 });
    await visitor.ask('message:send', { ...message('no'), conversationId: 'not-mine' });

    expect(await grown('threadline_connections{kind="visitor"}')).toBe(1);
    expect(await grown('threadline_connections{kind="agent"}')).toBe(1);
    expect(await grown('threadline_appends_total{channel="chat",outcome="new"}')).toBe(2);
    expect(await grown('threadline_appends_total{channel="chat",outcome="retry"}')).toBe(1);
    expect(await grown('threadline_append_seconds_count')).toBe(3);
    // Each message opens a conversation, which is an event of its own.
    expect(await grown('threadline_delivery_seconds_count')).toBeGreaterThanOrEqual(2);
    expect(await grown('threadline_store_transaction_seconds_count')).toBeGreaterThanOrEqual(2);
    expect(await grown('threadline_resyncs_total{kind="visitor"}')).toBe(1);
    expect(await grown('threadline_requests_total{kind="visitor",outcome="ok"}')).toBe(4);
    expect(await grown('threadline_requests_total{kind="visitor",outcome="not_found"}')).toBe(1);
    expect(await grown('threadline_present_contacts')).toBe(1);
    expect((await figures()).get('threadline_store_up')).toBe(1);
    expect((await figures()).get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);

    visitor.close();
    desk.close();
    for (const name of ['threadline_connections{kind="visitor"}', 'threadline_present_contacts']) {
      await expect.poll(() => grown(name)).toBe(0);
    }
  });

  it('know how the jobs stand', async () => {
    const scope = { workspaceId: at.workspaceId };
    await enqueue(scope, 'of no process here', {}, { key: 'waits', dueAt: new Date(Date.now() - 600_000) });
    await enqueue(scope, 'of no process here', {}, { key: 'dead' });
    await JobModel.updateOne({ key: 'dead' }, { $set: { state: 'dead' } });
    const found = await figures();
    expect(found.get('threadline_jobs{state="dead"}')).toBe(1);
    expect(found.get('threadline_jobs{state="waiting"}')).toBe(1);
    expect(found.get('threadline_job_oldest_due_seconds')).toBeGreaterThanOrEqual(600);
    const unwell = judgeFigures(found).filter(({ state }) => state !== 'ok');
    expect(unwell.map(({ check }) => check)).toEqual(expect.arrayContaining(['Dead jobs', 'Oldest due job']));
    for (const { remedy } of unwell) expect(remedy).not.toBe('');
    await JobModel.deleteMany({ name: 'of no process here' });
  });

  it('are named by the conventions, explained, and all in docs/operations.md', async () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
    const documented = [...text.matchAll(/^\| `(threadline_\w+)/gm)].map((found) => found[1]);
    const own = (await registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('threadline_'));
    expect(documented.sort()).toEqual(own.map(({ name }) => name).sort());
    for (const { name, help, type } of own) {
      expect(help, name).toMatch(/\.$/);
      // Seconds are the base unit of time; a counter says that it is one.
      if (String(type) === 'counter') expect(name).toMatch(/_total$/);
      if (String(type) === 'histogram') expect(name).toMatch(/_seconds$/);
    }
  });

  it('repeat nothing that a stranger wrote', async () => {
    const canary = 'canary_3f9a';
    const visitor = await openTab(at);
    await visitor.ask('message:send', message(canary));
    await visitor.socket.timeout(5_000).emitWithAck(canary, {});
    await fetch(`${at.url}/${canary}`, { headers: { 'x-request-id': canary } });
    visitor.close();
    const text = await (await ask(`Bearer ${metricsToken}`)).text();
    expect(text).not.toContain(canary);
    expect(text).not.toContain(visitor.session.contactId);
    expect(text).not.toContain(at.workspaceId);
  });
});

describe('the doctor', () => {
  const judge = (text: string) =>
    judgeFigures(readFigures(text)).flatMap(({ check, state }) => (state === 'ok' ? [] : [[check, state]]));

  it('is content with a server that is well', () => {
    expect(judge('')).toEqual([]);
    expect(
      judge('nodejs_eventloop_lag_p99_seconds 0.02\nthreadline_store_up 1\nthreadline_jobs{state="dead"} 0'),
    ).toEqual([]);
  });

  it.each([
    ['nodejs_eventloop_lag_p99_seconds 0.9', 'Event loop', 'warning'],
    ['threadline_store_up 0', 'Store of the server', 'failed'],
    ['threadline_store_ping_seconds 1.5', 'Store latency', 'warning'],
    [
      'threadline_append_seconds_bucket{le="0.5"} 90\nthreadline_append_seconds_bucket{le="1"} 99\nthreadline_append_seconds_bucket{le="+Inf"} 100\nthreadline_append_seconds_count 100',
      'Appends',
      'warning',
    ],
    [
      'threadline_delivery_seconds_bucket{le="10"} 1\nthreadline_delivery_seconds_bucket{le="+Inf"} 9\nthreadline_delivery_seconds_count 9',
      'Delivery',
      'warning',
    ],
    ['threadline_append_queue 19000', 'Waiting at the door', 'warning'],
    [
      'threadline_appends_total{channel="chat",outcome="store_full"} 3',
      'Refused for want of space',
      'failed',
    ],
    ['threadline_requests_total{kind="agent",outcome="internal"} 1', 'Failures', 'warning'],
    ['threadline_http_errors_total{code="internal"} 1', 'Failures', 'warning'],
    ['threadline_jobs{state="dead"} 1', 'Dead jobs', 'warning'],
    ['threadline_job_oldest_due_seconds 301', 'Oldest due job', 'warning'],
  ])('sees %j', (text, check, state) => {
    expect(judge(text)).toEqual([[check, state]]);
  });
});
