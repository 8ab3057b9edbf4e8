import { Binary } from 'bson';
import { encode, type Plain } from '../bson/encode.js';
import { type Doc, Raw, type Value } from '../bson/types.js';
import { type Collection, namespaceOf } from '../disk/catalog.js';
import { describe } from '../update/describe.js';
import type { Database } from './database.js';

/** What happened, as the oplog keeps it: enough to tell a change stream's reader what MongoDB would. */

export type Change =
  | { kind: 'insert'; collection: Collection; after: Doc; raw?: Buffer | undefined }
  | {
      kind: 'update' | 'replace';
      collection: Collection;
      before: Doc;
      after: Doc;
      /** The bytes of `after`, where they are known. */
      raw?: Buffer | undefined;
      /** The paths that operators changed. */
      touched: readonly (readonly string[])[];
    }
  | { kind: 'delete'; collection: Collection; before: Doc }
  | {
      kind: 'create' | 'drop' | 'dropDatabase' | 'rename' | 'createIndexes' | 'dropIndexes' | 'modify';
      db: string;
      name: string;
      uuid: Buffer | null;
      detail: Plain;
    };

/** Where a change comes from, for readers who ask which transaction it was. */
export interface Origin {
  session: { readonly id: Binary } | null;
  number: bigint | null;
}

const keeps = (collection: Collection): boolean => {
  const images = collection.options.get('changeStreamPreAndPostImages');
  return images instanceof Map && images.get('enabled') === true;
};

const idOf = (doc: Doc): Value => doc.get('_id') ?? null;

/** Adds a change to the commit that runs. */
export function record(database: Database, change: Change, origin: Origin): void {
  const wall = database.now();
  const common = () => ({
    wall,
    ...(origin.session && origin.number !== null && { lsid: origin.session.id, txn: origin.number }),
  });
  if (!('collection' in change)) {
    database.oplog.add({
      op: change.kind,
      ns: `${change.db}.${change.name}`,
      ...(change.uuid && { ui: new Binary(change.uuid, 4) }),
      o: change.detail,
      ...common(),
    });
    return;
  }
  const { collection } = change;
  const images = keeps(collection);
  const head = () => ({
    op: change.kind,
    ns: namespaceOf(collection),
    ui: new Binary(collection.uuid, 4),
    ...common(),
  });
  switch (change.kind) {
    case 'insert': {
      const document = change.raw ?? encode(change.after);
      const entry = () => ({ ...head(), k: idOf(change.after), o: new Raw(document) });
      // Of a transaction each says which, and so is like no other.
      if (origin.session) database.oplog.add(entry());
      else database.oplog.addInsert({ of: collection, wall: wall.getTime(), document }, entry);
      return;
    }
    case 'delete':
      database.oplog.add({ ...head(), k: idOf(change.before), ...(images && { pre: change.before }) });
      return;
    case 'replace':
      database.oplog.add({
        ...head(),
        k: idOf(change.after),
        o: change.raw ? new Raw(change.raw) : change.after,
        ...(images && { pre: change.before }),
      });
      return;
    case 'update':
      database.oplog.add({
        ...head(),
        k: idOf(change.after),
        d: { ...describe(change.before, change.after, change.touched) },
        ...(images && { pre: change.before, post: change.after }),
      });
  }
}
