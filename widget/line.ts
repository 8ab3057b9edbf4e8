import type { Line, LineListener } from './client.js';
import type { openHttp } from './http.js';
import { openWire } from './wire.js';

/**
 * The visitor's line to the server: WebSocket, and plain HTTP beside it for as long as WebSocket does not get through.
 * Whoever speaks, the client hears the same, and need not know which it is.
 */
export function openLine(base: string, listener: LineListener): Line {
  let http: ReturnType<typeof openHttp> | undefined;
  /** WebSocket did not get through when it was last tried. */
  let isBlocked = false;
  let isAwake = false;
  const speakHttp = (): void =>
    void import('./http.js').then(
      ({ openHttp }) => {
        if (isBlocked && isAwake) http ??= openHttp(base, listener);
      },
      // A chunk that does not come is asked for again after the next attempt.
      () => undefined,
    );
  const wire = openWire({
    ...listener,
    url: base.replace(/^http/, 'ws'),
    onReached() {
      isBlocked = false;
      http?.stop();
      http = undefined;
    },
    onStuck() {
      isBlocked = true;
      speakHttp();
    },
  });
  return {
    request: (name, body) => (http ?? wire).request(name, body),
    wake() {
      isAwake = true;
      wire.wake();
      if (http) http.wake();
      else if (isBlocked) speakHttp();
    },
    sleep() {
      isAwake = false;
      http?.sleep();
      http = undefined;
      wire.sleep();
    },
  };
}
