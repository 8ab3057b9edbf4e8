/** A list that is taken from at both ends; what was taken from its beginning is let go of in large pieces. */
export interface Queue<Item> {
  push(item: Item): void;
  pop(): void;
  shift(): void;
  first(): Item | undefined;
  last(): Item | undefined;
  items(): Item[];
}

export function queue<Item>(): Queue<Item> {
  let list: Item[] = [];
  let from = 0;
  return {
    push: (item) => void list.push(item),
    pop: () => void (list.length > from && list.pop()),
    shift() {
      if (from === list.length) return;
      from += 1;
      if (from * 2 < list.length) return;
      list = list.slice(from);
      from = 0;
    },
    first: () => list[from],
    last: () => (list.length > from ? list.at(-1) : undefined),
    items: () => list.slice(from),
  };
}
