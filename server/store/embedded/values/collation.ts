import type { Doc, Value } from '../bson/types.js';
import { StoreError } from '../errors.js';
import type { Collate } from './compare.js';
import { isNumber, toDouble } from './numbers.js';

/** Strings in the order of a language, by the platform's own tables (ICU). */

const fields = new Set([
  'locale',
  'strength',
  'caseLevel',
  'caseFirst',
  'numericOrdering',
  'alternate',
  'maxVariable',
  'backwards',
  'normalization',
  'version',
]);

const badValue = (message: string) => new StoreError(2, 'BadValue', message);

const compiled = new Map<string, Collate>();

function choice(spec: Doc, field: string, accepted: string[], fallback: string): string {
  const value = spec.get(field) ?? fallback;
  if (typeof value !== 'string' || !accepted.includes(value))
    throw badValue(`Enumeration value '${String(value)}' for field 'collation.${field}' is not valid.`);
  return value;
}

function flag(spec: Doc, field: string): boolean {
  const value: Value = spec.get(field) ?? false;
  if (typeof value !== 'boolean')
    throw new StoreError(14, 'TypeMismatch', `Field 'collation.${field}' must be a boolean`);
  return value;
}

/**
 * @returns undefined for the binary order, `{locale: 'simple'}`
 * @throws StoreError `BadValue` (2) for what is unknown or not supported: strengths 4 and 5, `backwards`, `alternate: shifted`
 */
export function collationFrom(spec: Doc | undefined): Collate | undefined {
  if (!spec || spec.size === 0) return undefined;
  for (const field of spec.keys())
    if (!fields.has(field))
      throw new StoreError(40415, 'Location40415', `BSON field 'collation.${field}' is an unknown field.`);
  const locale = spec.get('locale');
  if (typeof locale !== 'string')
    throw new StoreError(
      40414,
      'Location40414',
      "BSON field 'collation.locale' is missing but a required field",
    );
  if (locale === 'simple') {
    if (spec.size > 1) throw badValue("Field 'locale' is simple: it takes no other options");
    return undefined;
  }
  const strength = spec.get('strength');
  const level = strength === undefined ? 3 : isNumber(strength) ? toDouble(strength) : Number.NaN;
  if (![1, 2, 3].includes(level))
    throw badValue(
      [4, 5].includes(level)
        ? `collations of strength ${level} are not supported by this store`
        : `Field 'collation.strength' must be an integer from 1 to 5`,
    );
  if (flag(spec, 'backwards')) throw badValue("'backwards' in collations is not supported by this store");
  if (choice(spec, 'alternate', ['non-ignorable', 'shifted'], 'non-ignorable') === 'shifted')
    throw badValue("'alternate: shifted' in collations is not supported by this store");
  const caseLevel = flag(spec, 'caseLevel');
  const numeric = flag(spec, 'numericOrdering');
  const caseFirst = choice(spec, 'caseFirst', ['off', 'upper', 'lower'], 'off');
  const name = JSON.stringify([locale, level, caseLevel, numeric, caseFirst]);
  const known = compiled.get(name);
  if (known) return known;
  const made = collateFor(locale, level, caseLevel, numeric, caseFirst);
  compiled.set(name, made);
  return made;
}

function collateFor(
  locale: string,
  strength: number,
  caseLevel: boolean,
  numeric: boolean,
  caseFirst: string,
): Collate {
  const tag = locale.replace('@collation=', '-u-co-').replaceAll('_', '-');
  if (Intl.Collator.supportedLocalesOf(safely(tag)).length === 0)
    throw badValue(`Field 'locale' is invalid in: { locale: "${locale}" }`);
  const sensitivity =
    strength === 1
      ? caseLevel
        ? 'case'
        : 'base'
      : strength === 2
        ? caseLevel
          ? 'variant'
          : 'accent'
        : 'variant';
  const collator = new Intl.Collator(tag, {
    sensitivity,
    numeric,
    caseFirst: caseFirst === 'off' ? 'false' : (caseFirst as 'upper' | 'lower'),
  });
  return { compare: collator.compare, ...keyMaker(sensitivity, tag, numeric) };
}

function safely(tag: string): string {
  try {
    return new Intl.Locale(tag).toString();
  } catch (error) {
    if (error instanceof RangeError) throw badValue(`Field 'locale' is invalid in: { locale: "${tag}" }`);
    throw error;
  }
}

/** Languages whose letters are equal exactly when they fold alike. Others' texts are compared, never looked up. */
const foldable = /^(en|ru|uk|de|fr|it|pt|nl)\b/;
/** Letters with marks, digits, signs: nothing that is ignored, expanded or contracted. */
const plain =
  /^[\u0020-\u007e\u00c0-\u00c5\u00c7-\u00cf\u00d1-\u00d6\u00d9-\u00dd\u00e0-\u00e5\u00e7-\u00ef\u00f1-\u00f6\u00f9-\u00fd\u00ff\u0401\u0410-\u044f\u0451]*$/;
/** Before texts that cannot be folded: they stand together at the end. */
const apart = '\u{10ffff}';

function keyMaker(sensitivity: string, tag: string, numeric: boolean): Pick<Collate, 'key' | 'isFoldable'> {
  const isExact = foldable.test(tag) && !tag.includes('-u-');
  const isFoldable = (text: string) => isExact && plain.test(text);
  const folded = (text: string): string => {
    let result = text.normalize('NFD');
    // Below the second strength marks count for nothing; but й is a letter of its own, and no и with a mark.
    if (sensitivity === 'base' || sensitivity === 'case')
      result = result.replace(/(?<!и)\p{M}|(?!\u0306)\p{M}/giu, '');
    if (sensitivity === 'base' || sensitivity === 'accent') result = result.toLowerCase();
    if (numeric) result = result.replace(/\d+/g, (digits) => digits.replace(/^0+(?=\d)/, ''));
    return result;
  };
  return { isFoldable, key: (text) => (isFoldable(text) ? folded(text) : apart + text) };
}

/** The beginning of the keys of all texts that no key stands for: a lookup reads these too. */
export const apartPrefix = apart;
