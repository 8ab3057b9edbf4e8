/** Long work over rows that are all there gives way now and then, as a reading does: no sort holds up a point read. */

const sliceMs = 5;
const lookEvery = 256;

/** Asked for each small piece of work: whether it is time to let others have their turn. */
export function pacer(): () => boolean {
  let began = performance.now();
  let pieces = 0;
  return () => {
    pieces += 1;
    if (pieces % lookEvery !== 0) return false;
    const time = performance.now();
    if (time - began < sliceMs) return false;
    began = time;
    return true;
  };
}

export function* paced<Row>(docs: Iterable<Row>): Generator<Row | null> {
  const isTime = pacer();
  for (const doc of docs) {
    if (isTime()) yield null;
    yield doc;
  }
}
