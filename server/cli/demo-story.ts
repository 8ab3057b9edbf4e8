/** What `threadline demo` fills a workspace with: a year at a bicycle shop, in English and Russian. All of it invented. */

export type Who = 'maya' | 'pavel';

export interface Person {
  key: string;
  name: string;
  company?: string;
  city: string;
  language: string;
  timeZone: string;
  /** Proved addresses and numbers; a claim instead with `claimed`. */
  email?: string;
  phone?: string;
  claimed?: boolean;
  entries: readonly Entry[];
}

interface Base {
  /** Days before today, and the time of that day (UTC). */
  daysAgo: number;
  at: string;
  /** Entries of one thread stand in one conversation. */
  thread: string;
}

export type Entry =
  | (Base & { kind: 'chat' | 'note'; by: 'customer' | Who; text: string })
  | (Base & { kind: 'mail'; by: 'customer' | Who; subject: string; text: string })
  | (Base & {
      kind: 'call';
      by: 'customer' | Who;
      outcome: 'answered' | 'missed' | 'busy' | 'voicemail';
      ringSeconds: number;
      talkSeconds: number;
    })
  | (Base & { kind: 'close' });

type By = 'customer' | Who;
const chat = (daysAgo: number, at: string, thread: string, by: By, text: string): Entry => ({
  kind: 'chat',
  daysAgo,
  at,
  thread,
  by,
  text,
});
const note = (daysAgo: number, at: string, thread: string, by: Who, text: string): Entry => ({
  kind: 'note',
  daysAgo,
  at,
  thread,
  by,
  text,
});
const mail = (daysAgo: number, at: string, thread: string, by: By, subject: string, text: string): Entry => ({
  kind: 'mail',
  daysAgo,
  at,
  thread,
  by,
  subject,
  text,
});
const call = (daysAgo: number, at: string, by: By, ringSeconds: number, talkSeconds: number): Entry => ({
  kind: 'call',
  daysAgo,
  at,
  thread: 'calls',
  by,
  outcome: talkSeconds > 0 ? 'answered' : 'missed',
  ringSeconds,
  talkSeconds,
});
const close = (daysAgo: number, at: string, thread: string): Entry => ({
  kind: 'close',
  daysAgo,
  at,
  thread,
});

export const colleagues: Readonly<Record<Who, string>> = { maya: 'Maya Lindholm', pavel: 'Pavel Orlov' };

