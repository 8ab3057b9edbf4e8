import type { Doc, Value } from '../bson/types.js';
import { StoreError } from '../errors.js';
import * as read from './command.js';

/**
 * MongoDB's fail points, as far as its tests of drivers use them. They exist only where the store was started for tests.
 */

export interface Failure {
  errorCode: number | null;
  /** Null: those that the code has by itself. */
  errorLabels: string[] | null;
  writeConcernError: Doc | null;
  closeConnection: boolean;
  blockMs: number;
  extra: Doc | null;
}

interface FailPoint {
  /** How often it strikes yet. */
  left: number;
  /** How often it lets pass before. */
  skip: number;
  probability: number;
  data: Doc;
}

export type FailPoints = ReturnType<typeof createFailPoints>;

export function createFailPoints() {
  const points = new Map<string, FailPoint>();

  function modeOf(mode: Value | undefined): Omit<FailPoint, 'data'> | null {
    const always = { left: Number.POSITIVE_INFINITY, skip: 0, probability: 1 };
    if (mode === 'off') return null;
    if (mode === 'alwaysOn') return always;
    if (mode instanceof Map) {
      if (mode.has('times')) return { ...always, left: read.number(mode, 'times', 0) };
      if (mode.has('skip')) return { ...always, skip: read.number(mode, 'skip', 0) };
      if (mode.has('activationProbability'))
        return { ...always, probability: read.number(mode, 'activationProbability', 0) };
    }
    throw new StoreError(2, 'BadValue', 'invalid fail point mode');
  }

  /** Whether a point strikes now. */
  function strikes(point: FailPoint): boolean {
    if (point.left <= 0) return false;
    if (point.skip > 0) {
      point.skip -= 1;
      return false;
    }
    point.left -= 1;
    return true;
  }

  return {
    /** `configureFailPoint`. */
    configure(command: Doc): void {
      const name = read.text(command, 'configureFailPoint');
      const mode = modeOf(command.get('mode'));
      if (mode) points.set(name, { ...mode, data: read.doc(command, 'data') });
      else points.delete(name);
    },

    /** What `failCommand` does to a command, if anything. */
    forCommand(name: string, appName: string | null): Failure | null {
      const point = points.get('failCommand');
      if (!point) return null;
      const { data } = point;
      const names = data.get('failCommands');
      if (!Array.isArray(names) || !names.includes(name)) return null;
      if (data.has('appName') && data.get('appName') !== appName) return null;
      if (!strikes(point)) return null;
      const labels = data.get('errorLabels');
      return {
        errorCode: read.optionalNumber(data, 'errorCode') ?? null,
        errorLabels: Array.isArray(labels) ? labels.map(String) : null,
        writeConcernError: read.optionalDoc(data, 'writeConcernError') ?? null,
        closeConnection: read.flag(data, 'closeConnection'),
        blockMs: read.flag(data, 'blockConnection') ? read.number(data, 'blockTimeMS', 0) : 0,
        extra: read.optionalDoc(data, 'errorExtraInfo') ?? null,
      };
    },

    /** Any other point by name: its data when it strikes. */
    take(name: string): Doc | null {
      const point = points.get(name);
      return point && strikes(point) ? point.data : null;
    },
  };
}
