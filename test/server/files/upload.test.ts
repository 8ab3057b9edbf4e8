import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlobModel, FileModel } from '../../../server/files/model.js';
import { limits } from '../../../shared/limits.js';
import { openTab, post, type Tab, type TestApp, testApp, visitorAuth } from '../http/app.js';

let at: TestApp;
let dataDir: string;
let tab: Tab;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'threadline-upload-'));
  at = await testApp({ DATA_DIR: dataDir, LIMITS: 'off' });
  tab = await openTab(at);
});
afterAll(async () => {
  tab.close();
  await at.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** What is left of uploads that were refused: rows, contents, and pieces that were still arriving. */
const left = async () => ({
  rows: await FileModel.countDocuments({ workspaceId: at.workspaceId }),
  blobs: await BlobModel.countDocuments({ workspaceId: at.workspaceId }),
  arriving: readdirSync(join(dataDir, 'files', 'arriving')).length,
});

interface Raw {
  headers: string[];
  /** Pieces of the body as they go out, chunk framing included. */
  body: Iterable<Buffer>;
  /** Ends the connection after the last piece. */
  hangUp?: boolean;
}

/** An upload byte by byte, as no library would send it. Answers with the status, or `cut` when there was none. */
function send({ headers, body, hangUp = false }: Raw): Promise<number | 'cut'> {
  return new Promise((resolve) => {
    const socket = connect(at.app.port, '127.0.0.1');
    let answer = '';
    const finish = () => {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1];
      resolve(status === undefined ? 'cut' : Number(status));
      socket.destroy();
    };
    socket.on('data', (data) => {
      answer += data.toString('latin1');
      if (answer.includes('\r\n\r\n')) finish();
    });
    socket.on('error', finish);
    socket.on('close', finish);
    socket.on('connect', async () => {
      const start = [
        'POST /v1/visitor/files HTTP/1.1',
        'host: x',
        `authorization: Bearer ${tab.session.token}`,
      ];
      socket.write(`${[...start, ...headers].join('\r\n')}\r\n\r\n`);
      for (const piece of body) {
        if (socket.destroyed) return;
        if (!socket.write(piece)) await new Promise((drained) => socket.once('drain', drained));
      }
      if (hangUp) socket.end();
    });
  });
}

const named = 'x-file-name: a.bin';
const megabyte = randomBytes(1024 * 1024);
const chunk = (bytes: Buffer) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
function* chunked(megabytes: number): Generator<Buffer> {
  for (let n = 0; n < megabytes; n += 1) yield chunk(megabyte);
  yield Buffer.from('0\r\n\r\n');
}

describe('an upload that lies', () => {
  it.each<[string, Raw, (number | 'cut')[]]>([
    [
      'of no stated length, a byte over the limit',
      { headers: [named, 'transfer-encoding: chunked'], body: chunked(26) },
      [413],
    ],
    [
      'declared over the limit',
      { headers: [named, `content-length: ${limits.attachmentBytes + 1}`], body: [] },
      [413],
    ],
    [
      'declared beyond all numbers',
      { headers: [named, 'content-length: 99999999999999999999'], body: [] },
      [400, 413],
    ],
    ['declared as less than nothing', { headers: [named, 'content-length: -1'], body: [] }, [400]],
    [
      'declared twice',
      { headers: [named, 'content-length: 1', 'content-length: 2'], body: [Buffer.from('ab')] },
      [400],
    ],
    [
      'declared and in chunks as well',
      { headers: [named, 'content-length: 5', 'transfer-encoding: chunked'], body: chunked(1) },
      [400],
    ],
    [
      'shorter than declared',
      { headers: [named, 'content-length: 1000'], body: [Buffer.from('abc')], hangUp: true },
      [400, 'cut'],
    ],
    [
      'broken off in a chunk',
      { headers: [named, 'transfer-encoding: chunked'], body: [Buffer.from('ff\r\nabc')], hangUp: true },
      [400, 'cut'],
    ],
    [
      'in a chunk of no number',
      { headers: [named, 'transfer-encoding: chunked'], body: [Buffer.from('zz\r\nabc\r\n')] },
      [400],
    ],
    [
      'packed',
      { headers: [named, 'content-encoding: gzip', 'content-length: 3'], body: [Buffer.from('abc')] },
      [400],
    ],
    ['without a name', { headers: ['content-length: 3'], body: [Buffer.from('abc')] }, [400]],
    [
      'under a name that is no UTF-8',
      { headers: ['x-file-name: %ff%fe', 'content-length: 3'], body: [Buffer.from('abc')] },
      [400],
    ],
    [
      'under a name beyond all names',
      { headers: [`x-file-name: ${'a'.repeat(3_000)}`, 'content-length: 3'], body: [Buffer.from('abc')] },
      [400],
    ],
  ])('%s is refused, and nothing of it is left', async (_what, raw, accepted) => {
    expect(accepted).toContain(await send(raw));
    // Nothing was kept before: all that is there may only still be going.
    await expect.poll(left).toEqual({ rows: 0, blobs: 0, arriving: 0 });
    expect((await fetch(`${at.url}/healthz`)).status).toBe(200);
  });

  it('takes exactly as much as a file may be, in chunks too', async () => {
    expect(await send({ headers: [named, 'transfer-encoding: chunked'], body: chunked(25) })).toBe(201);
  });
});

describe('an upload', () => {
  const upload = (name: string, content: BodyInit, type = 'application/octet-stream') =>
    fetch(`${at.url}/v1/visitor/files`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tab.session.token}`,
        'x-file-name': encodeURIComponent(name),
        'content-type': type,
      },
      body: content,
    }).then((answer) => answer.json() as Promise<{ fileId: string; name: string; type: string }>);

  it.each([
    ['../../etc/passwd', 'passwd'],
    ['..\\..\\windows\\system32\\cmd.exe', 'cmd.exe'],
    ['/etc/shadow', 'shadow'],
    ['C:\\a\\b.txt', 'b.txt'],
    ['invoice\u202Efdp.exe', 'invoicefdp.exe'],
    ['a\u0000.png', 'a.png'],
    ['a\r\nSet-Cookie: x=1.txt', 'aSet-Cookie_ x=1.txt'],
    ['....', 'file'],
    ['', 'file'],
    ['CON.txt', '_CON.txt'],
  ])('called %j is called %j', async (given, kept) => {
    expect((await upload(given, 'x')).name).toBe(kept);
  });

  it.each([
    ['image/png', '<html><script>alert(1)</script>', 'text/plain'],
    ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 'text/plain'],
    ['text/html', '\u0001\u0002\u0003', 'application/octet-stream'],
    ['image/jpeg', '%PDF-1.7 <script>', 'application/pdf'],
    ['application/json', '{"a":1}', 'text/plain'],
  ])('that says it is %s is what its bytes are', async (claimed, content, type) => {
    const ref = await upload('a.png', content, claimed);
    // Even a route that reads JSON elsewhere takes the bytes as they are here.
    expect(ref.type).toBe(type);
  });

  it('that was not sent yet is nobody’s to fetch, not even by who uploaded it; sent, it is theirs alone', async () => {
    const ref = await upload('kept.txt', 'canary');
    const stranger = await post(at, '/v1/visitor/session', visitorAuth(at));
    const fetchAs = (token: string) =>
      fetch(`${at.url}/v1/visitor/files/${ref.fileId}`, { headers: { authorization: `Bearer ${token}` } });
    expect((await fetchAs(tab.session.token)).status).toBe(404);
    expect((await fetchAs(String(stranger.body.token))).status).toBe(404);
    const body = { clientId: 'client-file', conversationId: null, text: '', attachments: [ref], waitedMs: 0 };
    expect(await tab.ask('message:send', body)).toMatchObject({ ok: true });
    const own = await fetchAs(tab.session.token);
    expect([own.status, await own.text()]).toEqual([200, 'canary']);
    expect(own.headers.get('vary')).toMatch(/authorization/i);
    expect((await fetchAs(String(stranger.body.token))).status).toBe(404);
    expect((await fetch(`${at.url}/v1/visitor/files/${ref.fileId}`)).status).toBe(401);
  });
});
