/** The demo shop's words. Russian is held to the keys of English by its type. */
const en = {
  title: 'Kestrel Cycles',
  tagline: 'City bikes, built in a small workshop and looked after for life.',
  lead: 'Every frame is brazed by hand, fitted to you, and ridden by us before it is yours.',
  visit: 'See the bikes',
  bikes: 'This season',
  'bike.ridgeline': 'Ridgeline 3',
  'bike.ridgeline.about': 'Steel, eight gears, for every day and every weather.',
  'bike.harbour': 'Harbour E',
  'bike.harbour.about': 'Quiet motor, 90 km, a carrier for two crates.',
  'bike.lark': 'Lark',
  'bike.lark.about': 'Light, single speed, nothing that can break.',
  from: 'from',
  workshop: 'The workshop',
  'workshop.about':
    'Bring it in by noon and ride home in the evening. Ask us first: the button at the corner reaches the people who hold the spanners.',
  signedIn: 'Signed in as {name}',
  signOut: 'Sign out',
  note: 'This is a page to try Threadline on. The shop is made up; the chat is real and arrives in your console.',
  noInbox: 'No chat inbox admits this address. Add {origin} to an inbox in the console.',
} as const;

export type DemoText = keyof typeof en;

const ru: Record<DemoText, string> = {
  title: 'Kestrel Cycles',
  tagline: 'Городские велосипеды из небольшой мастерской, с заботой на всю жизнь.',
  lead: 'Каждую раму мы паяем вручную, подгоняем под вас и сами обкатываем, прежде чем отдать.',
  visit: 'Посмотреть велосипеды',
  bikes: 'В этом сезоне',
  'bike.ridgeline': 'Ridgeline 3',
  'bike.ridgeline.about': 'Сталь, восемь передач, на каждый день и любую погоду.',
  'bike.harbour': 'Harbour E',
  'bike.harbour.about': 'Тихий мотор, 90 км, багажник на два ящика.',
  'bike.lark': 'Lark',
  'bike.lark.about': 'Лёгкий, одна передача, ломаться нечему.',
  from: 'от',
  workshop: 'Мастерская',
  'workshop.about':
    'Привезите до полудня — вечером поедете домой. Сначала спросите нас: кнопка в углу ведёт к тем, у кого в руках ключи.',
  signedIn: 'Вы вошли как {name}',
  signOut: 'Выйти',
  note: 'Это страница для пробы Threadline. Магазин выдуман, а чат настоящий и приходит в вашу консоль.',
  noInbox: 'Ни один чат-ящик не принимает этот адрес. Добавьте {origin} в настройки ящика в консоли.',
};

export type DemoLanguage = 'en' | 'ru';
const catalogues: Record<DemoLanguage, Record<DemoText, string>> = { en, ru };

export const demoText = (
  language: DemoLanguage,
  key: DemoText,
  values: Record<string, string> = {},
): string => catalogues[language][key].replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
