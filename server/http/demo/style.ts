/** The demo shop's look: a site of somebody else's, which the widget has to fit into. */
export const demoStyle = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#fbf9f5, #16181a);
  --card: light-dark(#fff, #1e2123);
  --ink: light-dark(#1d2422, #ecebe7);
  --soft: light-dark(#5d6662, #a4aaa6);
  --line: light-dark(#e6e1d8, #2d3133);
  --brand: light-dark(#b4452c, #ee8a6d);
  --sky: light-dark(#e4ece8, #22302c);
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--paper); color: var(--ink); font: 400 17px/1.6 Georgia, 'Times New Roman', serif; }
header, main, footer { max-width: 68rem; margin-inline: auto; padding-inline: clamp(1.25rem, 4vw, 2.5rem); }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; padding-block: 1.5rem; }
header b { font-size: 1.2rem; letter-spacing: .01em; margin-inline-end: auto; display: flex; align-items: center; gap: .6rem; }
header svg { color: var(--brand); }
header p, footer { color: var(--soft); font: 400 .875rem/1.5 system-ui, sans-serif; }
a { color: var(--brand); text-underline-offset: .2em; }
a:focus-visible { outline: 2px solid var(--brand); outline-offset: 3px; border-radius: 2px; }
.hero { background: var(--sky); border-radius: 20px; padding: clamp(2rem, 6vw, 4.5rem); display: grid;
  grid-template-columns: minmax(0, 1.1fr) minmax(0, 1fr); gap: 2rem; align-items: center; }
.hero h1 { font-size: clamp(1.9rem, 4.4vw, 3.1rem); line-height: 1.12; font-weight: 500; text-wrap: balance; }
.hero p { margin-block: 1.1rem 1.6rem; color: var(--soft); max-width: 34ch; }
.hero svg { width: 100%; height: auto; color: var(--ink); }
.go { display: inline-block; background: var(--brand); color: var(--paper); padding: .7rem 1.3rem; border-radius: 999px;
  text-decoration: none; font: 600 .95rem/1.2 system-ui, sans-serif; }
h2 { font-size: 1.5rem; font-weight: 500; margin-block: 3rem 1.2rem; }
.bikes { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1.25rem; padding: 0; list-style: none; }
.bikes li { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.25rem; }
.bikes svg { width: 100%; height: auto; margin-block-end: 1rem; }
.bikes h3 { font-size: 1.1rem; font-weight: 500; display: flex; justify-content: space-between; gap: 1rem; }
.bikes h3 span { color: var(--soft); font: 400 .9rem/1.7 system-ui, sans-serif; white-space: nowrap; }
.bikes p { color: var(--soft); font-size: .95rem; }
.b1 { color: light-dark(#2f6b58, #7fc4ab); } .b2 { color: light-dark(#35507f, #94b0e4); } .b3 { color: light-dark(#a0702a, #e0b673); }
.shop { max-width: 46ch; }
footer { border-block-start: 1px solid var(--line); margin-block-start: 4rem; padding-block: 1.5rem 6rem; }
@media (max-width: 720px) { .hero { grid-template-columns: 1fr; } .hero svg { order: -1; } }
`;
