/** The words by which mail programs of many languages mark what they quote. Patterns are tried on one short line. */

/** "wrote", as it stands in the line above a quote. */
export const wrote = new RegExp(
  [
    'wrote',
    'writes',
    'schrieb',
    'a écrit',
    'écrit',
    'escribi[óo]',
    'ha scritto',
    'escreveu',
    'schreef',
    'geschreven',
    'skrev',
    'kirjoitti',
    'napisa[łl](?:\\(a\\)|a)?',
    'pisze',
    'napsal\\(?a?\\)?',
    'napísal\\(?a?\\)?',
    'írta',
    'a scris',
    'yazd[ıi]',
    'έγραψε',
    'написала?(?:\\(а\\))?',
    'написав(?:\\(ла\\))?',
    'пишет',
    'пише',
    'đã viết',
    'menulis',
    '写道',
    '寫道',
    '写了',
    'のメール',
    '작성',
    'כתב',
    'كتب',
  ].join('|'),
  'iu',
);

/** How such a line begins: only then may it run over several lines. */
export const introStart =
  /^(?:on|am|le|el|il|em|op|den|dnia|w dniu|dne|dňa|at|vào|pada|på|la|the|в|во|от|[\p{L}]{2,12}\.?,? (?:den )?\d|\d{1,4}[./年-]|\d{1,2} \p{L}{3}|.{1,100}<[^<>\s]+@[^<>\s]+>\s\p{L}|-{2,} ?on|在|於|于|\S+@)/iu;

const inDashes = (words: string) =>
  new RegExp(`^[\\s>*]*[-_=*–—]{1,}[\\s*]*(?:${words})[\\s*:]*[-_=*–—]{1,}[\\s*]*$`, 'iu');
const originalWords = [
  'original message',
  'original appointment',
  'reply message',
  'ursprüngliche nachricht',
  'originalnachricht',
  'message d.origine',
  'message original',
  'message initial',
  'mensaje original',
  'messaggio originale',
  'mensagem original',
  'oorspronkelijk bericht',
  'originele bericht',
  'ursprungligt meddelande',
  'originalmeddelande',
  'opprinnelig melding',
  'oprindelig meddelelse',
  'alkuperäinen viesti',
  'oryginalna wiadomość',
  'wiadomość oryginalna',
  'původní zpráva',
  'původní e-mail',
  'pôvodná správa',
  'eredeti üzenet',
  'mesajul original',
  'özgün ileti',
  'orijinal ileti',
  'исходное сообщение',
  'оригинальное сообщение',
  'пересланное сообщение',
  'вихідне повідомлення',
  'forwarded message',
  'forwarded by .{1,80}',
  'weitergeleitete nachricht',
  'message transféré',
  'mensaje reenviado',
  'messaggio inoltrato',
  'mensagem encaminhada',
  '原始邮件',
  '原始郵件',
  '元のメッセージ',
  '원본 메시지',
].join('|');
export const originalMark = inDashes(originalWords);
export const forwardedMark =
  /^[\s>]*(?:begin forwarded message|anfang der weitergeleiteten nachricht|début du message (?:réexpédié|transféré)|inicio del mensaje reenviado|inizio messaggio inoltrato|начало переадресованного сообщения|początek przekazywanej wiadomości)\s*:/iu;

/** The first line of the header block that Outlook puts above a quote, and the others of it. */
export const fromLine =
  /^[\s>*]*(?:from|von|de|da|van|från|fra|lähettäjä|od|odesílatel|feladó|de la|kimden|gönderen|από|от|от кого|від|发件人|寄件者|寄件人|差出人|보낸 ?사람|보낸사람)\s*\*?\s*[:：]/iu;
export const blockLine =
  /^[\s>*]*(?:sent|date|to|cc|subject|reply-to|gesendet|datum|an|betreff|antwort an|envoyé(?: le)?|à|objet|répondre à|enviado(?: el| em)?|fecha|para|asunto|assunto|data|inviato|a|oggetto|risposta|verzonden|aan|onderwerp|skickat|till|ämne|sendt|til|emne|dato|lähetetty|päivämäärä|vastaanottaja|aihe|wysłano|do|temat|odesláno|komu|předmět|dátum|tárgy|címzett|elküldve|trimis|către|subiect|kime|konu|tarih|ημερομηνία|προς|θέμα|отправлено|дата|кому|копия|тема|надіслано|发送时间|收件人|主题|日期|寄件日期|收件者|主旨|送信日時|宛先|件名|날짜|받는 ?사람|제목|보낸 ?날짜)\s*\*?\s*[:：]/iu;

/** The line a telephone adds below a letter. */
export const deviceLine =
  /^[\s<([*]*(?:(?:sent|posted) (?:from|via|with|by|using)\b|from my (?:i(?:phone|pad|pod)|android|mobile|blackberry|samsung)|get outlook for|get \[?outlook|envoyé (?:depuis|de|à partir)|télécharger outlook|von meinem .{1,60} gesendet|gesendet (?:von|mit|aus|über)|diese nachricht wurde von|outlook für|enviado (?:desde|do|de|a partir|con)|obtener outlook|obter o outlook|inviato (?:da|dal|con)|verzonden (?:vanaf|met|vanuit|via)|skickat från|sendt fra|lähetetty|wysłane (?:z|ze)|odesláno z|odoslané z|отправлено (?:с|из)\b|отправлено c|получить outlook|скачать outlook|надіслано (?:з|із)|[從从]我的|[發发]自|iphone ?から送信|나의 .{1,20}에서 보냄)/iu;

/** What stands alone on a line above a signature. */
export const signatureMark = /^\s{0,3}(?:--|—|––|__|_{3,}|-{3,}|={4,}|\*{3,}|#{4,}|~{4,}|\+{5,})\s*$/u;
