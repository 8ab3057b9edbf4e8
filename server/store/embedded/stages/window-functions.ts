import type { Doc, Value } from '../bson/types.js';
import { failedToParse } from '../errors.js';
import { show } from '../values/show.js';
import type { Accumulation, State } from './accumulator.js';
import { accumulators } from './accumulators.js';
import { type Bounds, boundsFrom } from './window-bounds.js';
import type { WindowCall, WindowFunction, WindowMaker } from './window-partition.js';
import { covariance, derivative, integral } from './window-rates.js';
import { denseRank, documentNumber, expMovingAvg, linearFill, locf, rank, shift } from './window-series.js';

/** The window functions by their names. */

const noGroup: Doc = new Map();

/**
 * An accumulator over each row's window. Rows are taken in as the window reaches them; those it leaves are taken out
 * where the accumulator can give them up, otherwise the window is gone through again.
 */
function over(accumulation: Accumulation, bounds: Bounds): WindowFunction {
  return (partition, variables) => {
    const { docs } = partition;
    const frameOf = bounds.frames(partition);
    const { slide } = accumulation;
    const begin = (): State => accumulation.begin(noGroup, variables);
    const input = (at: number) => accumulation.input(docs[at]!, variables);
    let sliding = slide && !bounds.isFromStart ? slide() : null;
    let state: State = sliding ?? begin();
    // What the state has taken, and what came of it.
    let [from, to] = [0, -1];
    let result: Value | undefined;

    function restart(at: number): void {
      sliding = sliding ? slide!() : null;
      state = sliding ?? begin();
      [from, to] = [at, at - 1];
    }

    function follow(first: number, last: number): void {
      if (sliding && first <= to + 1) for (; from < first; from += 1) sliding.remove(input(from));
      if (first !== from || last < to) restart(first);
      for (; to < last; to += 1) state.take(input(to + 1));
    }

    return (at) => {
      const frame = frameOf(at);
      if (!frame) return begin().result();
      const [first, last] = frame;
      if (result !== undefined && first === from && last === to) return result;
      follow(first, last);
      result = state.result();
      return result;
    };
  };
}

/** The input at one end of each row's window. */
const atEnd =
  (isFirst: boolean): WindowMaker =>
  (call) => {
    const { input } = accumulationOf(call);
    const bounds = boundsFrom(call.window, call.sortBy, call.scope);
    return (partition, variables) => {
      const frameOf = bounds.frames(partition);
      return (at) => {
        const frame = frameOf(at);
        return frame ? (input(partition.docs[frame[isFirst ? 0 : 1]]!, variables) ?? null) : null;
      };
    };
  };

function accumulationOf({ name, argument, scope }: WindowCall): Accumulation {
  // Over windows an array is an expression as any other.
  const given = Array.isArray(argument) ? new Map([['$concatArrays', [argument]]]) : argument;
  return accumulators.get(name)!(given, scope, name);
}

const accumulating: WindowMaker = (call) => {
  const accumulation = accumulationOf(call);
  if (accumulation.needsGroup)
    throw failedToParse(`${call.name} over a window takes a constant 'n', but found: ${show(call.argument)}`);
  return over(accumulation, boundsFrom(call.window, call.sortBy, call.scope));
};

const overWindows = [
  '$addToSet',
  '$avg',
  '$bottom',
  '$bottomN',
  '$count',
  '$firstN',
  '$lastN',
  '$max',
  '$maxN',
  '$median',
  '$min',
  '$minN',
  '$percentile',
  '$push',
  '$stdDevPop',
  '$stdDevSamp',
  '$sum',
  '$top',
  '$topN',
];

export const windowFunctions: ReadonlyMap<string, WindowMaker> = new Map<string, WindowMaker>([
  ...overWindows.map((name): [string, WindowMaker] => [name, accumulating]),
  ['$first', atEnd(true)],
  ['$last', atEnd(false)],
  ['$covariancePop', covariance(false)],
  ['$covarianceSamp', covariance(true)],
  ['$denseRank', denseRank],
  ['$derivative', derivative],
  ['$documentNumber', documentNumber],
  ['$expMovingAvg', expMovingAvg],
  ['$integral', integral],
  ['$linearFill', linearFill],
  ['$locf', locf],
  ['$rank', rank],
  ['$shift', shift],
]);
