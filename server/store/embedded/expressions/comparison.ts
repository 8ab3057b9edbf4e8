import { Int32 } from 'bson';
import { compare } from '../values/compare.js';
import type { Operator } from './expression.js';
import { binary } from './operands.js';

const comparing = (holds: (order: number) => boolean): Operator =>
  binary((first, second, _, { collate }) => holds(compare(first, second, collate)));

export const comparisons: Record<string, Operator> = {
  $cmp: binary((first, second, _, { collate }) => new Int32(Math.sign(compare(first, second, collate)))),
  $eq: comparing((order) => order === 0),
  $ne: comparing((order) => order !== 0),
  $gt: comparing((order) => order > 0),
  $gte: comparing((order) => order >= 0),
  $lt: comparing((order) => order < 0),
  $lte: comparing((order) => order <= 0),
};
