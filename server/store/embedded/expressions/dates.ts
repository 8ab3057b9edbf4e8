import { Int32, ObjectId, Timestamp } from 'bson';
import type { Doc, Value } from '../bson/types.js';
import { location, StoreError } from '../errors.js';
import { typeName } from '../values/compare.js';
import { isNumber, toInteger } from '../values/numbers.js';
import { dayOfYear, isoDayOfWeek, isoWeek, week } from './calendar.js';
import { formatted } from './date-format.js';
import { instantByFormat, instantFrom } from './date-parse.js';
import { difference, moved, truncated } from './date-units.js';
import { type Expression, isNullish, type Operator, type Scope } from './expression.js';
import { optional, parametersOf, required } from './operands.js';
import { instantOf, utc, wallOf, type Zone, zoneFrom } from './zones.js';

/** Dates: their parts, their texts, and reckoning with them in a time zone. */

type Evaluated = Value | undefined;

export function instant(value: Value, name: string): number {
  if (value instanceof Date) return value.getTime();
  if (value instanceof ObjectId) return value.getTimestamp().getTime();
  if (value instanceof Timestamp) return value.getHighBitsUnsigned() * 1_000;
  throw location(16006, `${name}: can't convert from BSON type ${typeName(value)} to Date`);
}

const rules = (name: string, names: string[]) => ({
  names,
  notAnObject: () => location(18629, `${name} only supports an object as its argument`),
  unknown: (parameter: string) => location(18534, `Unrecognized argument to ${name}: ${parameter}`),
});

const need = (parameters: Doc, part: string, name: string, scope: Scope): Expression =>
  scope.compile(required(parameters, part, () => location(18628, `Missing '${part}' parameter to ${name}`)));

/** Operators such as `$year`: `{$year: date}` or `{$year: {date, timezone}}`. */
const part =
  (read: (wall: Date) => Value): Operator =>
  (argument, scope, name) => {
    const isLong = argument instanceof Map && argument.keys().next().value?.startsWith('$') !== true;
    const parameters = isLong ? parametersOf(argument, rules(name, ['date', 'timezone'])) : null;
    const [single, extra] = Array.isArray(argument) ? argument : [argument];
    if (extra !== undefined) throw location(40536, `${name} accepts exactly one argument if given an array`);
    const date = parameters ? need(parameters, 'date', name, scope) : scope.compile(single ?? null);
    const timezone = parameters ? optional(parameters, 'timezone', scope) : undefined;
    return (doc, variables) => {
      const value = date(doc, variables);
      const zone = timezone ? zoneFrom(timezone(doc, variables) ?? null) : zoneFrom(undefined);
      if (isNullish(value) || !zone) return null;
      return read(wallOf(instant(value, name), zone));
    };
  };

const int = (read: (wall: Date) => number) => part((wall) => new Int32(read(wall)));

const toText: Operator = (argument, scope, name) => {
  const parameters = parametersOf(argument, rules(name, ['date', 'format', 'timezone', 'onNull']));
  const date = need(parameters, 'date', name, scope);
  const [format, timezone, onNull] = ['format', 'timezone', 'onNull'].map((one) =>
    optional(parameters, one, scope),
  );
  return (doc, variables) => {
    const value = date(doc, variables);
    if (isNullish(value)) return onNull ? onNull(doc, variables) : null;
    const zoneValue = timezone?.(doc, variables);
    const zone = timezone ? zoneFrom(zoneValue ?? null) : zoneFrom(undefined);
    const given = format?.(doc, variables);
    if (!zone || (format && isNullish(given))) return null;
    if (format && typeof given !== 'string')
      throw location(18533, `$dateToString requires that 'format' be a string, found: ${typeName(given)}`);
    const pattern =
      typeof given === 'string'
        ? given
        : zoneValue === undefined || zoneValue === 'UTC'
          ? '%Y-%m-%dT%H:%M:%S.%LZ'
          : '%Y-%m-%dT%H:%M:%S.%L%z';
    return formatted(instant(value, name), pattern, zone);
  };
};

