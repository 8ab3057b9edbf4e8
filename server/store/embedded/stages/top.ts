/** The first few of many, in memory for those few. */
export interface Top<Item> {
  add(item: Item): void;
  /** What was kept, in the order it was added in. */
  items(): Item[];
}

interface Entry<Item> {
  item: Item;
  at: number;
}

/** A heap of the `most` least items, the greatest of them on top. Of equal ones those added first are kept. */
export function topOf<Item>(most: number, order: (left: Item, right: Item) => number): Top<Item> {
  const heap: Entry<Item>[] = [];
  let added = 0;
  const isAfter = (left: Entry<Item>, right: Entry<Item>): boolean =>
    (order(left.item, right.item) || left.at - right.at) > 0;

  function raise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isAfter(heap[at]!, heap[parent]!)) return;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  function lower(): void {
    let at = 0;
    for (;;) {
      let last = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && isAfter(heap[child]!, heap[last]!)) last = child;
      if (last === at) return;
      [heap[at], heap[last]] = [heap[last]!, heap[at]!];
      at = last;
    }
  }

  return {
    add(item) {
      const entry = { item, at: added };
      added += 1;
      if (heap.length < most) {
        heap.push(entry);
        raise(heap.length - 1);
      } else if (order(item, heap[0]!.item) < 0) {
        heap[0] = entry;
        lower();
      }
    },
    items: () => [...heap].sort((left, right) => left.at - right.at).map(({ item }) => item),
  };
}
