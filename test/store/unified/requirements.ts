import type { Requirement, SpecFile, SpecTest } from './format.js';

/** What the embedded store announces: one version, one topology. */
export const announced = { version: '8.0.0', topology: 'replicaset', auth: false } as const;

const parts = (version: string) => version.split('.').map(Number);

function isAtLeast(version: string, least: string): boolean {
  const [left, right] = [parts(version), parts(least)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** `8.0` as a maximum takes in 8.0.99: what is not named is not limited. */
function isAtMost(version: string, most: string): boolean {
  const limit = parts(most);
  return isAtLeast(limit.join('.'), parts(version).slice(0, limit.length).join('.'));
}

function unmet(requirement: Requirement): string | null {
  const { minServerVersion, maxServerVersion, topologies, serverless, serverParameters, auth, csfle } =
    requirement;
  if (minServerVersion && !isAtLeast(announced.version, minServerVersion))
    return `minServerVersion ${minServerVersion}`;
  if (maxServerVersion && !isAtMost(announced.version, maxServerVersion))
    return `maxServerVersion ${maxServerVersion}`;
  if (topologies && !topologies.includes(announced.topology)) return `topologies ${topologies.join(', ')}`;
  if (serverless === 'require') return 'serverless';
  if (auth !== undefined && auth !== announced.auth) return `auth ${auth}`;
  if (csfle) return 'client-side encryption';
  if (serverParameters) {
    const other = Object.entries(serverParameters).find(
      ([name, value]) => !(name === 'enableTestCommands' && value),
    );
    if (other) return `serverParameters ${other[0]}`;
  }
  return null;
}

function firstUnmet(requirements: Requirement[] | undefined): string | null {
  if (!requirements || requirements.length === 0) return null;
  const reasons = requirements.map(unmet);
  return reasons.includes(null) ? null : (reasons[0] ?? null);
}

/** Why a test does not apply to this server, in the file's own words; null when it must run and pass. */
export function exclusion(file: SpecFile, test: SpecTest): string | null {
  return firstUnmet(file.runOnRequirements) ?? firstUnmet(test.runOnRequirements);
}
