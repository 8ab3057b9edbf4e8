/**
 * Writes sprite.ts: the symbols of the icons named here, from lucide (ISC). Run it after adding a name:
 * `node console/icons/generate.mjs`. A test holds the file to this list.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const names = [
  'arrow-left',
  'arrow-up',
  'badge-check',
  'ban',
  'calendar',
  'check',
  'check-check',
  'chevron-down',
  'chevron-right',
  'chevrons-up-down',
  'circle-check',
  'circle-dashed',
  'clock',
  'cloud-off',
  'copy',
  'download',
  'ellipsis',
  'eye-off',
  'file-text',
  'git-merge',
  'globe',
  'history',
  'image-off',
  'inbox',
  'keyboard',
  'layers',
  'lock',
  'log-out',
  'mail',
  'maximize-2',
  'message-circle',
  'panel-right',
  'paperclip',
  'pause',
  'phone',
  'phone-missed',
  'play',
  'plus',
  'reply',
  'rotate-cw',
  'search',
  'settings',
  'shield-alert',
  'shield-check',
  'triangle-alert',
  'user',
  'user-plus',
  'users',
  'x',
];

export function sprite() {
  const folder = join(dirname(createRequire(import.meta.url).resolve('lucide-static/package.json')), 'icons');
  const symbols = names.map((name) => {
    const svg = readFileSync(join(folder, `${name}.svg`), 'utf8');
    const inner = svg.slice(svg.indexOf('>', svg.indexOf('<svg')) + 1, svg.lastIndexOf('</svg>'));
    return `<symbol id="i-${name}" viewBox="0 0 24 24">${inner.replace(/\s+/g, ' ').replace(/> </g, '><').replace(/ \/>/g, '/>').trim()}</symbol>`;
  });
  return [
    '// Made by generate.mjs from lucide (ISC). Do not edit.',
    `export type IconName =\n${names.map((name) => `  | '${name}'`).join('\n')};`,
    `export const sprite =\n  '${symbols.join('')}';`,
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(join(dirname(fileURLToPath(import.meta.url)), 'sprite.ts'), sprite());
