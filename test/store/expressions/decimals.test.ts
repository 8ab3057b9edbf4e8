import { Decimal128 } from 'bson';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../../server/store/embedded/bson/types.js';
import { StoreError } from '../../../server/store/embedded/errors.js';
import { compileExpression } from '../../../server/store/embedded/expressions/compile.js';

/** Expected digits are those of another program, computed with 80 and rounded to 34. */

const decimal = (text: string) => Decimal128.fromString(text);
const evaluate = (name: string, operands: Value[]): unknown =>
  compileExpression(new Map([[name, operands.length === 1 ? operands[0]! : operands]]))(new Map(), new Map());
const ofDecimals = (name: string, operands: string[]) => String(evaluate(name, operands.map(decimal)));

const rows: [string, string[], string][] = [
  ['$sin', ['1'], '0.8414709848078965066525023216302990'],
  ['$cos', ['1'], '0.5403023058681397174009366074429766'],
  ['$tan', ['1'], '1.557407724654902230506974807458360'],
  ['$sin', ['0.5'], '0.4794255386042030002732879352155714'],
  ['$cos', ['0.5'], '0.8775825618903727161162815826038297'],
  ['$tan', ['0.5'], '0.5463024898437905132551794657802854'],
  ['$sin', ['-2.75'], '-0.3816609920523316985765613723777803'],
  ['$cos', ['-2.75'], '-0.9243023786324635440966594895267135'],
  ['$tan', ['-2.75'], '0.4129178944849324877639668732611291'],
  ['$sin', ['100'], '-0.5063656411097587936565576104597854'],
  ['$cos', ['100'], '0.8623188722876839341019385139508425'],
  ['$tan', ['100'], '-0.5872139151569290766778096356445879'],
  ['$atan', ['1'], '0.7853981633974483096156608458198757'],
  ['$atan', ['0.3'], '0.2914567944778670919956046214328912'],
  ['$atan', ['-25'], '-1.530817639671606577817743842010376'],
  ['$asin', ['0.5'], '0.5235987755982988730771072305465838'],
  ['$acos', ['0.5'], '1.047197551196597746154214461093168'],
  ['$atanh', ['0.5'], '0.5493061443340548456976226184612629'],
  ['$asin', ['-0.9'], '-1.119769514998634186686677055845400'],
  ['$acos', ['-0.9'], '2.690565841793530805917998747485151'],
  ['$atanh', ['-0.9'], '-1.472219489583220230004513715943927'],
  ['$sinh', ['1'], '1.175201193643801456882381850595601'],
  ['$cosh', ['1'], '1.543080634815243778477905620757062'],
  ['$tanh', ['1'], '0.7615941559557648881194582826047936'],
  ['$asinh', ['1'], '0.8813735870195430252326093249797923'],
  ['$sinh', ['-0.25'], '-0.2526123168081683079141251505420579'],
  ['$cosh', ['-0.25'], '1.031413099879573176159295417520379'],
  ['$tanh', ['-0.25'], '-0.2449186624037091292778011314910170'],
  ['$asinh', ['-0.25'], '-0.2474664615472634529447815497883593'],
  ['$sinh', ['10'], '11013.23287470339337723652455484636'],
  ['$cosh', ['10'], '11013.23292010332313972137609043788'],
  ['$tanh', ['10'], '0.9999999958776927636195928371382757'],
  ['$asinh', ['10'], '2.998222950297969738846595537596453'],
  ['$acosh', ['2'], '1.316957896924816708625046347307968'],
  ['$exp', ['1'], '2.718281828459045235360287471352662'],
  ['$exp', ['-0.5'], '0.6065306597126334236037995349911805'],
  ['$exp', ['100'], '2.688117141816135448412625551580014E+43'],
  ['$ln', ['2'], '0.6931471805599453094172321214581766'],
  ['$ln', ['1E+100'], '230.2585092994045684017991454684364'],
  ['$log10', ['2'], '0.3010299956639811952137388947244930'],
  ['$sqrt', ['2'], '1.414213562373095048801688724209698'],
  ['$sqrt', ['0.0001'], '0.01'],
  ['$pow', ['2', '0.5'], '1.414213562373095048801688724209698'],
  ['$pow', ['1.1', '10'], '2.5937424601'],
  ['$atan2', ['1', '-1'], '2.356194490192344928846982537459627'],
  ['$atan2', ['-1', '-2'], '-2.677945044588987122248387151818288'],
  ['$degreesToRadians', ['180'], '3.141592653589793238462643383279503'],
  ['$pow', ['0.3', '-2.5'], '20.28602064833948568359147343706675'],
  ['$sqrt', ['16'], '4'],
  ['$sqrt', ['0'], '0'],
  ['$exp', ['0'], '1'],
  ['$ln', ['1'], '0'],
  ['$log10', ['1000'], '3'],
  ['$log10', ['0.01'], '-2'],
  ['$log', ['8', '2'], '3'],
  ['$log', ['100', '10'], '2'],
  ['$sin', ['0'], '0'],
  ['$cos', ['0'], '1'],
  ['$acos', ['1'], '0'],
  ['$acosh', ['1'], '0'],
  ['$sin', ['NaN'], 'NaN'],
  ['$exp', ['-Infinity'], '0'],
  ['$exp', ['Infinity'], 'Infinity'],
  ['$atanh', ['1'], 'Infinity'],
  ['$tanh', ['-Infinity'], '-1'],
  ['$tanh', ['1000'], '1'],
  ['$exp', ['20000'], 'Infinity'],
];

describe('Functions of decimals', () => {
  it.each(rows)('%s of %j', (name, operands, expected) => {
    const [value, wanted] = [ofDecimals(name, operands), decimal(expected)];
    // Zeros at the end are no part of the value.
    expect(compileExpression(new Map([['$eq', [decimal(value), wanted]]]))(new Map(), new Map()), value).toBe(
      true,
    );
  });

  it('stay what they are among great numbers', () => {
    const around = (text: string) => Number(ofDecimals('$sin', [text]));
    expect(around('1E+22')).toBeCloseTo(-0.852_200_849_767, 11);
    expect(Math.abs(around('1E+6000'))).toBeLessThanOrEqual(1);
    expect(ofDecimals('$ln', ['1E-6000'])).toBe('-13815.51055796427410410794872810619');
  });
});

describe('Functions with bounds', () => {
  const codeOf = (name: string, ...operands: Value[]): unknown => {
    try {
      return evaluate(name, operands);
    } catch (error) {
      return error instanceof StoreError ? error.code : error;
    }
  };
  it.each([
    ['$sin', [Number.POSITIVE_INFINITY], 50989],
    ['$tan', [decimal('-Infinity')], 50989],
    ['$asin', [1.5], 50989],
    ['$acos', [decimal('-1.000000000000000000000000000000001')], 50989],
    ['$acosh', [0.5], 50989],
    ['$atanh', [-2], 50989],
    ['$sqrt', [-1], 28714],
    ['$sqrt', [decimal('-1E-6000')], 28714],
    ['$ln', [0], 28766],
    ['$log10', [decimal('0')], 28761],
    ['$log', [decimal('-1'), 10], 28758],
    ['$log', [10, 1], 28759],
    ['$pow', [0, -1], 28764],
  ] as [string, Value[], number][])('%s of %j is refused', (name, operands, code) => {
    expect(codeOf(name, ...operands)).toBe(code);
  });

  it('let through what is no number', () => {
    expect(evaluate('$sin', [Number.NaN])).toBeNaN();
    expect(evaluate('$acosh', [Number.NaN])).toBeNaN();
  });
});
