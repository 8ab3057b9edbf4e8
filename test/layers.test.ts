import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * Who may import whom. The first rule whose `from` fits a file decides; `may` lists what of ours it may import,
 * `packages` what of npm and Node (absent: anything). docs/architecture.md explains the layers.
 */
const domains = 'timeline|contacts|conversations|inboxes|workspaces|agents|files|jobs';
const rules: { name: string; from: RegExp; may: RegExp[]; packages?: RegExp[] }[] = [
  {
    name: 'the delivery engine is pure: no DOM, no sockets, no storage of its own',
    from: /^shared\/delivery\//,
    may: [/^shared\//],
    packages: [],
  },
  {
    name: 'shared runs in browser and server and imports nothing of ours',
    from: /^shared\//,
    may: [/^shared\//],
    packages: [/^valibot$/],
  },
  {
    name: 'the widget imports shared only',
    from: /^widget\//,
    may: [/^widget\//, /^shared\//],
    packages: [/^lit(\/|$)/, /^idb$/],
  },
  { name: 'the console imports shared only', from: /^console\//, may: [/^console\//, /^shared\//] },
  {
    name: 'the embedded store could be published alone',
    from: /^server\/store\/embedded\//,
    may: [/^server\/store\/embedded\//],
    packages: [/^bson$/, /^lmdb$/, /^node:/],
  },
  {
    name: 'the store knows no domain',
    from: /^server\/store\//,
    may: [/^server\/store\//, /^server\/log\.ts$/, /^shared\//],
  },
  {
    name: 'a model imports no operations',
    from: new RegExp(`^server/(${domains})/([a-z-]+-)?model\\.ts$`),
    may: [/(^|-|\/)model\.ts$/, /^server\/store\//, /^shared\//],
  },
  {
    name: 'a domain imports neither http, realtime, cli nor a channel: it publishes',
    from: new RegExp(`^server/(${domains})/`),
    may: [
      new RegExp(`^server/(${domains})/`),
      /^server\/store\//,
      /^server\/config\.ts$/,
      /^server\/log\.ts$/,
      /^shared\//,
    ],
  },
  {
    name: 'a channel imports domains, never another channel, http or realtime',
    from: /^server\/channels\/(\w+)\//,
    may: [
      new RegExp(`^server/(${domains})/`),
      /^server\/store\//,
      /^server\/config\.ts$/,
      /^server\/log\.ts$/,
      /^shared\//,
    ],
  },
  {
    name: 'http and realtime import domains and channels, never the command line',
    from: /^server\/(http|realtime)\//,
    may: [/^server\/(?!cli\/|app\.ts|main\.ts)/, /^shared\//],
  },
  { name: 'the roots compose everything of the server', from: /^server\//, may: [/^server\//, /^shared\//] },
];

const root = join(import.meta.dirname, '..');
const folders = ['shared', 'server', 'widget', 'console'];

const files = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name))),
);

interface Import {
  file: string;
  line: number;
  /** A path of ours, or the name of a package. */
  target: string;
  isOurs: boolean;
  isType: boolean;
}

function importsOf(file: string): Import[] {
  const source = readFileSync(join(root, file), 'utf8');
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g;
  return [...source.matchAll(pattern)].map((match) => {
    const specifier = match[2] ?? match[3] ?? '';
    const line = source.slice(0, match.index + match[0].length).split('\n').length;
    const isOurs = specifier.startsWith('.');
    const target = isOurs ? resolveOurs(file, specifier) : specifier;
    return { file, line, target, isOurs, isType: match[1] !== undefined };
  });
}

function resolveOurs(file: string, specifier: string): string {
  const path = normalize(join(dirname(file), specifier.replace(/[?#].*$/, '')));
  const asTypeScript = path.replace(/\.js$/, '.ts');
  return existsSync(join(root, asTypeScript)) ? asTypeScript : path;
}

const imports = files.flatMap(importsOf);

/** Imports that break the first rule that fits their file, one line each. */
function breaches(list: Import[]): string[] {
  return list.flatMap((entry) => {
    const rule = rules.find((candidate) => candidate.from.test(entry.file));
    if (!rule) return [`${entry.file}:${entry.line} no rule names this folder`];
    const sameChannel = /^server\/channels\/\w+\//.exec(entry.file)?.[0];
    if (entry.isOurs && sameChannel && entry.target.startsWith(sameChannel)) return [];
    const allowed = entry.isOurs ? rule.may : rule.packages;
    if (!allowed || allowed.some((pattern) => pattern.test(entry.target))) return [];
    return [`${entry.file}:${entry.line} imports ${entry.target}: ${rule.name} (docs/architecture.md)`];
  });
}

function cycles(list: Import[]): string[] {
  const graph = new Map<string, string[]>();
  for (const entry of list) {
    if (!entry.isOurs || entry.isType) continue;
    graph.set(entry.file, [...(graph.get(entry.file) ?? []), entry.target]);
  }
  const found: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, path: string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

describe('layers', () => {
  it('finds files and imports to check', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(imports.length).toBeGreaterThan(20);
  });

  it('hold: every import is one that its layer may make', () => {
    expect(breaches(imports)).toEqual([]);
  });

  it('have no cycle, file by file', () => {
    expect(cycles(imports)).toEqual([]);
  });

  it('are not imported around: nothing imports test/ or bench/', () => {
    expect(imports.filter((entry) => /^(test|bench)\//.test(entry.target))).toEqual([]);
  });

  it('would be seen broken', () => {
    const wrong = (file: string, target: string, isOurs = true) =>
      breaches([{ file, line: 1, target, isOurs, isType: false }]);
    expect(wrong('server/timeline/append.ts', 'server/http/server.ts')).toHaveLength(1);
    expect(wrong('server/channels/email/receive.ts', 'server/channels/chat/handshake.ts')).toHaveLength(1);
    expect(wrong('server/channels/email/receive.ts', 'server/channels/email/parse.ts')).toHaveLength(0);
    expect(wrong('widget/panel.ts', 'server/config.ts')).toHaveLength(1);
    expect(wrong('shared/delivery/engine.ts', 'idb', false)).toHaveLength(1);
    expect(wrong('server/store/embedded/wire.ts', 'server/store/connect.ts')).toHaveLength(1);
    expect(wrong('server/timeline/model.ts', 'server/timeline/append.ts')).toHaveLength(1);
    expect(
      cycles([
        { file: 'a.ts', line: 1, target: 'b.ts', isOurs: true, isType: false },
        { file: 'b.ts', line: 1, target: 'a.ts', isOurs: true, isType: false },
      ]),
    ).toHaveLength(1);
  });
});

/**
 * Time, chance, disk and network reach delivery, the door and the jobs through ports, so that the simulation runs what
 * is shipped. What stands here is a port's real side, or reads for people and takes no part in delivery.
 */
const behindPorts = /^(shared\/delivery|server\/timeline|server\/jobs)\//;
const realSides = ['server/timeline/system.ts', 'server/jobs/system.ts', 'server/jobs/bull.ts'];
const worldly =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bperformance\b|\bset(Timeout|Interval|Immediate)\b|\bcrypto\b|['"]node:|['"](fs|net|http|timers|os)['"]/;

/** Lines that reach around the ports. Comments may name what they like. */
function worldlyLines(file: string, source: string): string[] {
  if (!behindPorts.test(file) || realSides.includes(file)) return [];
  const code = source.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
  return code.split('\n').flatMap((line, at) => {
    const found = worldly.exec(line.replace(/\/\/.*$/, ''));
    return found ? [`${file}:${at + 1} uses ${found[0]}: take it through a port`] : [];
  });
}

describe('ports', () => {
  it('are the only way to time, chance, disk and network', () => {
    const folder = files.filter((file) => behindPorts.test(file));
    expect(folder.length).toBeGreaterThan(20);
    expect(folder.flatMap((file) => worldlyLines(file, readFileSync(join(root, file), 'utf8')))).toEqual([]);
  });

  it('have real sides that are there and need the exception', () => {
    for (const file of realSides) {
      const source = readFileSync(join(root, file), 'utf8');
      expect(worldly.test(source), file).toBe(true);
    }
  });

  it('would be seen reached around', () => {
    const wrong = (line: string) => worldlyLines('shared/delivery/run.ts', line);
    expect(wrong('const now = Date.now();')).toHaveLength(1);
    expect(wrong('return new Date();')).toHaveLength(1);
    expect(wrong('setTimeout(call, 5);')).toHaveLength(1);
    expect(wrong("import { readFile } from 'node:fs/promises';")).toHaveLength(1);
    expect(wrong('const at = new Date(ports.now().getTime() + 5); // not Date.now()')).toHaveLength(0);
  });
});
