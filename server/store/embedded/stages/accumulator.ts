import { Int32 } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { location } from '../errors.js';
import type { Expression, Variables } from '../expressions/compile.js';
import { expressionOf, type Scope } from './stage.js';

/** What makes one value of many. */

/** What became of the values so far. */
export interface State {
  /** @returns false when it has no need to keep the value */
  take(value: Value | undefined): unknown;
  /** A value of its own: what is taken later does not change it. */
  result(): Value;
}

/** A state that gives up what it took, in the order in which it took it. */
export interface SlidingState extends State {
  remove(value: Value | undefined): void;
}

/** An accumulator with its argument, compiled once. */
export interface Accumulation {
  /** What it looks at of a document. */
  input: Expression;
  /** Begins anew. @param group the key of the group, where it is a document */
  begin(group: Doc, variables: Variables): State;
  /** Begins anew for a window that moves on. Without it, such a window is gone through again at each of its places. */
  slide?(): SlidingState;
  /** Whether it holds what it takes, however many that are. */
  holds?: boolean;
  /** Whether `begin` asks for the group. */
  needsGroup: boolean;
}

/** Compiles `{ $name: argument }`. */
export type AccumulatorMaker = (argument: Value, scope: Scope, name: string) => Accumulation;

/** How many there are, as MongoDB gives it: a 64-bit number only where it must be. */
export const counted = (many: number): Int32 | bigint => (many < 2 ** 31 ? new Int32(many) : BigInt(many));

/** An accumulator of one expression. */
export const plain =
  (begin: (scope: Scope) => State, slide?: (scope: Scope) => SlidingState, holds = false): AccumulatorMaker =>
  (argument, scope, name) => {
    if (Array.isArray(argument)) throw location(40237, `The ${name} accumulator is a unary operator`);
    return {
      input: expressionOf(argument, scope),
      begin: () => begin(scope),
      ...(slide && { slide: () => slide(scope) }),
      holds,
      needsGroup: false,
    };
  };
