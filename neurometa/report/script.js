"use strict";
// Two parts: tables that are sorted, paged and saved as CSV, and one episode drawn trial by trial.
// Whatever came from a file goes into the page as text, never as markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function element(name, parent, text, attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function shape(name, parent, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function number(x, digits = 3) {
  if (x === null || x === undefined) return "–";
  if (x === true || x === false) return x ? "yes" : "no";
  const size = Math.abs(x);
  let told;
  if (x === 0) told = "0";
  else if (Number.isInteger(x) && size < 1e15) told = x.toLocaleString("en");
  else if (size >= 1e-3 && size < 1e5) {
    const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    told = x.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  } else told = x.toExponential(digits - 1).replace("e+", "e");
  return told.replace(/-/g, "−");
}

// ---------------------------------------------------------------- tables

function compare(a, b) {
  if (a === null || b === null) return 0; // told apart before
  if (typeof a === "string" || typeof b === "string") {
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }
  return a - b;
}

function saveCsv(table) {
  // text that a spreadsheet would run as a formula gets an apostrophe, as tables that neurometa exports
  const plain = (cell) => {
    if (typeof cell !== "string" || /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell)) return String(cell);
    return /^'*[=+\-@＝＋－＠\t\r\n]/.test(cell) ? `'${cell}` : cell;
  };
  const quoted = (cell) => {
    const text = cell === null ? "" : plain(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [table.columns.map((column) => column.name), ...table.rows];
  const text = lines.map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
  const link = element("a", document.body, "", { download: table.file });
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function enliven(node) {
  const table = DATA.tables[node.dataset.key];
  const pager = [...document.querySelectorAll(".pager")].find((each) => each.dataset.for === node.dataset.key);
  const heads = [...node.querySelectorAll("th")];
  const body = node.querySelector("tbody");
  let order = table.rows.map((_, i) => i);
  let first = 0;

  const show = () => {
    body.replaceChildren();
    for (const i of order.slice(first, first + table.shown)) {
      const line = element("tr", body);
      table.rows[i].forEach((cell, k) => {
        const numbers = table.columns[k].numbers;
        element("td", line, typeof cell === "string" ? cell : number(cell), numbers ? { class: "n" } : {});
      });
    }
    const last = Math.min(first + table.shown, order.length);
    where.textContent = `Rows ${first + 1} to ${last} of ${order.length.toLocaleString("en")}`;
    back.disabled = first === 0;
    on.disabled = last === order.length;
  };
  const turn = (rows) => {
    first = Math.max(0, Math.min(first + rows, order.length - 1));
    show();
  };

  heads.forEach((head, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((each) => each.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const cell = (i) => table.rows[i][k];
      order = table.rows.map((_, i) => i).sort((i, j) => {
        if ((cell(i) === null) !== (cell(j) === null)) return cell(i) === null ? 1 : -1; // what is missing comes last
        return (down ? -1 : 1) * compare(cell(i), cell(j)) || i - j;
      });
      first = 0;
      show();
    });
  });

  const where = element("span", pager, "", { "aria-live": "polite" });
  const back = element("button", pager, "Previous", { type: "button" });
  const on = element("button", pager, "Next", { type: "button" });
  const save = element("button", pager, "Download CSV", { type: "button" });
  back.addEventListener("click", () => turn(-table.shown));
  on.addEventListener("click", () => turn(table.shown));
  save.addEventListener("click", () => saveCsv(table));
  back.hidden = on.hidden = table.rows.length <= table.shown;
  pager.hidden = false;
  show();
}

document.querySelectorAll("table[data-key]").forEach(enliven);

// ---------------------------------------------------------------- one episode, trial by trial

const LEFT = 56;
const RIGHT = 6;
const TALL = 78; // pixels of a panel
const LANE = 20;
const ROW = 15; // of what marks a trial
const LEAST = 3; // pixels of a trial; of longer episodes a part is drawn
const TRAIL = 12; // trials

function ticks(low, high) {
  const rough = (high - low) / 3.2;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) found.push(k * step);
  return { at: found, decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function colour(variable) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  return [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
}

class Scrubber {
  constructor(data) {
    this.data = data;
    this.root = document.getElementById("scrubber");
    this.panels = document.getElementById("panels");
    this.slider = document.getElementById("trial");
    this.told = document.getElementById("told");
    const which = document.getElementById("which");
    data.episodes.forEach((one, i) => {
      const rank = data.episodes.length > 1 ? ` (${one.rank} reward)` : "";
      element("option", which, `${one.label}${rank}`, { value: i });
    });
    which.addEventListener("change", () => this.open(Number(which.value)));
    this.slider.addEventListener("input", () => this.move(Number(this.slider.value) - 1));
    this.panels.addEventListener("keydown", (event) => this.key(event));
    const point = (event) => this.point(event);
    this.panels.addEventListener("pointerdown", point);
    this.panels.addEventListener("pointermove", (event) => event.buttons && point(event));
    this.root.hidden = false;
    this.open(0);
    let width = this.panels.clientWidth;
    new ResizeObserver(() => {
      if (this.panels.clientWidth !== width) {
        width = this.panels.clientWidth;
        this.draw();
      }
    }).observe(this.panels);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  open(i) {
    this.one = this.data.episodes[i];
    this.trial = 0;
    this.start = 0;
    this.slider.max = this.one.n;
    const coded = this.one.hidden && atob(this.one.hidden.levels);
    this.levels = coded && Uint8Array.from(coded, (letter) => letter.charCodeAt(0));
    this.draw();
  }

  key(event) {
    const by = event.shiftKey ? 10 : 1;
    const to = {
      ArrowLeft: this.trial - by, ArrowDown: this.trial - by, ArrowRight: this.trial + by, ArrowUp: this.trial + by,
      PageDown: this.trial - 10, PageUp: this.trial + 10, Home: 0, End: this.one.n - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.move(to);
  }

  point(event) {
    const target = event.target.closest("svg[data-time], canvas");
    if (!target) return;
    const x = event.clientX - target.getBoundingClientRect().left - (target.tagName === "canvas" ? 0 : LEFT);
    this.move(this.start + Math.floor(x / this.step));
  }

  move(trial) {
    this.trial = Math.max(0, Math.min(this.one.n - 1, trial));
    const outside = this.trial < this.start || this.trial >= this.start + this.size;
    if (outside) this.draw();
    else this.update();
  }

  // Everything but the cursor, for the trials that have room.
  draw() {
    this.width = Math.max(this.panels.clientWidth, 160); // 0 where the page is not laid out yet
    const room = this.width - LEFT - RIGHT;
    this.size = Math.min(this.one.n, Math.max(20, Math.floor(room / LEAST)));
    if (this.trial < this.start || this.trial >= this.start + this.size) {
      this.start = Math.floor(this.trial / this.size) * this.size;
    }
    this.start = Math.max(0, Math.min(this.start, this.one.n - this.size));
    this.step = Math.min(room / this.size, 24);
    this.cursors = [];
    this.outputs = [];
    this.panels.replaceChildren();
    this.drawChoices();
    if (this.one.second) this.drawSecondStage();
    this.one.panels.forEach((panel, i) => this.drawPanel(panel, i === this.one.panels.length - 1 && !this.levels));
    if (this.levels) this.drawHidden();
    if (this.one.hidden && this.one.hidden.score) this.drawComponents();
    this.update();
  }

  update() {
    const one = this.one;
    const t = this.trial;
    const x = this.x(t) - this.step / 2;
    this.cursors.forEach((cursor) => cursor.setAttribute("x", x));
    this.outputs.forEach(([node, values]) => { node.textContent = number(values[t]); });
    const chosen = one.choice[t] < 0 ? "no choice" : `chose ${this.data.options[one.choice[t]]}`;
    const earned = one.reward[t] === null ? "" : `, reward ${number(one.reward[t])}`;
    const marks = one.marks.filter((mark) => mark.at.includes(t)).map((mark) => `, ${mark.name}`).join("");
    this.told.textContent = `Trial ${t + 1} of ${one.n}: ${chosen}${this.reached(t)}${earned}${marks}`;
    this.slider.value = t + 1;
    this.slider.setAttribute("aria-valuetext", this.told.textContent);
    this.drawTrail();
  }

  reached(t) {
    const second = this.one.second;
    if (!second || second.state[t] < 0) return "";
    const taken = second.choice && second.choice[t] >= 0 ? `, chose option ${second.choice[t]} there` : "";
    return `, reached ${second.states[second.state[t]]}${taken}`;
  }

  x(t) { return LEFT + (t - this.start + 0.5) * this.step; }

  shown() { return Array.from({ length: this.size }, (_, i) => this.start + i); }

  panel(title, unit) {
    const node = element("div", this.panels, undefined, { class: "panel" });
    const head = element("div", node, undefined, { class: "head" });
    element("b", head, unit ? `${title} (${unit})` : title);
    return { node, head };
  }

  canvas(node, height, label, last = false) {
    const total = height + (last ? 30 : 4);
    const svg = shape("svg", node, { width: this.width, height: total, role: "img", "aria-label": label, "data-time": "" });
    this.cursors.push(shape("rect", svg, { class: "cursor", y: 0, height, width: Math.max(this.step, 2) }));
    if (last) this.timeAxis(svg, height);
    return svg;
  }

  timeAxis(svg, height) {
    const right = LEFT + this.size * this.step;
    shape("path", svg, { class: "axis", d: `M${LEFT} ${height + 2}H${right}` });
    const wide = ticks(0, this.size).at[1] || this.size;
    const by = this.width < 600 ? wide : Math.max(1, Math.round(wide / 2));
    for (const t of this.shown()) {
      if (t !== 0 && (t + 1) % by) continue;
      const end = this.x(t) > right - 45 ? { "text-anchor": "end" } : { "text-anchor": "middle" };
      shape("text", svg, { x: this.x(t), y: height + 15, ...end }).textContent = t + 1;
    }
    shape("text", svg, { x: right, y: height + 27, "text-anchor": "end" }).textContent = "trial";
  }

  drawChoices() {
    const { options } = this.data;
    const { choice, marks } = this.one;
    const { node, head } = this.panel("Choices", "");
    element("span", head, "tall: paid, short: paid nothing or less", { class: "said" });
    const lanes = options.length * LANE;
    const svg = this.canvas(node, lanes + marks.length * ROW, "What was chosen on each trial, and what it paid");
    this.drawLanes(svg, options, choice, choice);
    marks.forEach((mark, k) => {
      const y = lanes + k * ROW + 4;
      const inside = new Set(mark.at);
      for (const t of this.shown()) {
        if (inside.has(t)) shape("rect", svg, { class: "mark", x: this.x(t) - this.step / 2, y, width: this.step, height: 5 });
      }
    });
    marks.forEach((mark) => {
      const told = element("span", head);
      element("i", told, "", { class: "mark-swatch" });
      told.append(`bar below: ${mark.name}`);
    });
  }

  drawSecondStage() {
    const { states, state, choice } = this.one.second;
    const { node, head } = this.panel("Second stage", "");
    const kinds = choice ? [...new Set(choice.filter((k) => k >= 0))].sort() : [];
    kinds.forEach((k) => {
      const told = element("span", head);
      element("i", told, "", { class: `fill s${k % 6}` });
      told.append(`option ${k} there `);
    });
    const svg = this.canvas(node, states.length * LANE, "Which state was reached on each trial, and what was chosen there");
    this.drawLanes(svg, states, state, choice || state);
  }

  drawLanes(svg, names, lane, colour) {
    const reward = this.one.reward;
    const most = Math.max(...reward.map((r) => r || 0), 0) || 1;
    const wide = Math.max(1.4, Math.min(this.step * 0.7, 9));
    names.forEach((name, k) => {
      const middle = (k + 0.5) * LANE;
      shape("path", svg, { class: "axis", d: `M${LEFT} ${middle}H${LEFT + this.size * this.step}` });
      const short = name.length > 8 ? `${name.slice(0, 7)}…` : name;
      const label = shape("text", svg, { x: LEFT - 6, y: middle + 4, "text-anchor": "end" });
      label.textContent = short;
      shape("title", label, {}).textContent = name;
    });
    for (const t of this.shown()) {
      if (lane[t] < 0) continue;
      const paid = reward[t] > 0;
      const height = paid ? 7 + 10 * (reward[t] / most) : 5;
      const y = (lane[t] + 0.5) * LANE - height / 2;
      const kind = `fill s${Math.max(colour[t], 0) % 6}${paid ? "" : " pale"}`;
      shape("rect", svg, { class: kind, x: this.x(t) - wide / 2, y, width: wide, height });
    }
  }

  drawPanel(panel, last) {
    const { node, head } = this.panel(panel.title, panel.unit);
    for (const one of panel.series) {
      const told = element("span", head);
      element("i", told, "", { class: `fill s${one.colour % 6}` });
      if (one.name) told.append(`${one.name} `);
      this.outputs.push([element("output", told), one.x]);
    }
    const svg = this.canvas(node, TALL, panel.title, last);
    const margin = 0.06 * (panel.high - panel.low || 1);
    const [low, high] = [panel.low - margin, panel.high + margin];
    const y = (value) => TALL * (1 - (value - low) / (high - low));
    const { at, decimals } = ticks(panel.low, panel.high === panel.low ? panel.low + 1 : panel.high);
    for (const value of at) {
      shape("path", svg, { class: "axis", d: `M${LEFT} ${y(value)}H${LEFT + this.size * this.step}` });
      const text = shape("text", svg, { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" });
      text.textContent = value.toFixed(decimals).replace("-", "−");
    }
    const below = new Array(this.one.n).fill(0);
    panel.series.forEach((one, k) => {
      const kind = `s${one.colour % 6}`;
      if (panel.kind === "share") this.drawShare(svg, one, below, y, kind);
      else if (panel.kind === "stem") this.drawStems(svg, one, k, panel.series.length, y, kind);
      else shape("path", svg, { class: `line ${kind}`, d: this.path(one.x, y, panel.kind === "step") });
    });
  }

  path(values, y, stepped) {
    let pen = false;
    let d = "";
    for (const t of this.shown()) {
      if (values[t] === null) { pen = false; continue; }
      const [x, high] = [this.x(t), y(values[t]).toFixed(1)];
      if (stepped) d += `${pen ? "V" : `M${(x - this.step / 2).toFixed(1)} `}${high}H${(x + this.step / 2).toFixed(1)}`;
      else d += `${pen ? "L" : "M"}${x.toFixed(1)} ${high}`;
      pen = true;
    }
    return d;
  }

  drawShare(svg, one, below, y, kind) {
    for (const t of this.shown()) {
      if (one.x[t] === null) continue;
      const [bottom, top] = [y(below[t]), y(below[t] + one.x[t])];
      const place = { x: this.x(t) - this.step / 2, y: top, width: this.step + 0.3, height: Math.max(0, bottom - top) };
      shape("rect", svg, { class: `fill ${kind}`, opacity: 0.6, ...place });
      below[t] += one.x[t];
    }
  }

  drawStems(svg, one, k, n, y, kind) {
    const wide = Math.max(1, Math.min((this.step * 0.75) / n, 5));
    let d = "";
    for (const t of this.shown()) {
      if (one.x[t] === null) continue;
      d += `M${(this.x(t) + (k - (n - 1) / 2) * wide).toFixed(1)} ${y(0).toFixed(1)}V${y(one.x[t]).toFixed(1)}`;
    }
    shape("path", svg, { class: `stem ${kind}`, "stroke-width": wide, d });
  }

  drawHidden() {
    const { hidden, step, n } = this.one;
    const at = step && step !== "choice" ? ` at ${step}` : "";
    const { node, head } = this.panel(`Hidden state${at}`, `${hidden.units} units`);
    const reach = number(hidden.reach);
    for (const [name, variable] of [[`−${reach}`, "--heat-low"], ["0", "--heat-mid"], [reach, "--heat-high"]]) {
      const told = element("span", head);
      element("i", told, "").style.background = `var(${variable})`;
      told.append(name);
    }
    const height = Math.max(48, Math.min(hidden.units * 4, 260));
    const stack = element("div", node, undefined, { class: "stack" });
    const label = `Activity of ${hidden.units} hidden units on each trial, one row each`;
    const canvas = element("canvas", stack, undefined, { role: "img", "aria-label": label });
    const wide = this.size * this.step;
    canvas.style.cssText = `margin-left:${LEFT}px;width:${wide}px;height:${height}px;margin-bottom:30px;image-rendering:pixelated`;
    [canvas.width, canvas.height] = [this.size, hidden.units];
    const [low, middle, high] = ["--heat-low", "--heat-mid", "--heat-high"].map(colour);
    const context = canvas.getContext("2d");
    const image = context.createImageData(this.size, hidden.units);
    for (let unit = 0; unit < hidden.units; unit += 1) {
      for (let i = 0; i < this.size; i += 1) {
        const level = this.levels[unit * n + this.start + i] / 127.5 - 1;
        const end = level < 0 ? low : high;
        const place = 4 * (unit * this.size + i);
        for (let k = 0; k < 3; k += 1) image.data[place + k] = middle[k] + Math.abs(level) * (end[k] - middle[k]);
        image.data[place + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
    const svg = shape("svg", stack, { width: this.width, height: height + 30, "data-time": "", "aria-hidden": "true" });
    this.cursors.push(shape("rect", svg, { class: "frame", y: 0, height, width: Math.max(this.step, 2) }));
    shape("text", svg, { x: LEFT - 6, y: 11, "text-anchor": "end" }).textContent = "unit";
    this.timeAxis(svg, height);
  }

  drawComponents() {
    const { score, span, explained } = this.one.hidden;
    const { node, head } = this.panel("Hidden state on its first two principal components", "");
    element("span", head, `a point per trial, coloured by choice; line: the last ${TRAIL} trials; small: the other episodes`, { class: "said" });
    const wide = Math.min(this.width, 460);
    const tall = Math.round(wide * 0.72);
    const svg = shape("svg", node, { width: wide, height: tall, role: "img", "aria-label": "Path of the hidden state" });
    const scale = ([low, high], from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);
    this.place = [scale(span[0], LEFT, wide - 12), scale(span[1], tall - 32, 10)];
    shape("path", svg, { class: "axis", d: `M${LEFT - 8} 4V${tall - 24}H${wide - 4}` });
    const label = (k) => `PC ${k + 1} (${Math.round(100 * explained[k])} %)`;
    shape("text", svg, { x: wide - 6, y: tall - 8, "text-anchor": "end" }).textContent = label(0);
    shape("text", svg, { x: -6, y: LEFT - 18, "text-anchor": "end", transform: "rotate(-90)" }).textContent = label(1);
    for (const other of this.data.episodes) { // where the other episodes went, for the eye to compare
      if (other === this.one || !other.hidden) continue;
      other.hidden.score[0].forEach((_, t) => shape("circle", svg, {
        class: "elsewhere", cx: this.place[0](other.hidden.score[0][t]), cy: this.place[1](other.hidden.score[1][t]), r: 1.3,
      }));
    }
    score[0].forEach((_, t) => {
      const k = this.one.choice[t];
      const kind = k < 0 ? "mark pale" : `fill pale s${k % 6}`;
      shape("circle", svg, { class: kind, cx: this.place[0](score[0][t]), cy: this.place[1](score[1][t]), r: 2.4 });
    });
    this.trail = shape("path", svg, { class: "trail" });
    this.here = shape("circle", svg, { class: "frame", r: 5.5 });
  }

  drawTrail() {
    if (!this.one.hidden || !this.one.hidden.score) return;
    const { score } = this.one.hidden;
    const at = (t) => [this.place[0](score[0][t]), this.place[1](score[1][t])];
    let d = "";
    for (let t = Math.max(0, this.trial - TRAIL); t <= this.trial; t += 1) d += `${d ? "L" : "M"}${at(t).join(" ")}`;
    this.trail.setAttribute("d", d);
    const [x, y] = at(this.trial);
    this.here.setAttribute("cx", x);
    this.here.setAttribute("cy", y);
  }
}

if (DATA.scrubber) new Scrubber(DATA.scrubber);
