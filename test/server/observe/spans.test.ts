import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobKind } from '../../../server/jobs/runner.js';
import { observe } from '../../../server/observe/observe.js';
import { startSpans } from '../../../server/observe/spans.js';
import { AppError } from '../../../shared/errors.js';
import { message, openTab, testApp } from '../http/app.js';

interface Span {
  name: string;
  traceId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code?: number; message?: string };
}

/** A collector as small as can be: takes OTLP as JSON over HTTP and keeps what it was sent. */
let collector: Server;
let endpoint: string;
let received: { path: string | undefined; tenant: unknown; body: string }[];
beforeEach(async () => {
  received = [];
  collector = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    received.push({
      path: req.url,
      tenant: req.headers['x-tenant'],
      body: Buffer.concat(chunks).toString(),
    });
    res.setHeader('content-type', 'application/json').end('{}');
  }).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
afterEach(() => void collector.close());

const spans = (): Span[] =>
  received.flatMap(({ body }) =>
    (JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }).resourceSpans.flatMap(
      ({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans),
    ),
  );
const attribute = ({ attributes }: Span, key: string): unknown =>
  Object.values(attributes.find((one) => one.key === key)?.value ?? {})[0];
const epochMs = (nanoseconds: string): number => Number(BigInt(nanoseconds) / 1_000_000n);

describe('spans', () => {
  it('lead from what a visitor sent to what was told, in one trace, without a word of it', async () => {
    const began = Date.now();
    const at = await testApp({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=kestrel',
    });
    const tab = await openTab(at);
    const sent = message('canary-in-a-span', null, { clientId: 'click-0001' });
    await tab.ask('message:send', sent);
    const refused = message('x'.repeat(8_001), null, { clientId: 'click-0002' });
    expect(await tab.ask('message:send', refused)).toMatchObject({ ok: false });
    tab.close();
    await at.stop();

    expect(received.map(({ path, tenant }) => [path, tenant])).toContainEqual(['/v1/traces', 'kestrel']);
    const clicked = spans().filter((span) => attribute(span, 'threadline.correlation_id') === 'click-0001');
    expect(clicked.map(({ name }) => name).sort()).toEqual(['append', 'deliver']);
    expect(new Set(clicked.map(({ traceId }) => traceId)).size).toBe(1);
    expect(clicked[0]?.traceId).toMatch(/^[0-9a-f]{32}$/);
    for (const span of clicked) {
      expect(attribute(span, 'threadline.workspace_id')).toBe(at.workspaceId);
      expect(epochMs(span.startTimeUnixNano)).toBeGreaterThanOrEqual(began - 1_000);
      expect(epochMs(span.endTimeUnixNano)).toBeLessThanOrEqual(Date.now() + 1_000);
      expect(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano)).toBe(true);
    }
    expect(JSON.stringify(received)).not.toContain('canary-in-a-span');
    expect(JSON.stringify(received)).not.toContain(tab.session.token);
  });

  it('lead on to a job, in whatever process and however much later it runs', async () => {
    const one = startSpans({ endpoint, headers: {} }, 'test');
    one.record({ name: 'append', correlationId: 'click-0003', from: 1_000, to: 1_002, attributes: {} });
    await one.close();
    const observer = observe(startSpans({ endpoint, headers: {} }, 'test'));
    const [job] = observer.jobs<JobKind>([
      {
        name: 'fails',
        run: async () => {
          throw new AppError('store_unavailable', { problem: 'canary' });
        },
        attempts: 1,
        backoffMs: 1,
        backoffMaxMs: 1,
      },
    ]);
    const context = {
      jobId: 'job-1',
      workspaceId: 'w',
      attempt: 2,
      fence: 1,
      signal: new AbortController().signal,
      progress: async () => {},
      confirmHold: async () => {},
    };
    await expect(job?.run({ clientId: 'click-0003' }, context)).rejects.toThrow(AppError);
    await observer.close();
    expect(spans().map(({ name, status }) => [name, status.code, status.message])).toEqual([
      ['append', 0, undefined],
      ['job fails', 2, 'store_unavailable'],
    ]);
    expect(new Set(spans().map(({ traceId }) => traceId)).size).toBe(1);
    expect(JSON.stringify(received)).not.toContain('canary');
  });

  it('hold nothing up when the collector is not there', async () => {
    collector.close();
    const lost = startSpans({ endpoint, headers: {} }, 'test');
    for (let n = 0; n < 10_000; n += 1)
      lost.record({ name: 'append', correlationId: `click-${n}`, from: 1, to: 2, attributes: {} });
    const began = performance.now();
    await lost.close();
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('cost nothing where none is configured: one module knows them, and only a dynamic import leads to it', () => {
    const root = join(import.meta.dirname, '../../../server');
    const importers = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => {
        const source = readFileSync(join(root, file), 'utf8');
        return /from '@opentelemetry|^import (?!type)[^;]*\/spans\.js'/m.test(source);
      });
    expect(importers).toEqual([join('observe', 'spans.ts')]);
  });
});
