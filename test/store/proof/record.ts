import { spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * What a store process asked the kernel to do with its files and its clients' sockets, from the record of `strace`.
 * Times are places in the record: a call begins at one and ends at a later one. `strace` holds a thread at both, so that
 * whatever waits for a call's end also stands after it here.
 */
interface Span {
  begun: number;
  ended: number;
  /** The kernel said no. What was not yet synced may be lost for good: a later sync does not bring it back. */
  failed: boolean;
}
export interface Write extends Span {
  kind: 'write';
  path: string;
  offset: number;
  data: Buffer;
  /** Written through a descriptor opened O_DSYNC: on disk when the call ends. */
  isSynced: boolean;
}
interface Sync extends Span {
  kind: 'sync';
  path: string;
}
/** A folder's entry that was made, moved or removed: undone by a power loss unless the folder was synced since. */
export interface Name extends Span {
  kind: 'name';
  change: 'made' | 'moved' | 'removed';
  path: string;
  /** Where it was moved to. */
  to?: string;
}
interface Answer extends Span {
  kind: 'answer';
  socket: string;
  data: Buffer;
}
export type Entry = Write | Sync | Name | Answer;

const traced = [
  ...[
    'openat',
    'close',
    'mkdir',
    'rename',
    'renameat2',
    'unlink',
    'unlinkat',
    'ftruncate',
    'fallocate',
    'mmap',
    'lseek',
  ],
  ...['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2', 'sendto', 'sendmsg'],
  ...['fsync', 'fdatasync', 'msync', 'sync_file_range', 'io_uring_setup'],
];

/** The command that runs another one and records it; `faults` are strace's own injections. */
export const straceTo = (file: string, faults: string[] = []): string[] => [
  ...['strace', '-f', '--seccomp-bpf', '-yy', '-xx', '-s', '100000000', '-o', file],
  ...['-e', `trace=${traced.join(',')}`],
  ...faults.flatMap((fault) => ['-e', `inject=${fault}`]),
];

/** Whether this machine lets one process trace another. */
export const canTrace = (): boolean =>
  spawnSync('strace', ['-o', '/dev/null', 'true'], { stdio: 'ignore' }).status === 0;

const hex = /"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g;

function bytes(escaped: string): Buffer {
  return Buffer.from(escaped.replaceAll('\\x', ''), 'hex');
}

function stringsIn(text: string): Buffer[] {
  return [...text.matchAll(hex)].map(([, escaped = '', cut]) => {
    if (cut) throw new Error('strace cut a string short');
    return bytes(escaped);
  });
}

const unescaped = (text: string) => text.replace(/(?:\\x[0-9a-f]{2})+/g, (found) => bytes(found).toString());

interface Call {
  name: string;
  argument: string;
  result: string;
  begun: number;
  ended: number;
}

/** The record's calls, in the order in which they ended. */
async function* callsIn(file: string): AsyncGenerator<Call> {
  const unfinished = new Map<string, { name: string; argument: string; begun: number }>();
  let place = 0;
  for await (const line of createInterface({ input: createReadStream(file, 'latin1') })) {
    place += 2;
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/s.exec(line) ?? [];
    const cut = /^(\w+)\((.*) <unfinished \.\.\.>$/s.exec(rest);
    if (cut) {
      unfinished.set(thread, { name: cut[1]!, argument: cut[2]!, begun: place });
      continue;
    }
    const resumed = /^<\.\.\. (\w+) resumed>(.*?)\) += (.*)$/s.exec(rest);
    if (resumed) {
      const first = unfinished.get(thread);
      unfinished.delete(thread);
      if (!first || first.name !== resumed[1])
        throw new Error(`a call resumed that never began: ${rest.slice(0, 80)}`);
      yield { ...first, argument: first.argument + resumed[2]!, result: resumed[3]!, ended: place };
      continue;
    }
    const whole = /^(\w+)\((.*)\) += (.*)$/s.exec(rest);
    if (whole)
      yield { name: whole[1]!, argument: whole[2]!, result: whole[3]!, begun: place, ended: place + 1 };
  }
  // Killed in the middle: what it was doing then may or may not have come about.
  for (const first of unfinished.values()) yield { ...first, result: '?', ended: Number.POSITIVE_INFINITY };
}

/** @throws when the store did something with its files that this reader would have to know about, and does not */
export async function readRecord(file: string, directory: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  const positions = new Map<string, number>();
  const syncedDescriptors = new Set<string>();
  const named = new Set<string>();
  const isOurs = (path: string) => path.startsWith(`${directory}/`) && !path.endsWith('-lock');

  for await (const { name, argument, result, begun, ended } of callsIn(file)) {
    // An injected success is a lie of ours: the kernel did nothing.
    const failed = result.startsWith('-1') || (result.includes('INJECTED') && !result.startsWith('-1'));
    const span = { begun, ended, failed };
    const [, descriptor = '', shown = ''] = /^(\d+)<((?:[^<>]|<[^>]*>|->)*)>/.exec(argument) ?? [];
    const path = unescaped(shown);
    switch (name) {
      case 'openat': {
        const opened = /^(\d+)</.exec(result)?.[1];
        const target = stringsIn(argument)[0]?.toString() ?? '';
        if (opened === undefined) break;
        positions.set(opened, 0);
        if (/O_D?SYNC/.test(argument)) syncedDescriptors.add(opened);
        else syncedDescriptors.delete(opened);
        if (isOurs(target) && argument.includes('O_CREAT') && !named.has(target)) {
          named.add(target);
          entries.push({ kind: 'name', change: 'made', path: target, ...span });
        }
        if (isOurs(target) && argument.includes('O_TRUNC'))
          throw new Error(`${target} is emptied when opened`);
        break;
      }
      case 'mkdir': {
        const target = stringsIn(argument)[0]?.toString() ?? '';
        if (!failed && (target === directory || isOurs(target))) {
          named.add(target);
          entries.push({ kind: 'name', change: 'made', path: target, ...span });
        }
        break;
      }
      case 'lseek':
        if (!failed) positions.set(descriptor, Number(result.split(' ')[0]));
        break;
      case 'write':
      case 'writev':
      case 'pwrite64':
      case 'pwritev':
      case 'pwritev2':
      case 'sendto':
      case 'sendmsg': {
        if (shown.startsWith('UNIX-STREAM') || shown.startsWith('TCP')) {
          entries.push({
            kind: 'answer',
            socket: shown,
            data: Buffer.concat(stringsIn(argument.slice(argument.indexOf('>,')))),
            ...span,
          });
          break;
        }
        if (!isOurs(path)) break;
        const data = Buffer.concat(stringsIn(argument.slice(argument.indexOf('>,'))));
        const written = Number(result.split(' ')[0]);
        if (!failed && Number.isFinite(ended) && written !== data.length)
          throw new Error(`${name} of ${data.length} bytes wrote ${result}`);
        const isAtPlace = name.startsWith('p');
        const offset = isAtPlace
          ? Number((name === 'pwritev2' ? /, (\d+), \w+$/ : /, (\d+)$/).exec(argument)?.[1])
          : (positions.get(descriptor) ?? Number.NaN);
        if (!Number.isFinite(offset)) throw new Error(`${name}: where to is not known`);
        if (!isAtPlace && !failed) positions.set(descriptor, offset + data.length);
        entries.push({
          kind: 'write',
          path,
          offset,
          data,
          isSynced: syncedDescriptors.has(descriptor),
          ...span,
        });
        break;
      }
      case 'fsync':
      case 'fdatasync':
        if (isOurs(path) || path === directory || directory.startsWith(`${path}/`))
          entries.push({ kind: 'sync', path, ...span });
        break;
      case 'mmap':
        if (isOurs(unescaped(argument)) && argument.includes('PROT_WRITE'))
          throw new Error('the store writes through a mapping, which strace cannot see');
        if (/PROT_WRITE.*MAP_SHARED/.test(argument)) {
          const mapped = unescaped(/, \d+<([^>]*)>/.exec(argument)?.[1] ?? '');
          if (isOurs(mapped))
            throw new Error(`${mapped} is written through a mapping, which strace cannot see`);
        }
        break;
      case 'rename':
      case 'unlink': {
        const [from = '', to = ''] = stringsIn(argument).map(String);
        if (failed || !isOurs(from)) break;
        named.delete(from);
        if (name === 'unlink') entries.push({ kind: 'name', change: 'removed', path: from, ...span });
        else {
          named.add(to);
          entries.push({ kind: 'name', change: 'moved', path: from, to, ...span });
        }
        break;
      }
      case 'renameat2':
      case 'unlinkat':
      case 'ftruncate':
      case 'fallocate':
      case 'sync_file_range':
      case 'msync':
        if (stringsIn(argument).some((found) => isOurs(found.toString())) || isOurs(path))
          throw new Error(`${name} on the store's files: not modelled`);
        break;
      case 'io_uring_setup':
        if (!failed) throw new Error('the store writes through io_uring, which strace cannot see');
        break;
    }
  }
  return entries.sort((left, right) => left.begun - right.begun);
}

/** Where in the record each request was answered: its id -> the beginning of the write that ended its answer. */
export function answersIn(entries: Entry[]): Map<number, number> {
  const streams = new Map<string, Buffer>();
  const answers = new Map<number, number>();
  for (const entry of entries) {
    if (entry.kind !== 'answer' || entry.failed) continue;
    let stream = Buffer.concat([streams.get(entry.socket) ?? Buffer.alloc(0), entry.data]);
    while (stream.length >= 16) {
      const length = stream.readInt32LE(0);
      // What was begun is what another may have seen: not the write's end but its beginning counts.
      if (stream.length < length) break;
      answers.set(stream.readInt32LE(8), entry.begun);
      stream = stream.subarray(length);
    }
    streams.set(entry.socket, stream);
  }
  return answers;
}
