import * as lit from 'lit/html.js';
import * as ours from '../../widget/templates.js';

/** The templates that visitors download, held to Lit's: the same values, in any order, give the same page. */

interface Kit {
  html: (strings: TemplateStringsArray, ...values: unknown[]) => unknown;
  nothing: unknown;
}

/** A random value of a kind that the widget renders, made for one kit or the other from the same numbers. */
type Draw = () => number;

function draws(seed: number): Draw {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const texts = ['', 'a', '<b>x</b>', '&amp; "quoted"', '{}', 'Ж 日本 🚲', ' ', '0'];
const pick = <Value>(draw: Draw, from: readonly Value[]): Value => from[Math.floor(draw() * from.length)]!;

function tree(kit: Kit, draw: Draw, depth: number, heard: string[]): unknown {
  const { html, nothing } = kit;
  const child = (): unknown => tree(kit, draw, depth - 1, heard);
  const kind = depth <= 0 ? draw() * 3 : draw() * 8;
  if (kind < 1) return pick(draw, texts);
  if (kind < 2) return pick(draw, [nothing, null, undefined, 7]);
  if (kind < 3) return pick(draw, texts);
  if (kind < 4) return html`<p class="one">${child()}</p>`;
  if (kind < 5)
    return html`<div class="a ${pick(draw, texts)} b${pick(draw, [1, nothing, undefined])}" title=${pick(draw, [nothing, 'x', undefined, true])}>
        before ${child()} between ${child()}<i></i>${child()} after
      </div>
      <span aria-label=${pick(draw, texts)}></span>`;
  if (kind < 6) {
    const word = pick(draw, texts);
    return html`<button type="button" data-word=${word} @click=${() => heard.push(word)}>${word}</button>${child()}`;
  }
  return Array.from({ length: Math.floor(draw() * 4) }, child);
}

/** What a reader of the page sees: elements, attributes and text, without either's marks. */
function shown(root: Element): string {
  const copy = root.cloneNode(true);
  const walker = document.createTreeWalker(copy, NodeFilter.SHOW_COMMENT);
  const marks: Node[] = [];
  while (walker.nextNode()) marks.push(walker.currentNode);
  for (const mark of marks) mark.parentNode?.removeChild(mark);
  copy.normalize();
  return copy instanceof Element ? copy.innerHTML : '';
}

function same(actual: unknown, expected: unknown, what: string): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected))
    throw new Error(`${what}\n  ours ${JSON.stringify(actual)}\n  Lit  ${JSON.stringify(expected)}`);
}

describe('templates', () => {
  it('give the same page as Lit, from any values after any others', () => {
    let compared = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const [mine, theirs] = [document.createElement('div'), document.createElement('div')];
      for (let turn = 0; turn < 8; turn += 1) {
        const [heard, heardByLit]: [string[], string[]] = [[], []];
        ours.render(tree(ours, draws(seed * 100 + turn), 4, heard), mine);
        lit.render(tree(lit, draws(seed * 100 + turn), 4, heardByLit), theirs);
        same(shown(mine), shown(theirs), `seed ${seed}, turn ${turn}`);
        for (const root of [mine, theirs]) for (const one of root.querySelectorAll('button')) one.click();
        same(heard, heardByLit, `listeners, seed ${seed}, turn ${turn}`);
        compared += shown(mine).length;
      }
    }
    if (compared < 100_000) throw new Error('There was hardly anything to compare.');
  });

  it('keep the nodes of a template that is drawn again, and so focus, selection and what was typed', () => {
    const root = document.createElement('div');
    document.body.append(root);
    const draw = (name: string, lines: string[]): void =>
      ours.render(
        ours.html`<p>${name}</p>${lines.map((line) => ours.html`<i>${line}</i>`)}<input title=${name} />`,
        root,
      );
    draw('one', ['a', 'b']);
    const [input, first] = [root.querySelector('input')!, root.querySelector('i')!];
    const text = root.querySelector('p')?.lastChild;
    input.focus();
    input.value = 'typed';
    draw('one', ['a', 'b', 'c']);
    draw('two', ['a']);
    same(
      [
        root.querySelector('input') === input,
        root.querySelector('i') === first,
        root.querySelectorAll('i').length,
      ],
      [true, true, 1],
      'nodes',
    );
    same([document.activeElement === input, input.value, input.title], [true, 'typed', 'two'], 'field');
    same(root.querySelector('p')?.lastChild === text, true, 'text');
    root.remove();
  });

  it('bring a template into the page whole, so that what is announced is complete', async () => {
    const root = document.createElement('div');
    const seen: string[] = [];
    const observer = new MutationObserver((records) => {
      for (const { addedNodes } of records) for (const node of addedNodes) seen.push(node.textContent ?? '');
    });
    observer.observe(root, { childList: true, subtree: true });
    ours.render(ours.html`<p>${'Anna'}: ${ours.html`<b>${'Hello'}</b>`}</p>`, root);
    await new Promise((resolve) => setTimeout(resolve));
    observer.disconnect();
    same(
      seen.filter((text) => text !== ''),
      ['Anna: Hello'],
      'added',
    );
  });
});
