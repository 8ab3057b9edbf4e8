import type { Doc } from '../bson/types.js';
import { field, show } from '../values/show.js';

export { field, show };

/** What tells a document from its neighbours. */
export const idOf = (doc: Doc): string => (doc.has('_id') ? field('_id', doc.get('_id')) : 'no id');
