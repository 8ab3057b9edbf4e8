// Loaded into each thread of a measured process before its own program (`--import`): answers its parent what it has used so
// far, after a collection in all of them, so that garbage does not count as memory.
import { readFileSync } from 'node:fs';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

const threads = new BroadcastChannel('bench-figures');
threads.unref();
const collect = () => globalThis.gc?.();
if (!isMainThread) threads.onmessage = collect;

/** What is the process's own: pages of the store's file that were read are the kernel's, which takes them back at will. */
function ownBytes() {
  if (process.platform !== 'linux') return process.memoryUsage.rss();
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(kilobytes) * 1_024;
}

process.on('message', async (question) => {
  if (question !== 'figures') return;
  collect();
  threads.postMessage('collect');
  // The other threads' own programs know nothing of this and answer nothing: they get the time that a collection takes.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { heapUsed } = process.memoryUsage();
  process.send({ cpu: process.cpuUsage(), memory: { own: ownBytes(), heapUsed } });
});
// A run that is ended early leaves nobody behind.
process.on('disconnect', () => process.exit(0));
process.channel?.unref();
