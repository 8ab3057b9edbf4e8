// Loaded into a measured process before its own program (`--import`): answers its parent what it has used so far, after
// a collection, so that garbage does not count as memory.
process.on('message', (question) => {
  if (question !== 'figures') return;
  globalThis.gc?.();
  process.send({ cpu: process.cpuUsage(), memory: process.memoryUsage() });
});
// A run that is ended early leaves nobody behind.
process.on('disconnect', () => process.exit(0));
process.channel?.unref();