const fromText: Operator = (argument, scope, name) => {
  const parameters = parametersOf(
    argument,
    rules(name, ['dateString', 'format', 'timezone', 'onError', 'onNull']),
  );
  const text = need(parameters, 'dateString', name, scope);
  const [format, timezone, onError, onNull] = ['format', 'timezone', 'onError', 'onNull'].map((one) =>
    optional(parameters, one, scope),
  );
  const refuse = (message: string) => new StoreError(241, 'ConversionFailure', message);
  return (doc, variables) => {
    const value = text(doc, variables);
    if (isNullish(value)) return onNull ? onNull(doc, variables) : null;
    try {
      if (typeof value !== 'string')
        throw refuse(`$dateFromString requires that 'dateString' be a string, found: ${typeName(value)}`);
      const zone = timezone ? zoneFrom(timezone(doc, variables) ?? null) : null;
      if (timezone && !zone) return null;
      const given = format?.(doc, variables);
      if (format && isNullish(given)) return null;
      return typeof given === 'string'
        ? instantByFormat(value, given, zone, refuse)
        : instantFrom(value, zone, refuse);
    } catch (error) {
      if (onError && error instanceof StoreError && error.code === 241) return onError(doc, variables);
      throw error;
    }
  };
};

const toParts: Operator = (argument, scope, name) => {
  const parameters = parametersOf(argument, rules(name, ['date', 'timezone', 'iso8601']));
  const date = need(parameters, 'date', name, scope);
  const [timezone, isIso] = ['timezone', 'iso8601'].map((one) => optional(parameters, one, scope));
  return (doc, variables) => {
    const value = date(doc, variables);
    const zone = timezone ? zoneFrom(timezone(doc, variables) ?? null) : zoneFrom(undefined);
    if (isNullish(value) || !zone) return null;
    const wall = wallOf(instant(value, name), zone);
    const { year, week: number } = isoWeek(wall);
    const days: [string, number][] =
      isIso?.(doc, variables) === true
        ? [
            ['isoWeekYear', year],
            ['isoWeek', number],
            ['isoDayOfWeek', isoDayOfWeek(wall)],
          ]
        : [
            ['year', wall.getUTCFullYear()],
            ['month', wall.getUTCMonth() + 1],
            ['day', wall.getUTCDate()],
          ];
    const time: [string, number][] = [
      ['hour', wall.getUTCHours()],
      ['minute', wall.getUTCMinutes()],
      ['second', wall.getUTCSeconds()],
      ['millisecond', wall.getUTCMilliseconds()],
    ];
    return new Map<string, Value>([...days, ...time].map(([key, one]) => [key, new Int32(one)]));
  };
};

const partNames = [
  'year',
  'month',
  'day',
  'hour',
  'minute',
  'second',
  'millisecond',
  'isoWeekYear',
  'isoWeek',
  'isoDayOfWeek',
];

