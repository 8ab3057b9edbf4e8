const isRussian = (locale: string): boolean => /^ru/i.test(locale);

/** What the launcher says before the rest is loaded: closed, open. */
export const launcherTextsOf = (locale: string): readonly [string, string] =>
  isRussian(locale) ? ['Написать нам', 'Закрыть чат'] : ['Chat with us', 'Close chat'];

export const unreadTextOf = (locale: string, count: number): string =>
  `${launcherTextsOf(locale)[0]}, ${isRussian(locale) ? 'непрочитанных' : 'unread'}: ${count}`;
