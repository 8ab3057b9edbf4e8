/** What the launcher says before the rest is loaded: open, close, unread. */
const launcherTexts = {
  en: ['Chat with us', 'Close chat', ', unread: '],
  ru: ['Написать нам', 'Закрыть чат', ', непрочитанных: '],
} as const;

export const launcherTextsOf = (locale: string): readonly [string, string, string] =>
  launcherTexts[/^ru\b/i.test(locale) ? 'ru' : 'en'];
