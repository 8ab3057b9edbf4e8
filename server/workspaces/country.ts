/** How numbers are read where nothing tells of a country. */
export const fallbackCountry = 'US';

const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });

/** A country as ISO 3166-1 alpha-2, upper case (`uk` is `GB`); null for what names none. */
export function countryOf(text: string): string | null {
  if (!/^[a-z]{2}$/i.test(text)) return null;
  const { region } = new Intl.Locale(`und-${text}`);
  return region !== undefined && region !== 'ZZ' && names.of(region) !== undefined ? region : null;
}

/**
 * The country that this machine was set up for: what POSIX says of its telephone numbers (`LC_ALL`, `LC_TELEPHONE`,
 * `LANG`, the first that is set), else what the system's own locale says, else `fallbackCountry`.
 */
export function guessCountry(
  environment: Readonly<Record<string, string | undefined>>,
  systemLocale = Intl.DateTimeFormat().resolvedOptions().locale,
): string {
  const { LC_ALL, LC_TELEPHONE, LANG } = environment;
  const posix = LC_ALL || LC_TELEPHONE || LANG || '';
  // de_CH.UTF-8@euro; C and POSIX name no country, and then the system may still know one.
  const named = /^[a-z]{2,3}_([A-Z]{2})(?:[.@]|$)/.exec(posix)?.[1] ?? '';
  return countryOf(named) ?? countryOf(new Intl.Locale(systemLocale).region ?? '') ?? fallbackCountry;
}
