import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A telephone exchange as the console meets it: recordings under an address, and a record of each call. */
export interface Exchange {
  /** Its origin; `elsewhere` is the same machine under a name that the console's policy does not admit. */
  origin: string;
  elsewhere: string;
  close(): Promise<void>;
}

const rate = 8_000;

/** Somebody speaks: bursts of a low tone with pauses between. Eight bits, one channel, as exchanges record. */
function recording(seconds: number): Buffer {
  const samples = Buffer.alloc(seconds * rate);
  for (let at = 0; at < samples.length; at += 1) {
    const second = at / rate;
    const loud = Math.max(0, Math.sin(second * 2.1) * Math.sin(second * 0.37 + 1)) ** 0.6;
    samples[at] = 128 + Math.round(100 * loud * Math.sin(second * 2 * Math.PI * 180));
  }
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

export async function startExchange(): Promise<Exchange> {
  const server = createServer((req, res) => {
    const seconds = Number(/^\/rec\/(\d{1,4})\.wav$/.exec(req.url ?? '')?.[1] ?? 0);
    if (seconds === 0) {
      res.writeHead(404).end();
      return;
    }
    const sound = recording(seconds);
    res.writeHead(200, {
      'content-type': 'audio/wav',
      'content-length': sound.length,
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    });
    res.end(sound);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    elsewhere: `http://localhost:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A call as FreeSWITCH writes it down, in JSON. */
export function callRecord(call: {
  id: string;
  from: string;
  to: string;
  extension: string;
  at: Date;
  talkSeconds: number;
  recordUrl?: string;
}): string {
  const epoch = (seconds: number) => String(Math.floor(call.at.getTime() / 1_000) + seconds);
  const isAnswered = call.talkSeconds > 0;
  const rang = isAnswered ? 8 : 21;
  return JSON.stringify({
    channel_data: { direction: 'inbound' },
    variables: {
      uuid: call.id,
      direction: 'inbound',
      start_epoch: epoch(0),
      answer_epoch: isAnswered ? epoch(rang) : '0',
      end_epoch: epoch(rang + call.talkSeconds),
      duration: String(rang + call.talkSeconds),
      billsec: String(call.talkSeconds),
      hangup_cause: isAnswered ? 'NORMAL_CLEARING' : 'NO_ANSWER',
      last_arg: `user/${call.extension}@kestrel.example`,
      ...(call.recordUrl !== undefined && { record_url: call.recordUrl }),
    },
    callflow: [
      {
        profile_index: '1',
        caller_profile: {
          caller_id_name: '',
          caller_id_number: call.from,
          destination_number: call.to,
        },
      },
    ],
  });
}
