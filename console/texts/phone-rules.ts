import { parsePhoneNumberFromString } from 'libphonenumber-js/core';
import metadata from 'libphonenumber-js/min/metadata';

/** A number in E.164 as it is written for another country. */
export const grouped = (number: string): string =>
  parsePhoneNumberFromString(number, metadata)?.formatInternational() ?? number;
