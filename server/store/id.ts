import { v7 } from 'uuid';

/** An id of ours: UUIDv7. Rises with time roughly, so that an index grows at its end; nothing may order by it. */
export const newId = (): string => v7();
