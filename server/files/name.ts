import { limits } from '../../shared/limits.js';
import { byteLength } from '../../shared/text.js';

// Characters that reverse or hide part of a name on the screen: "gpj.exe" shown as "exe.jpg".
const invisible = /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
// No system takes these in a name, and `:` names an NTFS stream.
const reserved = /[<>:"/\\|?*]/g;
const windowsDevice = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/**
 * A sender's file name as one that can be shown, put into a header and saved on any system: no path, no control or
 * direction-changing characters, at most 180 bytes with its ending kept, never empty.
 */
export function safeFileName(given: string): string {
  const base = given
    .toWellFormed()
    .replaceAll('\ufffd', '_')
    .replace(/^.*[/\\]/su, '');
  const cleaned = base
    .normalize('NFC')
    .replace(control, '')
    .replace(invisible, '')
    .replace(reserved, '_')
    .replace(/\s+/gu, ' ')
    // A leading dot hides a file, a trailing one (or a space) is dropped by Windows and changes the ending.
    .replace(/^[. ]+|[. ]+$/g, '');
  const named = windowsDevice.test(cleaned) ? `_${cleaned}` : cleaned;
  return named === '' ? 'file' : shortened(named);
}

function shortened(name: string): string {
  if (byteLength(name) <= limits.fileNameBytes) return name;
  const ending = /\.[0-9a-zA-Z]{1,10}$/.exec(name)?.[0] ?? '';
  let room = limits.fileNameBytes - byteLength(ending);
  let start = '';
  for (const character of name.slice(0, name.length - ending.length)) {
    room -= byteLength(character);
    if (room < 0) break;
    start += character;
  }
  return start + ending;
}
