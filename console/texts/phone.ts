import type { CallParty } from '../../shared/events/call.js';

/**
 * Telephone numbers as people of their country group them. The rules of all countries come in a piece of their own,
 * asked for while the page asks who is signed in; a number is shown as it is should they not come.
 */
let format: (number: string) => string = (number) => number;

/** Resolves when the rules are there, or cannot be. */
export const phoneRules: Promise<void> = import('./phone-rules.js').then(
  (rules) => {
    format = rules.grouped;
  },
  () => undefined,
);

/** +44 7700 900341. What is no number stays as it is. */
export const phone = (value: string): string => (/^\+\d{6,15}$/.test(value) ? format(value) : value);

/** A proved or claimed value: numbers grouped, all else as it is. */
export const valueText = (type: string, value: string): string => (type === 'phone' ? phone(value) : value);

/** The number of one end of a call. */
export const partyText = (party: CallParty): string =>
  party.e164 === undefined ? party.shown : phone(party.e164);
