// Shows a chart's values at a moment, under the pointer or by arrow keys. They are those of
// its CSV, which is read when somebody first asks.
const tables = new Map(); // path -> { columns, rows }
let path = ""; // of the table that is read
let moment = 0;
let index = 0; // of the row that is shown
let reading = false;

const fields = (line) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);

async function read() {
  const wanted = path;
  reading = true;
  try {
    const answer = await fetch(wanted);
    const [head, ...rows] = (await answer.text()).trim().split("\r\n").map(fields);
    if (answer.ok) tables.set(wanted, { columns: head.slice(1, -1), rows: rows.map(([at, ...values]) => ({ at: Date.parse(at), values })) });
  } catch { /* the page says when nobody answers */ }
  reading = false;
  if (path && path !== wanted) read();
  draw();
}

function number(text) {
  const v = Number(text);
  if (v >= 1e6) return v.toExponential(0).replace("+", "");
  return v >= 100 ? Math.round(v).toLocaleString("en") : String(Number(v.toPrecision(2)));
}

// pairs are a row's names and values, with their bands.
const pairs = (columns, row) => columns.flatMap((column, i) => {
  const [, name, unit = ""] = /^(.*?)(?: \((.*)\))?$/.exec(column);
  if (/ (low|high)$/.test(name) || !row[i]) return [];
  const band = columns[i + 1]?.startsWith(`${name} low`) ? ` (${number(row[i + 1])} to ${number(row[i + 2])})` : "";
  return [[name, number(row[i]) + band + unit.replace(/ of .*/, "").replace("requests", "").replace(/^(?=[m%])/, " ")]];
});

function make(kind, name, ...inner) {
  const element = document.createElement(kind);
  element.className = name;
  element.append(...inner);
  return element;
}

const place = () => path && document.querySelector(`[data-csv="${CSS.escape(path)}"] .chart-read`);

function draw() {
  const slider = place();
  const { columns, rows } = tables.get(path) ?? {};
  if (!slider || !rows?.length) return;
  const off = (row) => Math.abs(row.at - moment);
  index = rows.reduce((best, row, i) => (off(row) < off(rows[best]) ? i : best), 0);
  const { at, values } = rows[index];
  const { from, to } = slider.dataset;
  const part = Math.min(1, Math.max(0, (at - from) / (to - from || 1)));
  const clock = `${new Date(at).toISOString().slice(11, 19)} UTC`;
  const said = pairs(columns, values);
  const line = make("div", "chart-line");
  line.style.left = `${100 * part}%`;
  const box = make("div", "chart-box", make("b", "", clock), ...said.map(([name, text]) => make("div", "", `${name} `, make("b", "", text))));
  box.style[part < 0.5 ? "left" : "right"] = `calc(${100 * Math.min(part, 1 - part)}% + 8px)`;
  slider.replaceChildren(line, box);
  slider.ariaValueMax = rows.length - 1;
  slider.ariaValueNow = index;
  slider.ariaValueText = `${clock}: ${said.map((pair) => pair.join(" ")).join(", ")}`;
}

function show(slider, at) {
  const { csv } = slider.closest("[data-csv]").dataset;
  if (csv !== path) hide();
  path = csv;
  moment = at;
  if (tables.has(path)) draw();
  else if (!reading) read();
}

function hide() {
  if (path) place()?.replaceChildren();
  path = "";
}

const on = (name, act) => document.addEventListener(name, (event) => act(event, event.target.closest?.(".chart-read")));

function point(event, slider) {
  if (!slider) return event.type === "pointerdown" && hide();
  const { left, width } = slider.getBoundingClientRect();
  const { from, to } = slider.dataset;
  show(slider, +from + ((to - from) * (event.clientX - left)) / width);
}

on("pointermove", point);
on("pointerdown", point);
on("pointerout", (event, slider) => slider && event.pointerType === "mouse" && hide());
on("focusin", (event, slider) => slider && !path && show(slider, +slider.dataset.to));
on("focusout", (event, slider) => slider && hide());
on("keydown", (event, slider) => {
  if (event.key === "Escape") hide();
  const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -999, End: 999 }[event.key];
  const rows = tables.get(path)?.rows;
  if (!slider || !by || !rows) return;
  event.preventDefault();
  show(slider, rows[Math.min(rows.length - 1, Math.max(0, index + by))].at);
});
// What was drawn anew has lost the line, and its numbers have gone on.
on("fairlead:part", (event) => {
  const csv = event.target.querySelector("[data-csv]")?.dataset.csv;
  if (csv !== path) return tables.delete(csv);
  draw();
  if (!reading) read();
});
