import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The widget's build shortens names of ours: none may be one that travels, or that storage keeps. */

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { ownNames }: { ownNames: string[] } = await import(
  // A build script in plain JavaScript.
  `${'../../scripts'}/widget/names.mjs`
);

/** Every name that these sources declare, as a field of a type or a schema. */
const declared = (source: string): Set<string> =>
  new Set(
    [...source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '').matchAll(/(?:^|[\s{(,])['"]?(\w+)['"]?\??:/g)].map(
      ([, name]) => name ?? '',
    ),
  );

describe('shortened names of the widget', () => {
  it('do not travel', () => {
    const wire = declared(
      ['protocol', 'errors', 'events/message', 'events/conversation', 'events/parts', 'events/timeline']
        .map((name) => read(`shared/${name}.ts`))
        .join('\n'),
    );
    expect(wire).toContain('conversationId');
    expect(wire).toContain('waitedMs');
    expect(ownNames.filter((name) => wire.has(name))).toEqual([]);
  });

  it('are not kept', () => {
    const stored = /export type Stored<Body> = Pick<[^;]+;/.exec(read('shared/delivery/state.ts'))?.[0] ?? '';
    const kept = [...stored.matchAll(/'(\w+)'/g), ...read('widget/shell.ts').matchAll(/^ {2}(\w+)\?:/gm)];
    const names = kept.map(([, name]) => name);
    expect(names).toEqual(expect.arrayContaining(['queuedAt', 'token', 'drafts']));
    expect(ownNames.filter((name) => names.includes(name))).toEqual([]);
  });

  it('are spelled as strings nowhere', () => {
    const sources = ['widget', 'shared/delivery'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts') && !name.includes('texts'))
        // What types alone spell is gone when it is built.
        .map((name) => read(join(folder, name)).replace(/\b(?:Pick|Omit)<[^;{]*>/g, '')),
    );
    const spelled = (name: string): boolean => sources.some((source) => source.includes(`'${name}'`));
    expect(spelled('theirs')).toBe(true);
    // The table of storage, which is no property.
    expect(ownNames.filter(spelled)).toEqual(['outbox']);
  });
});