const fromParts: Operator = (argument, scope, name) => {
  const parameters = parametersOf(argument, rules(name, [...partNames, 'timezone']));
  if (!parameters.has('year') && !parameters.has('isoWeekYear'))
    throw location(40516, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present");
  const parts = partNames.map((one) => [one, optional(parameters, one, scope)] as const);
  const timezone = optional(parameters, 'timezone', scope);
  return (doc, variables) => {
    const values = new Map<string, number>();
    for (const [key, expression] of parts) {
      if (!expression) continue;
      const value = expression(doc, variables);
      if (isNullish(value)) return null;
      const whole = isNumber(value) ? toInteger(value) : null;
      if (whole === null)
        throw location(40515, `'${key}' must evaluate to an integer, found ${typeName(value)}`);
      values.set(key, Number(whole));
    }
    const zone = timezone ? zoneFrom(timezone(doc, variables) ?? null) : zoneFrom(undefined);
    return zone ? new Date(instantOf(wallFrom(values), zone)) : null;
  };
};

function wallFrom(values: Map<string, number>): number {
  const of = (key: string, fallback: number) => values.get(key) ?? fallback;
  const time = [of('hour', 0), of('minute', 0), of('second', 0), of('millisecond', 0)] as const;
  if (!values.has('isoWeekYear')) return utc(of('year', 1970), of('month', 1) - 1, of('day', 1), ...time);
  const year = of('isoWeekYear', 1970);
  // The fourth of January is always in the first week.
  const monday = 4 - isoDayOfWeek(new Date(utc(year, 0, 4))) + 1;
  return utc(year, 0, monday + (of('isoWeek', 1) - 1) * 7 + of('isoDayOfWeek', 1) - 1, ...time);
}

/** Parameters of the operators that reckon: evaluated together; null when one that must be there is not. */
function reckoning(
  names: string[],
  optionalNames: string[],
  evaluate: (values: Map<string, Value>, zone: Zone, name: string) => Evaluated,
): Operator {
  return (argument, scope, name) => {
    const parameters = parametersOf(argument, {
      names: [...names, ...optionalNames, 'timezone'],
      notAnObject: () => location(5166400, `${name} expects an object as its argument`),
      unknown: (parameter) => location(5166401, `Unrecognized argument to ${name}: ${parameter}`),
    });
    const parts = names.map(
      (one) =>
        [
          one,
          scope.compile(required(parameters, one, () => location(5166402, `${name} requires '${one}'`))),
        ] as const,
    );
    const others = optionalNames.map((one) => [one, optional(parameters, one, scope)] as const);
    const timezone = optional(parameters, 'timezone', scope);
    return (doc, variables) => {
      const values = new Map<string, Value>();
      for (const [key, expression] of [...parts, ...others]) {
        if (!expression) continue;
        const value = expression(doc, variables);
        if (isNullish(value)) return null;
        values.set(key, value);
      }
      const zone = timezone ? zoneFrom(timezone(doc, variables) ?? null) : zoneFrom(undefined);
      return zone ? evaluate(values, zone, name) : null;
    };
  };
}

function amountOf(values: Map<string, Value>, name: string): number {
  const amount = values.get('amount');
  const whole = isNumber(amount) ? toInteger(amount) : null;
  if (whole === null) throw location(5166405, `${name} expects integer amount of time units`);
  return Number(whole);
}

const adding = (sign: 1 | -1): Operator =>
  reckoning(['startDate', 'unit', 'amount'], [], (values, zone, name) =>
    moved(
      instant(values.get('startDate')!, name),
      values.get('unit')!,
      amountOf(values, name) * sign,
      zone,
      name,
    ),
  );

export const dates: Record<string, Operator> = {
  $year: int((wall) => wall.getUTCFullYear()),
  $month: int((wall) => wall.getUTCMonth() + 1),
  $dayOfMonth: int((wall) => wall.getUTCDate()),
  $hour: int((wall) => wall.getUTCHours()),
  $minute: int((wall) => wall.getUTCMinutes()),
  $second: int((wall) => wall.getUTCSeconds()),
  $millisecond: int((wall) => wall.getUTCMilliseconds()),
  $dayOfYear: int(dayOfYear),
  $dayOfWeek: int((wall) => wall.getUTCDay() + 1),
  $week: int(week),
  $isoDayOfWeek: int(isoDayOfWeek),
  $isoWeek: int((wall) => isoWeek(wall).week),
  $isoWeekYear: part((wall) => BigInt(isoWeek(wall).year)),
  $dateToString: toText,
  $dateFromString: fromText,
  $dateToParts: toParts,
  $dateFromParts: fromParts,
  $dateAdd: adding(1),
  $dateSubtract: adding(-1),
  $dateDiff: reckoning(['startDate', 'endDate', 'unit'], ['startOfWeek'], (values, zone, name) =>
    BigInt(
      difference(
        instant(values.get('startDate')!, name),
        instant(values.get('endDate')!, name),
        values.get('unit')!,
        zone,
        values.get('startOfWeek'),
        name,
      ),
    ),
  ),
  $dateTrunc: reckoning(['date', 'unit'], ['binSize', 'startOfWeek'], (values, zone, name) => {
    const size = values.get('binSize');
    const whole = size === undefined ? 1n : isNumber(size) ? toInteger(size) : null;
    if (whole === null || whole <= 0n)
      throw location(5439017, `${name} requires 'binSize' to be a positive 64-bit integer`);
    return truncated(
      instant(values.get('date')!, name),
      values.get('unit')!,
      Number(whole),
      zone,
      values.get('startOfWeek'),
      name,
    );
  }),
};
