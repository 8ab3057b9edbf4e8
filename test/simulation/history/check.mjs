// Reads histories of runs from a file and says whether they keep the contract. It knows nothing of the product: what
// was written, acknowledged and seen, line by line, is all it has.
//   node check.mjs FILE
// Lines: {o:'write',p,m} {o:'ack',p,m,e,s,c} {o:'refuse'|'retry'|'late'|'discard',p,m} {o:'load',p} {o:'see',p,c,s,e}
// {o:'leave',p,c}: a page follows c no more, and what it sees of it later begins anew. {o:'erased',e}: what it said is
// gone, and a retry of it stands anew.
// {o:'final',c,v:[[seq, event, message, kind], ...]}, {o:'whole',p,c,s,a} of a reader of audience a who says that it
// shows all of c from s on, and {o:'end'} after each run.
//   p who, m message, e event, s seq, c conversation
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const totals = {
  runs: 0,
  written: 0,
  acknowledged: 0,
  seen: 0,
  lost: 0,
  doubled: 0,
  misordered: 0,
  invented: 0,
};
const complaints = [];
/** What a customer's browser may see. */
const forVisitors = ['message', 'conversation_started', 'status_changed'];

function complain(kind, text) {
  totals[kind] += 1;
  if (complaints.length < 20) complaints.push(`run ${totals.runs + 1}: ${kind}: ${text}`);
}

function check(lines) {
  const written = new Map();
  const place = new Map();
  const eventAt = new Map();
  const finals = new Map();
  const erased = new Set(lines.filter(({ o }) => o === 'erased').map(({ e }) => e));
  const late = new Set();
  for (const { c, v } of lines.filter(({ o }) => o === 'final')) {
    let last = 0;
    finals.set(c, v);
    for (const [seq, event, message] of v) {
      if (seq <= last) complain('misordered', `${c} holds ${seq} after ${last}`);
      last = seq;
      eventAt.set(event, { c, seq });
      if (message === null) continue;
      const first = place.get(message);
      if (first && erased.has(first.event)) late.add(message);
      else if (first) complain('doubled', `${message} stands twice`);
      place.set(message, { c, seq, event });
    }
  }
  const views = new Map();
  for (const line of lines) {
    if (line.o === 'write') {
      written.set(line.m, { by: line.p, order: written.size });
      totals.written += 1;
    } else if (line.o === 'ack') {
      totals.acknowledged += 1;
      const stands = place.get(line.m);
      if (erased.has(line.e)) continue;
      if (!stands) complain('lost', `${line.m} was acknowledged`);
      else if (stands.event !== line.e || stands.seq !== line.s || stands.c !== line.c) {
        complain(
          'misordered',
          `${line.m} was acknowledged as ${line.s} of ${line.c}, and is ${stands.seq} of ${stands.c}`,
        );
      }
    } else if (line.o === 'retry' || line.o === 'late') late.add(line.m);
    else if (line.o === 'see') see(line);
    else if (line.o === 'leave') views.delete(`${line.p} ${line.c}`);
    else if (line.o === 'whole') whole(line);
  }

  /** One reader, one page, one conversation: what it sees grows at either end, and each event once. */
  function see({ p, c, s, e }) {
    totals.seen += 1;
    const real = eventAt.get(e);
    if (!real) complain('invented', `${p} saw ${e}`);
    else if (real.c !== c || real.seq !== s) complain('misordered', `${p} saw ${e} as ${s} of ${c}`);
    const key = `${p} ${c}`;
    const view = views.get(key) ?? new Set();
    views.set(key, view);
    if (view.has(s)) complain('doubled', `${p} saw ${s} of ${c} twice`);
    view.add(s);
  }

  /** Live and read together, nothing is missing. */
  function whole({ p, c, s, a }) {
    const view = views.get(`${p} ${c}`) ?? new Set();
    for (const [seq, , , kind] of finals.get(c) ?? []) {
      if (seq < s || (a === 'visitor' && !forVisitors.includes(kind))) continue;
      if (!view.has(seq)) complain('lost', `${p} says that it shows all of ${c}, and never saw ${seq}`);
    }
  }

  for (const message of place.keys())
    if (!written.has(message)) complain('invented', `${message} was never written`);
  const lastOf = new Map();
  for (const [message, { c, seq }] of [...place].sort(([, a], [, b]) => a.seq - b.seq)) {
    const { by, order } = written.get(message) ?? {};
    if (by === undefined || late.has(message)) continue;
    const last = lastOf.get(`${by} ${c}`) ?? -1;
    if (order < last) complain('misordered', `${message} stands at ${seq}, after what ${by} wrote later`);
    lastOf.set(`${by} ${c}`, order);
  }
  totals.runs += 1;
}

let run = [];
for await (const text of createInterface({ input: createReadStream(process.argv[2]) })) {
  if (text === '') continue;
  const line = JSON.parse(text);
  if (line.o === 'end') {
    check(run);
    run = [];
  } else run.push(line);
}
process.stdout.write(JSON.stringify({ ...totals, complaints }));
process.exitCode = complaints.length === 0 ? 0 : 1;
