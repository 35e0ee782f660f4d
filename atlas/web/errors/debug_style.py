"""The style sheet of the debug page, with a light and a dark colour scheme."""

STYLE = """
:root { --paper: #f6f2e8; --sheet: #fdfbf5; --ink: #1d2b33; --soft: #5b6a70; --line: #d8d5c6; --accent: #a8431f;
  --tint: #f6e3d3; --mark: #f1c9a8; --water: #24566a;
  --serif: Charter, "Iowan Old Style", Palatino, P052, "Liberation Serif", Georgia, serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace }
@media (prefers-color-scheme: dark) {
  :root { --paper: #10191e; --sheet: #16232a; --ink: #e6e4da; --soft: #94a5ab; --line: #2c3f47; --accent: #f0a071;
    --tint: #37291f; --mark: #6e4528; --water: #8cc4d2 } }
* { box-sizing: border-box }
html { scroll-behavior: smooth; scroll-padding-top: 4rem; -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 var(--serif) }
header, nav, main, footer { padding-inline: max(1.25rem, calc(50vw - 34rem)) }
header { padding-block: 2.75rem 1.75rem }
h1, h2, h3, p, dl, dd, ol, pre { margin: 0 }
h1, h2, h3 { font-weight: 500; line-height: 1.15; letter-spacing: -.01em }
h1 { font-size: clamp(1.9rem, 5vw, 3rem); color: var(--accent); overflow-wrap: anywhere }
h1 small { font-size: .5em; color: var(--soft); letter-spacing: 0 }
h2 { font-size: 1.6rem; margin-bottom: 1rem }
h2 small { font-size: .95rem; color: var(--soft); margin-left: .4em; letter-spacing: 0 }
h3 { font-size: 1.1rem; margin: 1.6rem 0 .5rem }
.asked { font: .875rem/1.5 var(--mono); color: var(--soft); margin-bottom: 1.1rem; overflow-wrap: anywhere }
.asked b { color: var(--accent); border: 1px solid; border-radius: .3em; padding: .05em .45em; margin-right: .8em }
.asked span { color: var(--ink) }
.message { font-size: 1.35rem; line-height: 1.4; margin-top: .5rem; overflow-wrap: anywhere; white-space: pre-wrap }
.message.long { font: .9rem/1.6 var(--mono); max-height: 16rem; overflow: auto }
.note { margin-top: .6rem; padding-left: .8rem; border-left: 3px solid var(--line); color: var(--soft);
  white-space: pre-wrap }
.where { margin-top: 1rem; color: var(--soft); font-size: 1rem }
.where b { font: .875rem var(--mono); color: var(--ink) }
nav { position: sticky; top: 0; z-index: 1; display: flex; gap: 1.75rem; background: var(--paper);
  border-block: 1px solid var(--line); font-size: .95rem }
nav a { padding-block: .6rem; color: var(--soft); text-decoration: none }
nav a:hover { color: var(--accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px }
section { padding-top: 2.25rem }
details { border: 1px solid var(--line); border-radius: .4rem; background: var(--sheet); margin-bottom: .6rem;
  overflow: hidden }
summary { cursor: pointer; padding: .55rem .9rem; display: flex; flex-wrap: wrap; gap: .1rem .9rem;
  align-items: baseline; list-style: none; color: var(--soft) }
summary::-webkit-details-marker { display: none }
summary::before { content: "+"; font: .9rem var(--mono); width: .7em; color: var(--soft) }
details[open] > summary::before { content: "\\2212" }
summary:hover { color: var(--accent) }
.place { font: .875rem var(--mono); overflow-wrap: anywhere }
.place i { font-style: normal; color: var(--soft) }
.own > summary .place, .template > summary .place { color: var(--ink); font-weight: 600 }
.function { font-style: italic }
.badge { margin-left: auto; font-size: .75rem; letter-spacing: .08em; color: var(--water); border: 1px solid;
  border-radius: 1em; padding: 0 .7em }
.others { border-style: dashed; background: none }
.others > .frame { margin: 0 .6rem .6rem }
.source { list-style: none; padding: .5rem 0; border-top: 1px solid var(--line); overflow-x: auto;
  font: .8125rem/1.65 var(--mono); counter-reset: none }
.source li { display: flex; min-width: max-content; padding-right: 1rem; color: var(--soft) }
.source li::before { content: attr(value); flex: none; width: 4rem; padding-right: 1.1rem; text-align: right;
  opacity: .65; position: sticky; left: 0; background: var(--sheet) }
.source .current { background: var(--tint); color: var(--ink) }
.source .current::before { opacity: 1; color: var(--accent); font-weight: 700; background: var(--tint);
  box-shadow: inset 3px 0 var(--accent) }
.source code { font: inherit; white-space: pre; tab-size: 4 }
mark { background: var(--mark); color: inherit; border-radius: 2px; box-shadow: 0 0 0 1px var(--mark) }
.values { border-top: 1px solid var(--line); padding: .5rem .9rem .6rem; font: .8125rem/1.55 var(--mono) }
h3 + .values { border: 1px solid var(--line); border-radius: .4rem; background: var(--sheet) }
.values div { display: grid; grid-template-columns: minmax(7rem, 12rem) minmax(0, 1fr); gap: 1rem; padding: .12rem 0 }
dt { color: var(--water); overflow-wrap: anywhere }
dd { overflow-wrap: anywhere; white-space: pre-wrap }
dd.secret { color: var(--soft); letter-spacing: .1em }
.link { margin: 1.75rem 0 1rem; padding-top: 1.25rem; border-top: 1px solid var(--line) }
.link p:first-child { color: var(--soft); font-style: italic }
.link h3 { margin: .2rem 0 0; color: var(--accent); font-size: 1.35rem }
.link .message { font-size: 1.05rem; margin-top: .2rem }
.plain { margin-top: 1.25rem }
pre { padding: .8rem .9rem; border-top: 1px solid var(--line); overflow: auto; font: .8125rem/1.55 var(--mono) }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; background: var(--sheet) }
table { border-collapse: collapse; width: 100%; font: .8125rem/1.5 var(--mono) }
th { font: .9rem var(--serif); color: var(--soft); text-align: left }
th, td { padding: .4rem .9rem; border-bottom: 1px solid var(--line); vertical-align: top }
tr:last-child td { border-bottom: 0 }
td:first-child, td:last-child { color: var(--soft) }
td:nth-child(2) { color: var(--water) }
.here td { background: var(--tint) }
.here td:first-child { box-shadow: inset 3px 0 var(--accent) }
.lost { color: var(--soft); font-style: italic; padding: .5rem .9rem }
footer { margin-top: 3rem; padding-block: 1.25rem 2rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .9rem; display: flex; flex-wrap: wrap; justify-content: space-between; gap: .25rem 2rem }
@media (max-width: 40rem) { .values div { grid-template-columns: 1fr; gap: 0; padding: .25rem 0 }
  .source li::before { width: 3rem; padding-right: .7rem } }
"""
