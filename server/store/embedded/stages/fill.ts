import type { Doc, Value } from '../bson/types.js';
import { failedToParse, location } from '../errors.js';
import { typeName } from '../values/compare.js';
import { addFields } from './assign.js';
import { checkFields, optionalDoc, optionalTexts, wrongType } from './spec.js';
import type { Maker, Stage } from './stage.js';
import { setWindowFields } from './window.js';

/** `$fill`: values for fields that have none, from the rows around or by an expression. */

const methods: Readonly<Record<string, string>> = { locf: '$locf', linear: '$linearFill' };

/** What is computed over a window, and what is computed from the row alone. */
function outputsFrom(output: Doc): { overRows: Doc; ofRow: Doc } {
  if (output.size === 0)
    throw location(6_050_203, "The output field in '$fill' must contain an object with at least one element");
  const [overRows, ofRow]: [Doc, Doc] = [new Map(), new Map()];
  for (const [name, given] of output) {
    if (!(given instanceof Map))
      throw location(6_050_200, 'Each fill output specification must be an object with exactly one field');
    checkFields(given, '$fill', ['method', 'value']);
    const method = given.get('method');
    const value = given.get('value');
    if ((method === undefined) === (value === undefined))
      throw location(
        6_050_201,
        "Each fill output specification must have exactly one of 'method' or 'value' fields",
      );
    if (value !== undefined) ofRow.set(name, new Map([['$ifNull', [`$${name}`, value]]]));
    else overRows.set(name, new Map([[functionOf(method), `$${name}`]]));
  }
  return { overRows, ofRow };
}

function functionOf(method: Value | undefined): string {
  const found = typeof method === 'string' && Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (found === undefined) throw location(6_050_202, 'Method must be either locf or linear');
  return found;
}

function partitionFrom(spec: Doc): Value | undefined {
  const by = spec.get('partitionBy');
  const fields = optionalTexts(spec, '$fill', 'partitionByFields');
  if (by !== undefined && fields)
    throw location(
      6_050_204,
      "Maximum one of 'partitionBy' and 'partitionByFields' can be specified in '$fill'",
    );
  if (by !== undefined && typeof by !== 'string' && !(by instanceof Map))
    throw wrongType('$fill', 'partitionBy', by, 'object');
  return fields ? fields.map((name) => `$${name}`) : by;
}

export const fill: Maker = (operand, scope) => {
  if (!(operand instanceof Map))
    throw failedToParse(`The $fill stage specification must be an object, found ${typeName(operand)}`);
  checkFields(operand, '$fill', ['partitionBy', 'partitionByFields', 'sortBy', 'output'], ['output']);
  const { overRows, ofRow } = outputsFrom(optionalDoc(operand, '$fill', 'output')!);
  const partition = partitionFrom(operand);
  const sortBy = optionalDoc(operand, '$fill', 'sortBy');
  const stages: Stage[] = [];
  if (overRows.size > 0) {
    const window: Doc = new Map([['output', overRows]]);
    if (sortBy) window.set('sortBy', sortBy);
    if (partition !== undefined)
      window.set('partitionBy', Array.isArray(partition) ? new Map([['fields', partition]]) : partition);
    stages.push(setWindowFields(window, scope, '$setWindowFields', undefined));
  }
  if (ofRow.size > 0) stages.push(addFields(ofRow, scope, '$addFields', undefined));
  return (rows, variables) => stages.reduce((so, stage) => stage(so, variables), rows);
};
