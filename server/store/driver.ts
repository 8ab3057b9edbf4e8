import { createRequire } from 'node:module';

/** What of a connection of the driver's is needed here. */
interface DriverConnection {
  readonly socket: { readonly destroyed: boolean };
  readonly error: Error | null;
  onClose(): void;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
  writeCommand(command: unknown, options: unknown): Promise<void>;
}

const requireFromMongoose = createRequire(createRequire(import.meta.url).resolve('mongoose'));

/** The class of the connections that mongoose's own driver makes. */
export const { Connection } = requireFromMongoose('mongodb/lib/cmap/connection.js') as {
  Connection: {
    new (socket: unknown, options: object): DriverConnection;
    readonly prototype: DriverConnection;
  };
};

const isMended = Symbol('waits for no socket that is closed');

/**
 * The driver (seen in 7.8 and 7.9) waits for a full socket to take more by `drain` or `error` alone. One that closes
 * meanwhile without an error, or is closed and has not said so yet, says neither: the command waits for ever, and when
 * that is the monitor's own, no operation finds a server again until the process ends. Here the end of the connection
 * ends the wait, and the driver's own rules for a lost connection follow.
 */
export function mendDriver(): void {
  const prototype = Connection.prototype as DriverConnection & { [isMended]?: true };
  if (prototype[isMended]) return;
  prototype[isMended] = true;
  const write = prototype.writeCommand;
  prototype.writeCommand = async function writeCommand(command, options) {
    if (this.socket.destroyed) this.onClose();
    if (this.error) throw this.error;
    let end = (): void => {};
    const hasClosed = new Promise<never>((_, reject) => {
      end = () => reject(this.error);
    });
    this.once('close', end);
    try {
      await Promise.race([write.call(this, command, options), hasClosed]);
    } finally {
      this.off('close', end);
    }
  };
}
