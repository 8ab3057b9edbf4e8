import type { Readable } from 'node:stream';

/** Bytes by name, wherever they lie. Both kinds keep the same promises. */
export interface BlobStore {
  /**
   * Takes everything, durably, and only then gives it a name: `nameAtEnd` is asked when the last byte has been read,
   * since the name holds the content's hash. When anything fails nothing is left behind.
   * @throws AppError `store_full`; whatever the source threw
   */
  write(source: AsyncIterable<Uint8Array>, nameAtEnd: () => string): Promise<string>;
  /** `end` is the last byte wanted, as in HTTP. @throws AppError `not_found` */
  read(storedAs: string, range?: { start: number; end: number }): Promise<Readable>;
  /** Removing what is not there is no error. */
  remove(storedAs: string): Promise<void>;
}
