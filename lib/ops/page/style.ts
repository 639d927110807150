/**
 * The style of the page: light and dark as the reader has it, tables that become cards on a phone. One file, since it is
 * served as it is.
 */
export const STYLE = `:root {
  --ground: #f6f6f4;
  --paper: #fff;
  --ink: #20211f;
  --muted: #63665f;
  --line: #dfe0da;
  --accent: #0f5c4d;
  --bad: #a8321c;
  --wash: #e6f0ec;
  --bad-wash: #f8e4df;
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', 'Liberation Mono', 'DejaVu Sans Mono', monospace;
  color-scheme: light dark;
}

@media (prefers-color-scheme: dark) {
  :root {
    --ground: #161715;
    --paper: #1f201e;
    --ink: #e9e9e4;
    --muted: #a0a39a;
    --line: #353732;
    --accent: #5cc3a8;
    --bad: #f0917c;
    --wash: #1d332d;
    --bad-wash: #3a211b;
  }
}

* {
  box-sizing: border-box;
}

[hidden] {
  display: none !important;
}

body {
  margin: 0;
  background: var(--ground);
  color: var(--ink);
  font:
    15px/1.45 system-ui,
    -apple-system,
    'Segoe UI',
    Roboto,
    'Liberation Sans',
    sans-serif;
}

header,
main {
  max-width: 84rem;
  margin: 0 auto;
  padding: 1rem;
}

header {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  justify-content: space-between;
  gap: 0 1rem;
  padding-bottom: 0;
}

h1,
h2 {
  margin: 0;
  line-height: 1.2;
}

h1 {
  font-size: 1.5rem;
}

h2 {
  padding: 0.9rem 1rem 0.5rem;
  font-size: 1.05rem;
}

#state {
  margin: 0;
  color: var(--muted);
}

#state::before {
  display: inline-block;
  width: 0.6rem;
  height: 0.6rem;
  margin-right: 0.4rem;
  border-radius: 50%;
  background: var(--bad);
  content: '';
}

#state[data-state='open']::before {
  background: var(--accent);
}

#notice {
  margin: 0 0 1rem;
  padding: 0.6rem 1rem;
  border-radius: 0.5rem;
  background: var(--wash);
}

#notice[data-bad] {
  background: var(--bad-wash);
}

#totals {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr));
  gap: 0.75rem;
  margin: 0 0 1rem;
}

#totals div,
section {
  border: 1px solid var(--line);
  border-radius: 0.6rem;
  background: var(--paper);
}

#totals div {
  padding: 0.6rem 0.9rem;
}

dt {
  color: var(--muted);
  font-size: 0.85rem;
}

dd {
  margin: 0;
  font-size: 1.35rem;
  font-variant-numeric: tabular-nums;
  font-weight: 600;
}

section {
  overflow: hidden;
  margin-bottom: 1rem;
}

.pair {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
  align-items: start;
  gap: 0 1rem;
}

table {
  width: 100%;
  border-collapse: collapse;
  font-size: 0.92rem;
  font-variant-numeric: tabular-nums;
}

th,
td {
  padding: 0.4rem 0.6rem;
  border-top: 1px solid var(--line);
  overflow-wrap: anywhere;
  text-align: left;
  vertical-align: top;
}

th {
  color: var(--muted);
  font-size: 0.82rem;
  font-weight: 500;
  overflow-wrap: normal;
}

th:first-child,
td:first-child {
  padding-left: 1rem;
}

th:last-child,
td:last-child {
  padding-right: 1rem;
}

td.code {
  font-family: var(--mono);
  font-size: 0.85em;
}

tr[data-bad] td {
  background: var(--bad-wash);
}

.buttons {
  display: flex;
  flex-wrap: wrap;
  justify-content: flex-end;
  gap: 0.4rem;
}

button {
  min-height: 2rem;
  padding: 0.2rem 0.7rem;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  background: var(--paper);
  color: inherit;
  font: inherit;
  cursor: pointer;
}

button:hover {
  border-color: var(--accent);
}

button.grave {
  color: var(--bad);
}

#more {
  margin: 0.6rem 1rem;
}

section > form {
  display: flex;
  flex-wrap: wrap;
  align-items: end;
  gap: 0.6rem;
  padding: 0 1rem 0.8rem;
}

label {
  display: grid;
  flex: 1 1 14rem;
  gap: 0.2rem;
  max-width: 30rem;
  color: var(--muted);
  font-size: 0.85rem;
}

input {
  width: 100%;
  min-height: 2.2rem;
  padding: 0.3rem 0.6rem;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  background: var(--ground);
  color: var(--ink);
  font: inherit;
  font-size: 1rem;
}

:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 2px;
}

.empty,
.told {
  margin: 0;
  padding: 0 1rem 0.8rem;
  color: var(--muted);
}

.told:empty,
table:has(tbody:not(:empty)) + .empty,
table:has(tbody:empty) {
  display: none;
}

dialog {
  max-width: min(30rem, calc(100vw - 2rem));
  border: 1px solid var(--line);
  border-radius: 0.6rem;
  background: var(--paper);
  color: var(--ink);
}

dialog::backdrop {
  background: rgb(0 0 0 / 45%);
}

dialog p {
  margin: 0 0 1rem;
  overflow-wrap: anywhere;
}

.unseen {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}

@media (max-width: 56rem) {
  button {
    min-height: 2.6rem;
  }

  thead {
    position: absolute;
    overflow: hidden;
    width: 1px;
    height: 1px;
    clip-path: inset(50%);
  }

  tbody,
  tr {
    display: block;
  }

  tr {
    padding: 0.5rem 1rem;
    border-top: 1px solid var(--line);
  }

  td,
  td:first-child,
  td:last-child {
    display: flex;
    justify-content: space-between;
    gap: 0 1rem;
    padding: 0.1rem 0;
    border: 0;
    text-align: right;
  }

  td::before {
    flex: none;
    color: var(--muted);
    content: attr(data-label);
    font-family: system-ui, sans-serif;
  }

  td:last-child:has(.buttons)::before {
    content: none;
  }

  td .buttons {
    width: 100%;
    padding-top: 0.3rem;
  }

  tr[data-bad] td {
    background: none;
  }

  tr[data-bad] {
    background: var(--bad-wash);
  }
}
`
