import { startEmbedded } from '../../../server/store/connect.js';

/** The embedded store as it is shipped, on a directory of the test's own. */
export const startStoreForSpecs = (directory: string) => startEmbedded(directory);
