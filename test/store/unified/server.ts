import { startEmbedded } from '../../../server/store/connect.js';

/** The embedded store as it is shipped, on a directory of the test's own, with the fail points that the tests set. */
export const startStoreForSpecs = (directory: string) =>
  startEmbedded(directory, { isTest: true, onFailure: (error) => console.error(`store: ${String(error)}`) });
