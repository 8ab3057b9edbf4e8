import type { Line, LineListener } from './client.js';
import { openWire } from './wire.js';

/**
 * The visitor's line to the server: WebSocket, and plain HTTP beside it for as long as WebSocket does not get through.
 * Whoever speaks, the client hears the same, and need not know which it is.
 */
export function openLine(base: string, listener: LineListener): Line {
  let http: Line | undefined;
  /** WebSocket did not get through when it was last tried. */
  let isBlocked = false;
  let isAwake = true;
  async function speakHttp(): Promise<void> {
    // A chunk that does not come is asked for again after the next attempt.
    const { openHttp } = await import('./http.js').catch(() => ({ openHttp: undefined }));
    if (isBlocked && isAwake) http ??= openHttp?.(base, listener);
  }
  const wire = openWire({
    ...listener,
    url: base.replace(/^http/, 'ws'),
    namespace: '/visitor',
    onReached() {
      isBlocked = false;
      http?.stop();
      http = undefined;
    },
    onStuck() {
      isBlocked = true;
      void speakHttp();
    },
  });
  return {
    request: (name, body) => (http ?? wire).request(name, body),
    wake() {
      isAwake = true;
      wire.wake();
      if (http) http.wake();
      else if (isBlocked) void speakHttp();
    },
    sleep() {
      isAwake = false;
      http?.sleep();
      http = undefined;
      wire.sleep();
    },
    stop() {
      isAwake = false;
      http?.stop();
      wire.stop();
    },
  };
}
