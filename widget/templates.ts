/**
 * Lit's templates, as far as the widget uses them: the build puts this in the place of `lit/html.js`, whose other
 * features (directives, sanitizers, server rendering, parts of comments and elements) are a sixth of all that a visitor
 * may download. Sources and component tests use Lit itself; test/widget/templates.browser.test.ts holds this to what
 * Lit does, and the component tests run on the built panel, too.
 *
 * Understood: child values (text, templates, lists of them), attributes of one value or several, `@event`. Templates
 * hold no comments, no `>` inside a tag, and no values in `<textarea>`, `<style>` or `<script>`.
 */

interface Result {
  strings: TemplateStringsArray;
  values: readonly unknown[];
}
/** Where a template takes values: a place among its elements and comments. */
interface Hole {
  place: number;
  /** An attribute's; none for a child. */
  name?: string;
  /** What stands around the values. */
  around: readonly string[];
}
interface Template {
  content: DocumentFragment;
  holes: readonly Hole[];
}
type Fill = (values: readonly unknown[]) => void;
interface Child {
  fill: Fill;
  drop: () => void;
}

interface Policy {
  createHTML: (text: string) => string;
}
/** The part of Trusted Types that is needed: not every browser has them. */
interface Policies {
  trustedTypes?: { createPolicy(name: string, rules: Policy): Policy };
}

export const nothing = Symbol.for('lit-nothing');

export const html = (strings: TemplateStringsArray, ...values: unknown[]): Result => ({ strings, values });

const mark = '{}';
const templates = new WeakMap<TemplateStringsArray, Template>();
/** A page that lists policies by name grants one word. */
const policy = (window as Policies).trustedTypes?.createPolicy('threadline', { createHTML: (text) => text });

const comment = (text = ''): Comment => document.createComment(text);
const walk = (root: Node): TreeWalker =>
  document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_COMMENT);

function templateOf(strings: TemplateStringsArray): Template {
  // Only the program's own literals have such strings: nothing of what people wrote is ever read as HTML.
  const text = strings.reduce((before, next) =>
    before.lastIndexOf('<') > before.lastIndexOf('>')
      ? before + mark + next
      : `${before}<!--${mark}-->${next}`,
  );
  const element = document.createElement('template');
  element.innerHTML = policy?.createHTML(text) ?? text;
  const { content } = element;
  const walker = walk(content);
  const holes: Hole[] = [];
  for (let place = 0; walker.nextNode(); place += 1) {
    const node = walker.currentNode;
    if (!(node instanceof Element)) holes.push({ place, around: ['', ''] });
    else
      for (const { name, value } of [...node.attributes]) {
        const around = value.split(mark);
        if (around.length < 2) continue;
        holes.push({ place, name, around });
        node.removeAttribute(name);
      }
  }
  return { content, holes };
}

function attribute(element: Element, name: string, around: readonly string[]): Fill {
  let shown: unknown = nothing;
  if (name[0] !== '@')
    return (values) => {
      const value = values.includes(nothing)
        ? nothing
        : around.reduce((before, next, at) => `${before}${values[at - 1] ?? ''}${next}`);
      if (value === shown) return;
      shown = value;
      if (typeof value === 'string') element.setAttribute(name, value);
      else element.removeAttribute(name);
    };
  // One listener for good: that each drawing makes a new function of it costs nothing.
  element.addEventListener(name.slice(1), (event) => typeof shown === 'function' && shown(event));
  return ([listener]) => {
    shown = listener;
  };
}

/** What stands before `end`, up to a mark of its own. */
function child(end: ChildNode): Child {
  const start = comment();
  const text = new Text();
  let kind: unknown;
  let fillTemplate: Fill;
  let items: Child[];
  end.before(start);

  /** Makes room when what is shown becomes of another kind. */
  function become(next: unknown): boolean {
    const isOther = kind !== next;
    kind = next;
    while (isOther && start.nextSibling !== end) start.nextSibling?.remove();
    return isOther;
  }

  return {
    fill([value]) {
      if (Array.isArray(value)) {
        if (become(Array)) items = [];
        for (const one of items.splice(value.length)) one.drop();
        value.forEach((item, at) => {
          if (!items[at]) {
            const tail = comment();
            end.before(tail);
            items[at] = child(tail);
          }
          items[at]?.fill([item]);
        });
      } else if (isResult(value)) {
        const { strings, values } = value;
        if (!become(strings)) return fillTemplate(values);
        const [fragment, fill] = instanceOf(strings);
        fillTemplate = fill;
        // Whole when it comes into the page: a screen reader announces what it hears of at once.
        fill(values);
        end.before(fragment);
      } else {
        const said = value === nothing ? '' : String(value ?? '');
        if (become(Text)) end.before(text);
        // Writing the same text anew would take the visitor's selection away.
        if (text.data !== said) text.data = said;
      }
    },
    drop() {
      become(nothing);
      start.remove();
      end.remove();
    },
  };
}

const isResult = (value: unknown): value is Result => value instanceof Object && 'strings' in value;

/** The nodes of a template, and what gives them values. */
function instanceOf(strings: TemplateStringsArray): [DocumentFragment, Fill] {
  const template = templates.get(strings) ?? templateOf(strings);
  templates.set(strings, template);
  const fragment = document.importNode(template.content, true);
  const walker = walk(fragment);
  let at = -1;
  let count = 0;
  const fills = template.holes.map(({ place, name, around }): [Fill, number, number] => {
    for (; at < place; at += 1) walker.nextNode();
    const node = walker.currentNode;
    const fill =
      node instanceof Element
        ? attribute(node, name ?? '', around)
        : node instanceof Comment
          ? child(node).fill
          : () => undefined;
    const first = count;
    count += around.length - 1;
    return [fill, first, count];
  });
  return [
    fragment,
    (values) => {
      for (const [fill, first, end] of fills) fill(values.slice(first, end));
    },
  ];
}

const roots = new WeakMap<Node, Child>();

export function render(value: unknown, root: ParentNode & Node): void {
  let shown = roots.get(root);
  if (!shown) {
    const end = comment();
    root.append(end);
    shown = child(end);
    roots.set(root, shown);
  }
  shown.fill([value]);
}