export const people: readonly Person[] = [
  {
    key: 'ines',
    name: 'Inês Carvalho',
    company: 'Carvalho Arquitectos',
    city: 'Porto',
    language: 'en',
    timeZone: 'Europe/Lisbon',
    email: 'ines@carvalho-arq.example',
    phone: '+351912345678',
    entries: [
      mail(
        402,
        '09:12',
        'fit',
        'customer',
        'Frame size for a gravel bike',
        'Good morning,\n\nI am 172 cm with an inside leg of 81 cm and cannot decide between the Kestrel Moor in M and L. I ride mostly cobbles and forest tracks.\n\nWhich one would you take?\n\nInês',
      ),
      mail(
        402,
        '11:40',
        'fit',
        'maya',
        'Re: Frame size for a gravel bike',
        'Hello Inês,\n\nwith 81 cm I would take the M and a stem of 90 mm: you keep room over the top tube on rough ground. We have both here, so do come by and sit on them.\n\nMaya',
      ),
      call(399, '15:05', 'customer', 11, 262),
      note(
        399,
        '15:12',
        'fit',
        'maya',
        'Comes on Saturday at ten. Put the Moor M on the stand with flat pedals.',
      ),
      close(396, '17:00', 'fit'),
      chat(
        211,
        '18:22',
        'brake',
        'customer',
        'Hi! The rear brake of my Moor squeals since the rain last week. Is that dangerous?',
      ),
      chat(
        211,
        '18:25',
        'brake',
        'pavel',
        'Not dangerous, only loud: water and dust on the pads. Brake hard from 25 km/h a dozen times on a dry road. If it stays, bring it in, it is ten minutes.',
      ),
      chat(211, '18:27', 'brake', 'customer', 'Did it on the way home, silence. Thank you!'),
      close(210, '09:00', 'brake'),
      mail(
        33,
        '08:51',
        'fleet',
        'customer',
        'Four bicycles for our office',
        'Dear Maya,\n\nwe would like to buy four city bicycles for the office, two of them with a child seat. Delivery to Porto in May. Could you make us an offer, with a yearly service?\n\nInês Carvalho\nCarvalho Arquitectos',
      ),
      mail(
        32,
        '10:30',
        'fleet',
        'maya',
        'Re: Four bicycles for our office',
        'Dear Inês,\n\ngladly: four Kestrel Harbour with mudguards and lights, two with a Hamax seat, first service after six weeks included. The offer follows on Monday; the yearly service I would do at your place, all four in one afternoon.\n\nMaya',
      ),
      call(30, '13:47', 'maya', 8, 418),
      mail(
        2,
        '16:20',
        'fleet',
        'customer',
        'Re: Four bicycles for our office',
        'Hello Maya,\n\nthe partners agreed. Two questions before we sign: can the frames be dark green, and does the service include the lights?\n\nInês',
      ),
      note(
        1,
        '09:05',
        'fleet',
        'pavel',
        'Dark green is RAL 6005, three weeks more. Lights are in the service. I would answer today.',
      ),
    ],
  },
  {
    key: 'anna',
    name: 'Анна Крылова',
    city: 'Санкт-Петербург',
    language: 'ru',
    timeZone: 'Europe/Moscow',
    email: 'anna.krylova@example.ru',
    phone: '+78125550143',
    entries: [
      chat(154, '12:03', 'wheels', 'customer', 'Здравствуйте! Подойдут ли колёса 650b на вашу раму Moor S?'),
      chat(
        154,
        '12:09',
        'wheels',
        'pavel',
        'Здравствуйте, Анна! Да, до покрышки 47 мм включительно. Тормозные роторы переставляются с ваших колёс.',
      ),
      chat(154, '12:11', 'wheels', 'customer', 'Отлично, тогда закажу комплект.'),
      call(150, '07:31', 'customer', 14, 187),
      close(149, '10:00', 'wheels'),
      mail(
        61,
        '06:58',
        'invoice',
        'customer',
        'Счёт для возмещения',
        'Добрый день!\n\nПришлите, пожалуйста, счёт за колёса на имя фирмы: бухгалтерия просит адрес и дату поставки.\n\nС уважением,\nАнна Крылова',
      ),
      mail(
        61,
        '09:15',
        'invoice',
        'pavel',
        'Re: Счёт для возмещения',
        'Добрый день, Анна!\n\nИсправленный счёт во вложении к следующему письму; дата поставки указана. Если бухгалтерии нужно что-то ещё, напишите.\n\nПавел',
      ),
      close(60, '09:00', 'invoice'),
      chat(
        0,
        '07:44',
        'shift',
        'customer',
        'Доброе утро! После дождя переключение на третью звезду цепляет соседнюю. Можно приехать сегодня?',
      ),
    ],
  },
  {
    key: 'tom',
    name: 'Tom Ashdown',
    city: 'Leeds',
    language: 'en',
    timeZone: 'Europe/London',
    email: 'tom.ashdown@example.com',
    phone: '+441134960182',
    entries: [
      chat(
        88,
        '20:14',
        'delivery',
        'customer',
        'My order says "handed to carrier" since Tuesday. Is it lost?',
      ),
      chat(
        88,
        '20:16',
        'delivery',
        'maya',
        'No, it waits in Hull: the customs form lacked your house number. I have sent it again just now, it should move tomorrow.',
      ),
      chat(86, '18:40', 'delivery', 'customer', 'It is here, undamaged. Thanks for chasing it.'),
      close(86, '19:00', 'delivery'),
      call(40, '10:02', 'customer', 22, 0),
      call(40, '10:31', 'maya', 9, 154),
      note(
        40,
        '10:36',
        'calls',
        'maya',
        'Wants to trade his old Harbour in. Send photos first; about 240 if the rims are straight.',
      ),
      mail(
        39,
        '19:03',
        'trade',
        'customer',
        'Photos of the Harbour',
        'Hi Maya,\n\nas we said on the phone: here are the photos. Rims are straight, the saddle is worn, the rear light was never replaced.\n\nTom',
      ),
      mail(
        3,
        '17:45',
        'trade',
        'customer',
        'Re: Photos of the Harbour',
        'Hello again, any news on the price? I would come on Friday.\n\nTom',
      ),
    ],
  },
  {
    key: 'yusuf',
    name: 'Yusuf Demir',
    company: 'Kurier Nord',
    city: 'Hamburg',
    language: 'en',
    timeZone: 'Europe/Berlin',
    email: 'dispatch@kurier-nord.example',
    phone: '+494066969123',
    entries: [
      call(260, '06:55', 'customer', 5, 341),
      mail(
        259,
        '07:20',
        'service',
        'customer',
        'Service contract for nine cargo bikes',
        'Good morning,\n\nnine cargo bikes, about 900 km a month each. We need a fixed day for service and a loan bike while one is away. What would it cost a year?\n\nYusuf Demir, Kurier Nord',
      ),
      mail(
        258,
        '12:10',
        'service',
        'pavel',
        'Re: Service contract for nine cargo bikes',
        'Good morning Yusuf,\n\nevery second Wednesday, three bikes at a time, loan bike included. Wear parts at cost. The sheet with the yearly price is on its way by post, as you asked.\n\nPavel',
      ),
      close(240, '16:00', 'service'),
      call(96, '08:12', 'customer', 7, 95),
      call(47, '08:03', 'customer', 6, 128),
      call(12, '07:58', 'customer', 31, 0),
      call(12, '08:20', 'pavel', 5, 203),
      chat(
        5,
        '11:32',
        'chain',
        'customer',
        'Bike 7 dropped its chain twice today. Can you take it on Wednesday although it is not its turn?',
      ),
      chat(
        5,
        '11:35',
        'chain',
        'pavel',
        'Yes, swap it with bike 2. Please bring the old chain along, I want to see whether it is the wear or the tensioner.',
      ),
      chat(5, '11:36', 'chain', 'customer', 'Will do.'),
    ],
  },
  {
    key: 'grace',
    name: 'Grace Odhiambo',
    city: 'Nairobi',
    language: 'en',
    timeZone: 'Africa/Nairobi',
    email: 'grace.odhiambo@example.org',
    entries: [
      mail(
        118,
        '05:40',
        'ship',
        'customer',
        'Do you send to Kenya?',
        'Hello,\n\ndo you send frames to Nairobi, and who pays the duty? I am after the Moor in S, frame and fork only.\n\nGrace',
      ),
      mail(
        118,
        '09:02',
        'ship',
        'maya',
        'Re: Do you send to Kenya?',
        'Hello Grace,\n\nwe do, by air, about nine days. Duty is paid on arrival by you; we put the tariff number on the box so that there is no discussion. Frame and fork weigh 3.1 kg packed.\n\nMaya',
      ),
      mail(
        117,
        '06:15',
        'ship',
        'customer',
        'Re: Do you send to Kenya?',
        'Perfect, ordered. Thank you for the quick answer.',
      ),
      close(117, '09:00', 'ship'),
      chat(
        9,
        '13:21',
        'tube',
        'customer',
        'Which seat post diameter does the Moor S have? I cannot find it in the manual.',
      ),
      chat(
        9,
        '13:24',
        'tube',
        'maya',
        '27.2 mm. It is on page 14, but only in small print; we should move it to the front.',
      ),
      close(8, '09:00', 'tube'),
    ],
  },
  {
    key: 'dmitri',
    name: 'Дмитрий Лосев',
    city: 'Казань',
    language: 'ru',
    timeZone: 'Europe/Moscow',
    phone: '+78435550117',
    entries: [
      call(74, '11:20', 'customer', 9, 233),
      call(20, '14:45', 'customer', 28, 0),
      call(20, '15:10', 'pavel', 12, 77),
      call(1, '12:34', 'customer', 35, 0),
    ],
  },
  {
    key: 'dmitri-mail',
    name: 'Дмитрий Лосев',
    city: 'Казань',
    language: 'ru',
    timeZone: 'Europe/Moscow',
    email: 'losev.d@example.ru',
    phone: '+78435550117',
    claimed: true,
    entries: [
      mail(
        1,
        '13:02',
        'missed',
        'customer',
        'Не дозвонился',
        'Добрый день!\n\nЗвонил вам сегодня, но не дозвонился. Готов ли мой велосипед после ремонта вилки? Мой телефон +7 843 555-01-17.\n\nДмитрий',
      ),
    ],
  },
  {
    key: 'walk-in',
    name: 'Helen',
    city: 'Edinburgh',
    language: 'en',
    timeZone: 'Europe/London',
    email: 'helen.mcrae@example.net',
    claimed: true,
    entries: [
      chat(
        0,
        '08:15',
        'kids',
        'customer',
        'Morning! Do you have balance bikes for a three-year-old in stock?',
      ),
      chat(
        0,
        '08:17',
        'kids',
        'maya',
        'Good morning Helen, yes: two in red and one in blue, 12 inch, 3.9 kg. Shall I put one aside until the evening?',
      ),
      chat(0, '08:18', 'kids', 'customer', 'The blue one please, I will be there at five.'),
    ],
  },
];
