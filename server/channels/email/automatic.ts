import { allOf, firstOf, type HeaderLine, readParameters } from './headers.js';

export type Automatic = 'auto_reply' | 'bounce' | 'list';

/** How mail programs of many languages begin the subject of an absence notice. Always with a colon: people write the words too. */
const absenceSubject = new RegExp(
  `^(?:${[
    'auto(?:matic)? ?-?(?:reply|response|antwort)',
    'autoreply',
    'out of (?:the )?office(?: auto-?reply)?',
    'automatische antwort',
    'abwesenheits(?:notiz|meldung)',
    'abwesend',
    'r[ée]ponse automatique',
    'absence du bureau',
    'respuesta autom[áa]tica',
    'fuera de (?:la )?oficina',
    'risposta automatica',
    'fuori (?:ufficio|sede)',
    'resposta autom[áa]tica',
    'automatisch antwoord',
    'afwezigheid(?:sbericht)?',
    'autosvar',
    'automatiskt svar',
    'automatisk svar',
    'automaattinen vastaus',
    'odpowied[źz] automatyczna',
    'automatyczna odpowied[źz]',
    'automatick[áa] odpov[ěe][ďd]',
    'автоответ(?:чик)?',
    'автоматический ответ',
    'автоматична відповідь',
    'otomatik yan[ıi]t',
    '自动(?:答复|回复)',
    '自動(?:回覆|応答|返信)',
    '자동 (?:회신|응답)',
  ].join('|')})\\s*[:：]`,
  'iu',
);

const machineSenders = /^(?:mailer-daemon|postmaster|mail-daemon|mdaemon|majordomo)(?:@|$)/i;

/**
 * Whether a machine sent it, by RFC 3834 and by what mail programs did before it. Such a letter is shown and counted,
 * but asks for no answer, and is never answered by a machine.
 */
export function automaticOf(
  lines: readonly HeaderLine[],
  letter: { subject: string; fromAddress: string; partTypes: readonly string[] },
): Automatic | undefined {
  const first = (name: string) => firstOf(lines, name)?.toLowerCase().trim();
  const returnPath = first('return-path');
  const isFromNobody = returnPath !== undefined && returnPath.replace(/\s/g, '') === '<>';
  const type = readParameters(firstOf(lines, 'content-type') ?? '');
  const reports =
    type.value === 'multipart/report' ? type.parameters.get('report-type')?.toLowerCase() : undefined;
  const isMachine = machineSenders.test(letter.fromAddress);

  if (reports === 'delivery-status' || letter.partTypes.includes('message/delivery-status')) return 'bounce';
  if (firstOf(lines, 'x-failed-recipients') !== undefined) return 'bounce';
  if (
    isMachine &&
    (isFromNobody || /deliver|undeliver|failure|returned|bounce|status/i.test(letter.subject))
  ) {
    return 'bounce';
  }

  const submitted = first('auto-submitted')
    ?.replace(/[;(].*$/s, '')
    .trim();
  if (submitted !== undefined && submitted !== 'no' && submitted !== '') return 'auto_reply';
  const precedence = allOf(lines, 'precedence').map((value) => value.trim().toLowerCase());
  if (precedence.some((value) => /^auto[_-]?reply$/.test(value))) return 'auto_reply';
  const autoHeaders = [
    'x-autoreply',
    'x-autorespond',
    'x-autoresponder',
    'x-auto-reply',
    'x-autoreply-from',
    'x-mail-autoreply',
  ];
  if (autoHeaders.some((name) => firstOf(lines, name) !== undefined && first(name) !== 'no'))
    return 'auto_reply';
  const suppress = first('x-auto-response-suppress');
  if (suppress !== undefined && suppress !== '' && suppress !== 'none') return 'auto_reply';
  if (reports === 'disposition-notification' || reports === 'feedback-report') return 'auto_reply';
  if (submitted !== 'no' && absenceSubject.test(letter.subject)) return 'auto_reply';

  const isList = ['list-id', 'list-post', 'list-unsubscribe', 'mailing-list'].some(
    (name) => firstOf(lines, name) !== undefined,
  );
  if (isList || precedence.some((value) => /^(?:list|bulk|junk)$/.test(value))) return 'list';
  return isFromNobody || isMachine ? 'auto_reply' : undefined;
}
