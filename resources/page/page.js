// Shows the steps of a lesson: draws the marks of each on a canvas, and goes from one to another.
// All that it shows is data, packed in this page; nothing is asked for from anywhere.
"use strict";

// ------------------------------------------------------------------------------------------ what is shown

const $ = (id) => document.getElementById(id);
const FAMILIES = { sans: 'Inter, "DejaVu Sans"', mono: '"JetBrains Mono", "DejaVu Sans"', math: '"DejaVu Sans"' };
// How far text reaches above and below its line, in parts of its size, as the fonts say.
const REACH = { sans: [0.96875, 0.2415], mono: [1.02, 0.3], math: [0.9282, 0.2358] };
const SMALLEST = 8, HATCH = 8, MOST_PIXELS = 16e6;
const FROM_ZERO = ["pixel", "red", "green", "blue"];

let data, layout, theme, context, canvas, scale;
let at = 0, level = 0, zoom = 1, playing = null, speed = 1, remembering = 0;

async function unpack(text) {
  const letters = atob(text.trim()), bytes = new Uint8Array(letters.length);
  for (let k = 0; k < letters.length; k++) bytes[k] = letters.charCodeAt(k);
  if (typeof DecompressionStream === "undefined") return JSON.parse(new TextDecoder().decode(inflate(bytes)));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

// Unpacks what zlib has packed, for browsers that cannot do so themselves (RFC 1951).
function inflate(bytes) {
  let from = 2, bit = 0, out = new Uint8Array(bytes.length * 8), to = 0;
  const bits = (count) => {
    let value = 0;
    for (let k = 0; k < count; k++) {
      value |= ((bytes[from] >> bit) & 1) << k;
      if (++bit === 8) { bit = 0; from++; }
    }
    return value;
  };
  const put = (byte) => {
    if (to === out.length) { const longer = new Uint8Array(2 * to); longer.set(out); out = longer; }
    out[to++] = byte;
  };
  const tree = (lengths) => {
    const counts = new Array(16).fill(0), first = [0, 0], order = [];
    for (const length of lengths) if (length) counts[length]++;
    for (let k = 1; k < 16; k++) first[k + 1] = first[k] + counts[k];
    const next = first.slice();
    lengths.forEach((length, sign) => { if (length) order[next[length]++] = sign; });
    return { counts, order };
  };
  const sign = ({ counts, order }) => {
    let code = 0, first = 0, start = 0;
    for (let length = 1; length < 16; length++) {
      code |= bits(1);
      if (code - first < counts[length]) return order[start + code - first];
      start += counts[length];
      first = (first + counts[length]) << 1;
      code <<= 1;
    }
    throw new Error("damaged");
  };
  const fixed = Array.from({ length: 288 }, (_, k) => (k < 144 ? 8 : k < 256 ? 9 : k < 280 ? 7 : 8));
  const grow = (k, group) => Math.max(0, Math.floor(k / group) - 1);
  const steps = (count, begin, group) => {
    const found = [begin];
    for (let k = 0; k < count; k++) found.push(found[k] + (1 << grow(k, group)));
    return found;
  };
  const lengths = steps(28, 3, 4), distances = steps(30, 1, 2);
  for (let last = 0; !last;) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      if (bit) { bit = 0; from++; }
      const count = bytes[from] | (bytes[from + 1] << 8);
      from += 4;
      for (let k = 0; k < count; k++) put(bytes[from++]);
      continue;
    }
    let literals = tree(fixed), far = tree(new Array(30).fill(5));
    if (kind === 2) {
      const many = bits(5) + 257, fars = bits(5) + 1, short = new Array(19).fill(0), read = [];
      const turn = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
      for (let k = bits(4) + 4, j = 0; j < k; j++) short[turn[j]] = bits(3);
      for (const first = tree(short); read.length < many + fars;) {
        const found = sign(first);
        if (found < 16) read.push(found);
        else {
          const again = found === 16 ? read[read.length - 1] : 0;
          for (let k = found === 16 ? bits(2) + 3 : found === 17 ? bits(3) + 3 : bits(7) + 11; k--;) read.push(again);
        }
      }
      literals = tree(read.slice(0, many));
      far = tree(read.slice(many));
    }
    for (let found; (found = sign(literals)) !== 256;) {
      if (found < 256) { put(found); continue; }
      const length = found === 285 ? 258 : lengths[found - 257] + bits(grow(found - 257, 4));
      const k = sign(far), distance = distances[k] + bits(grow(k, 2));
      for (let j = 0; j < length; j++) put(out[to - distance]);
    }
  }
  return out.subarray(0, to);
}

// ------------------------------------------------------------------------------- what is packed, as it was

// Things by their forms: null stands for a number, in a text a sign; columns have the numbers.
function forms(packed) {
  const starts = [0], columns = [], made = [];
  for (const [, count] of packed) starts.push(starts[starts.length - 1] + count);
  return (k) => {
    if (made[k] !== undefined) return made[k];
    let kind = 0;
    for (let last = packed.length; last - kind > 1;) {
      const middle = (kind + last) >> 1;
      if (starts[middle] <= k) kind = middle;
      else last = middle;
    }
    columns[kind] ??= packed[kind][2].map((column) => (typeof column === "number" ? column : summed(column)));
    return (made[k] = filled(packed[kind][0], columns[kind], k - starts[kind]));
  };
}

function in_order(packed) {
  const thing = forms(packed.forms);
  return Array.from(summed(packed.order), (k) => thing(k));
}

function summed(differences) {
  let sum = 0;
  return Float64Array.from(differences, (more) => (sum += more));
}

function filled(form, columns, row) {
  let at = 0;
  const next = () => {
    const column = columns[at++];
    return typeof column === "number" ? column : column[row];
  };
  const written = (sign, places) => {
    const number = next();
    if (sign === "\x01") return number.toLocaleString("en");
    if (sign === "\x03") return String(number);
    const digits = String(number).padStart(Number(places) + 1, "0");
    return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  };
  const fill = (part) => {
    if (part === null) return next() / 100;
    if (typeof part === "string") return part.replace(/[\x01\x03]|\x02([0-9])/g, written);
    return Array.isArray(part) ? part.map(fill) : part;
  };
  return fill(form);
}

// Arrays, whole or by what differs from one before.
function arrays(packed) {
  const made = [];
  return (k) => {
    if (k < 0) return undefined;
    const later = [];
    let from = k;
    for (; made[from] === undefined && packed[from].length === 3; from -= packed[from][0]) later.push(from);
    let array = made[from] ?? packed[from][0];
    if (later.length) array = array.slice();
    for (const j of later.reverse()) {
      const [, gaps, values] = packed[j];
      let at = 0;
      gaps.forEach((gap, n) => (array[(at += gap)] = values[n]));
    }
    return (made[k] = array);
  };
}

// Frames: where each has other marks than the one before, and how far on those are.
function frames({ gaps, steps }) {
  let frame = new Int32Array(0);
  return gaps.map((gap, k) => {
    let at = 0;
    if (gap[0] === -1) {
      const [, begin, end] = gap, between = summed(steps[k]), longer = new Int32Array(begin + between.length + end);
      longer.set(frame.subarray(0, begin));
      longer.set(between, begin);
      longer.set(frame.subarray(frame.length - end), begin + between.length);
      frame = longer;
    } else {
      frame = frame.slice();
      gap.forEach((more, n) => (frame[(at += more)] += steps[k][n]));
    }
    return frame;
  });
}

function opened_up(packed) {
  return {
    ...packed, made: [], marks: forms(packed.marks),
    places: in_order(packed.places).map(([part, step, of, operation, levels, said]) => ({ part, step, of, operation, levels, said })),
    values: arrays(packed.values), masks: arrays(packed.masks), texts: arrays(packed.texts),
    arrays: in_order(packed.arrays).map(([symbol, prefix, origin, axes, flipped, writers, steps]) =>
      ({ symbol, prefix, origin, axes, flipped, writers, steps })),
  };
}

// ---------------------------------------------------------------------------------------------- to paint

const colour = (role) => theme.roles[role];
const hex = (packed) => "#" + (packed & 0xffffff).toString(16).padStart(6, "0");
// Python's: a half goes to the even one.
const even = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
// The pixel of the canvas in which a length ends.
const edge = (x) => Math.floor(x * scale + 1e-3) / scale;
const fontOf = (family, size, bold) =>
  `${bold ? (family === "sans" ? 600 : 700) : 400} ${Math.max(1, even(size))}px ${FAMILIES[family]}`;

const widths = new Map();
function width(text, font) {
  const key = font + text;
  let found = widths.get(key);
  if (found === undefined) {
    context.font = font;
    widths.set(key, (found = context.measureText(text).width));
  }
  return found;
}

function elided(text, font, room) {
  if (width("…", font) > room) return "";
  for (let kept = text.length - 1; kept > 0; kept--) {
    const left = text.includes(" ") ? kept : Math.ceil(kept / 2);
    const short = text.slice(0, left) + "…" + text.slice(text.length - (kept - left));
    if (width(short, font) <= room) return short;
  }
  return "…";
}

// Text on one line, made smaller and at last elided where it does not fit.
function fitted([, box, runs, size, , family]) {
  const room = Math.max(0, Math.floor(box[2]));
  for (;;) {
    const pieces = runs.map(([text, role, bold]) => {
      const font = fontOf(family, size, bold);
      return { text, role, font, wide: width(text, font) };
    });
    const total = pieces.reduce((sum, piece) => sum + piece.wide, 0);
    if (total <= room) return { pieces, total, size };
    if (size <= SMALLEST) {
      const shown = [];
      let left = room;
      for (const piece of pieces) {
        if (piece.wide > left) {
          const text = elided(piece.text, piece.font, left);
          shown.push({ ...piece, text, wide: width(text, piece.font) });
          break;
        }
        shown.push(piece);
        left -= piece.wide;
      }
      return { pieces: shown, total: shown.reduce((sum, piece) => sum + piece.wide, 0), size };
    }
    size = Math.max(SMALLEST, Math.min(size - 0.5, (size * room) / total));
  }
}

function paintLabel(mark) {
  mark.laid ??= fitted(mark);
  const [, [left, top, wide, high], , , align, family] = mark, { pieces, total, size } = mark.laid;
  const [above, below] = REACH[family], px = Math.max(1, even(size));
  const y = top + (high - (above + below) * px) / 2 + above * px;
  let x = left + (align === "left" ? 0 : (wide - total) * (align === "center" ? 0.5 : 1));
  for (const piece of pieces) {
    context.font = piece.font;
    context.fillStyle = colour(piece.role);
    context.fillText(piece.text, x, y);
    x += piece.wide;
  }
}

function hatch([left, top, wide, high]) {
  theme.hatch ??= (() => {
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = HATCH;
    const pen = sheet.getContext("2d");
    pen.fillStyle = colour("ground");
    pen.fillRect(0, 0, HATCH, HATCH);
    pen.fillStyle = colour("hatch");
    for (let k = 0; k < HATCH; k++) pen.fillRect((HATCH - k) % HATCH, k, 1, 1);
    return context.createPattern(sheet, "repeat");
  })();
  theme.hatch.setTransform(new DOMMatrix().translate(left, top));
  context.fillStyle = theme.hatch;
  context.fillRect(left, top, wide, high);
}

function paintRect([, box, fill, stroke, wide, radius, hatched, dashed]) {
  const [left, top, w, h] = box;
  if (hatched) hatch(box);
  if (!stroke && !radius) {
    if (!fill) return;
    context.fillStyle = colour(fill);
    context.fillRect(left, top, w, h);
    return;
  }
  context.beginPath();
  if (radius) context.roundRect(left, top, w, h, Math.min(radius, w / 2, h / 2));
  else {
    const half = (Math.max(1, Math.round(wide * scale)) % 2) / 2 / scale;
    const x = edge(left) + half, y = edge(top) + half;
    context.rect(x, y, edge(left + w) + half - x, edge(top + h) + half - y);
  }
  if (fill && !hatched) {
    context.fillStyle = colour(fill);
    context.fill();
  }
  if (stroke) line(stroke, wide, dashed);
}

function line(role, wide, dashed) {
  context.strokeStyle = colour(role);
  context.lineWidth = wide;
  context.setLineDash(dashed ? [4 * wide, 2 * wide] : []);
  context.stroke();
}

function trace(points) {
  context.beginPath();
  points.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
}

function paintPath([, points, role, wide, arrow, dashed, filled]) {
  trace(points);
  if (filled) {
    context.closePath();
    context.fillStyle = colour(role);
    context.fill();
  }
  line(role, wide, dashed);
  if (!arrow || filled || points.length < 2) return;
  const [tail, tip] = points.slice(-2), length = Math.hypot(tip[0] - tail[0], tip[1] - tail[1]);
  if (!length) return;
  const x = ((tip[0] - tail[0]) / length) * wide * 5, y = ((tip[1] - tail[1]) / length) * wide * 5;
  trace([tip, [tip[0] - x - y / 2, tip[1] - y + x / 2], [tip[0] - x + y / 2, tip[1] - y - x / 2]]);
  context.fillStyle = colour(role);
  context.fill();
}

function paintStrokes([, lines, role, wide]) {
  context.beginPath();
  let k = 0;
  for (const further of lines) {
    const [x0, y0, x1, y1] = data.lines[(k += further)];
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
  }
  line(role, wide);
}

function paintDot([, [x, y], radius, role]) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour(role);
  context.fill();
}

function paintFormula([, [left, base], size, pieces]) {
  for (const [path, x, y, own, role] of pieces) {
    context.save();
    context.translate(left + size * x, base + size * y);
    context.scale(size * own, size * own);
    context.fillStyle = colour(role);
    context.fill((data.made[path] ??= new Path2D(data.paths[path])), "nonzero");
    context.restore();
  }
}

// What a grid is painted with, found once for each theme: colours, and the roles of its numbers.
function coloured(grid, mark) {
  const { values, missing, faint } = grid, { palette, limit, gap } = mark.look, count = values.length;
  const table = theme.tables[palette], pixels = new Uint32Array(count), texts = new Array(count);
  const [per, middle] = FROM_ZERO.includes(palette) ? [255 / limit, 0.5] : [127.5 / limit, 128];
  for (let k = 0; k < count; k++) {
    const value = numeric(values[k]), strange = !Number.isFinite(value);
    const place = Number.isNaN(value) ? 128 : Math.floor(Math.min(255, Math.max(0, value * per + middle)));
    const light = faint && faint[k] && palette !== "pixel";
    let packed = palette === "rgb" ? value : table ? table[place] : 0;
    if (light) packed = parseInt(colour("faint_cell").slice(1), 16);
    if (strange) packed = parseInt(colour("nonfinite_cell").slice(1), 16);
    if (gap && Number.isNaN(value)) packed = parseInt(colour(gap).slice(1), 16);
    pixels[k] = missing && missing[k] ? 0
      : 0xff000000 | ((packed & 255) << 16) | (packed & 0xff00) | ((packed >> 16) & 255);
    const plate = !light && !strange && theme.plates[palette] ? theme.plates[palette][place] : undefined;
    const black = theme.black[palette] && theme.black[palette][place] === "1";
    texts[k] = [strange ? "nonfinite" : light ? "muted" : black ? "on_light" : "on_dark", plate];
  }
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [mark.columns, mark.rows];
  sheet.getContext("2d").putImageData(
    new ImageData(new Uint8ClampedArray(pixels.buffer), mark.columns, mark.rows), 0, 0);
  return { sheet, texts };
}

// NaN and the infinities are no numbers in JSON.
const numeric = (value) => (typeof value === "string" ? { nan: NaN, inf: Infinity, "-inf": -Infinity }[value] : value);

function opened(mark) {
  mark.grid ??= { values: data.values(mark[2]), missing: data.masks(mark[3]), faint: data.masks(mark[4]) };
  mark.look ??= { palette: mark[7], limit: mark[8], gap: mark[9] };
  [mark.rows, mark.columns] = mark[6];
  return mark;
}

function paintCells(mark) {
  const [, box, , , , texts, , , , , size, lines] = opened(mark), { rows, columns, grid } = mark;
  const [left, top, wide, high] = box, w = wide / columns, h = high / rows;
  mark.colours ??= {};
  const { sheet, texts: written } = (mark.colours[theme.name] ??= coloured(grid, mark));
  const first = grid.missing ? grid.missing.indexOf(1) : -1;
  if (first >= 0) {
    const from = Math.floor(first / columns), to = Math.floor(grid.missing.lastIndexOf(1) / columns);
    hatch([left, top + from * h, wide, (to - from + 1) * h]);
  }
  context.imageSmoothingEnabled = false;
  context.drawImage(sheet, left, top, wide, high);
  if (lines) {
    if (theme.rimmed) rules(mark, "ground", 3);
    rules(mark, "grid", 1);
  }
  if (texts < 0) return;
  const px = Math.max(SMALLEST, even(size)), font = fontOf("sans", px, false), [above, below] = REACH.sans;
  const height = (above + below) * px, names = data.texts(texts);
  let role = "";
  context.font = font;
  for (let k = 0; k < names.length; k++) {
    if (!names[k]) continue;
    const x = left + ((k % columns) + 0.5) * w, y = top + Math.floor(k / columns) * h + (h - height) / 2;
    const all = names[k].split("\n"), [own, plate] = written[k];
    if (plate !== undefined) {
      const broad = Math.max(...all.map((text) => width(text, font))), tall = 0.8 * height * all.length;
      context.fillStyle = hex(plate);
      context.fillRect(x - broad / 2 - 0.1 * px, y + height / 2 - tall / 2, broad + 0.2 * px, tall);
      role = "";
    }
    if (own !== role) context.fillStyle = colour((role = own));
    all.forEach((text, j) => {
      const wide = width(text, font);
      context.font = font;
      context.fillText(text, x - wide / 2, y + (j - (all.length - 1) / 2) * height + above * px);
    });
  }
}

function rules({ 1: [left, top, wide, high], rows, columns }, role, thick) {
  const t = Math.max(1, Math.round(thick * scale)) / scale, off = Math.floor((t * scale) / 2) / scale;
  const right = edge(left + wide), bottom = edge(top + high);
  context.fillStyle = colour(role);
  for (let k = 0; k <= rows; k++) context.fillRect(edge(left), edge(top + (k * high) / rows) - off, right - edge(left) + 1 / scale, t);
  for (let k = 0; k <= columns; k++) context.fillRect(edge(left + (k * wide) / columns) - off, edge(top), t, bottom - edge(top) + 1 / scale);
}

const PAINT = [null, paintLabel, paintRect, paintPath, paintStrokes, paintDot, paintFormula, paintCells, null,
  ([, , inner]) => inner.forEach((k) => paintMark(data.marks(k)))];

function paintMark(mark) {
  PAINT[mark[0]]?.(mark);
}

function paint() {
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.fillStyle = colour("panel");
  context.fillRect(0, 0, layout.width, layout.height);
  for (const k of layout.frames[at]) paintMark(data.marks(k));
}

// ------------------------------------------------------------------------------------------ to go about

// Gives the picture its size: as large as fits, times the zoom; the arrangement for what is at hand.
function fit(sharper = 1) {
  const portrait = innerWidth < innerHeight;
  layout = data.layouts.find((each) => each.height > each.width === portrait) ?? data.layouts[0];
  if (!Array.isArray(layout.frames)) layout.frames = frames(layout.frames);
  const room = $("room"), wide = room.clientWidth || innerWidth;
  const high = Math.max(innerHeight - room.offsetTop - $("said").offsetHeight - 40, 240);
  const css = Math.min(wide / layout.width, portrait ? Infinity : high / layout.height) * zoom;
  const most = Math.sqrt(MOST_PIXELS / (layout.width * layout.height));
  scale = Math.min(css * (devicePixelRatio || 1) * sharper, most);
  canvas.width = Math.round(layout.width * scale);
  canvas.height = Math.round(layout.height * scale);
  canvas.style.width = `${Math.round(layout.width * css)}px`;
  canvas.style.height = `${Math.round(layout.height * css)}px`;
  context = canvas.getContext("2d", { alpha: false });
  context.textRendering = "geometricPrecision";
  paint();
}

function take(name) {
  theme = data.themes[name];
  const root = document.documentElement;
  for (const [role, value] of Object.entries(theme.roles)) root.style.setProperty(`--${role}`, value);
  root.style.colorScheme = theme.dark ? "dark" : "light";
}

const place = () => data.places[at];
const parts = (said) => said.split(/(?<=[.?!]) /);

// Goes to a place; of what is said there, a voice hears what is new.
function go(to, quiet = false) {
  to = Math.max(0, Math.min(to, data.places.length - 1));
  const before = at;
  at = to;
  paint();
  const { said, step, stop } = place(), told = new Set(before === to ? [] : parts(data.places[before].said));
  if (!quiet) {
    const fresh = parts(said).filter((part) => !told.has(part));
    $("live").textContent = (fresh.length ? fresh : parts(said)).join(" ");
  }
  $("said").textContent = said;
  canvas.setAttribute("aria-label", `${data.title}. ${said}`);
  $("place").value = at;
  $("place").setAttribute("aria-valuetext", `${data.words.step} ${step}`);
  $("count").textContent = data.words.count.replace("{step}", step.toLocaleString("en")).replace("{count}", place().of.toLocaleString("en"));
  $("stop").textContent = `${stopBefore()} / ${data.stops.length}`;
  $("stop").title = data.stops[stopBefore() - 1]?.[1] ?? "";
  $("stops").hidden = !data.stops.length;
  if ($("tables").open) fillTables();
  hideCard();
  clearTimeout(remembering);
  if (location.protocol !== "about:") remembering = setTimeout(() => history.replaceState(null, "", `#${at}`), 300);
}

const stopBefore = () => data.stops.filter(([k]) => k <= at).length;

function next(by = level) {
  for (let k = at + 1; k < data.places.length; k++) if (data.places[k].levels & (1 << by)) return go(k);
  if (by < data.levels.length - 1) go(data.places.length - 1);
  pause();
}

function back(by = level) {
  for (let k = at - 1; k > 0; k--) if (data.places[k].levels & (1 << by)) return go(k);
  go(0);
}

function setLevel(to) {
  level = Math.max(data.finest, Math.min(to, data.levels.length - 1));
  $("level").value = level;
}

function play() {
  if (playing) return pause();
  playing = setInterval(() => next(), 1000 / speed);
  $("play").setAttribute("aria-pressed", "true");
  next();
}

function pause() {
  clearInterval(playing);
  playing = null;
  $("play").setAttribute("aria-pressed", "false");
}

function faster(by) {
  speed = Math.min(16, Math.max(0.25, speed * by));
  if (playing) { pause(); play(); }
}

function grow(by) {
  zoom = by ? Math.min(4, Math.max(1, zoom * by)) : 1;
  fit();
}

function switchTheme(part) {
  const [base, contrast] = [theme.dark, theme.rimmed];
  const wanted = part === "contrast" ? [base, !contrast] : [!base, contrast];
  take(Object.keys(data.themes).find((k) => data.themes[k].dark === wanted[0] && data.themes[k].rimmed === wanted[1]));
  paint();
}

const layerLevel = () => data.levels.length - 3, passLevel = () => data.levels.length - 2, stopLevel = () => data.levels.length - 1;
const ACTIONS = {
  next: () => next(), back: () => back(), play, pause,
  next_layer: () => next(layerLevel()), back_layer: () => back(layerLevel()),
  next_pass: () => next(passLevel()), back_pass: () => back(passLevel()),
  next_stop: () => next(stopLevel()), back_stop: () => back(stopLevel()),
  start: () => go(0), end: () => go(data.places.length - 1),
  into: () => { setLevel(level - 1); next(); }, out: () => { setLevel(level + 1); next(); },
  theme: () => switchTheme("dark"), contrast: () => switchTheme("contrast"),
  bigger: () => grow(1.25), smaller: () => grow(0.8), usual: () => grow(0),
  faster: () => faster(1.5), slower: () => faster(1 / 1.5),
  full: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.()),
  keys: () => ($("keys").open ? $("keys").close() : $("keys").showModal()),
};

// The same keys as the program's; F5 and F11 stay the browser's.
const KEYS = {
  PageDown: "next", ArrowRight: "next", PageUp: "back", ArrowLeft: "back", k: "play", " ": "play", Escape: "pause",
  d: "into", u: "out", F10: "next", "Shift+ArrowRight": "next_layer", "Shift+ArrowLeft": "back_layer",
  "Ctrl+ArrowRight": "next_pass", "Ctrl+ArrowLeft": "back_pass", n: "next_stop", "Shift+N": "back_stop",
  Home: "start", End: "end", t: "theme", h: "contrast", f: "full", F1: "keys",
  "Ctrl++": "bigger", "Ctrl+=": "bigger", "Ctrl+-": "smaller", "Ctrl+0": "usual", "+": "faster", "=": "faster", "-": "slower",
};

function pressed(event) {
  if (event.altKey || $("keys").open) return;
  const kind = event.target.tagName, key = event.key;
  const ctrl = event.ctrlKey || event.metaKey;
  if (kind === "SELECT" || (kind === "INPUT" && /Arrow|Home|End|Page/.test(key) && !ctrl && !event.shiftKey)) return;
  if (/BUTTON|SUMMARY/.test(kind) && (key === " " || key === "Enter")) return;
  if (key.length === 1 && !ctrl && !$("single").checked) return;
  const name = (ctrl ? "Ctrl+" : "") + (event.shiftKey && key.length > 1 ? "Shift+" : "") + (key === "N" ? "Shift+N" : key);
  const digit = !ctrl && /^[0-6]$/.test(key) ? (key === "0" ? stopLevel() : Number(key) - 1) : null;
  if (digit !== null) setLevel(digit);
  else if (KEYS[name]) ACTIONS[KEYS[name]]();
  else return;
  event.preventDefault();
}

// ----------------------------------------------------------------------------------- to ask for a number

function* flat(frame) {
  for (let k = frame.length - 1; k >= 0; k--) {
    const mark = data.marks(frame[k]);
    if (mark[0] === 9) yield* flat(mark[2]);
    else yield mark;
  }
}

const inside = ([left, top, wide, high], x, y) => left <= x && x < left + wide && top <= y && y < top + high;

function spot(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * layout.width, ((event.clientY - box.top) / box.height) * layout.height];
}

function cellAt(x, y) {
  for (const mark of flat(layout.frames[at])) {
    if (mark[0] !== 7 || mark[12] < 0 || !inside(mark[1], x, y)) continue;
    opened(mark);
    const [left, top, wide, high] = mark[1];
    const row = Math.min(mark.rows - 1, Math.floor(((y - top) / high) * mark.rows));
    const column = Math.min(mark.columns - 1, Math.floor(((x - left) / wide) * mark.columns));
    return { mark, row, column, k: row * mark.columns + column };
  }
  return null;
}

// Writes a number with seven significant digits, as the program does.
function full(value) {
  value = numeric(value);
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const [digits, power] = value.toExponential(6).split("e").map(Number);
  const text = value && (power < -4 || power > 6)
    ? `${digits}·10${String(power).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)])}`
    : `${Number(value.toPrecision(7)) + 0}`;
  return text.replace("-", "−");
}

function named(mark, row, column) {
  const { symbol, prefix, origin, axes, flipped } = data.arrays[mark[12]];
  if (flipped) [row, column] = [mark.rows - 1 - row, mark.columns - 1 - column];
  const [r, c] = [row + origin[0], column + origin[1]];
  const tail = { rc: [r, c], cr: [c, r], r: [r], c: [c], "": [] }[axes];
  return `${symbol}[${[...prefix, ...tail].join(", ")}]`;
}

function told({ mark, row, column, k }) {
  const { writers, steps } = data.arrays[mark[12]], missing = mark.grid.missing?.[k];
  const by = writers[k % writers.length], step = steps[k] ?? -1, letters = mark[5] >= 0 ? data.texts(mark[5])[k] : "";
  const name = named(mark, row, column);
  const how = step < 0 ? by : data.words[mark[13] ? "added" : step <= place().step ? "written" : "later"]
    .replace("{operation}", by).replace("{step}", step.toLocaleString("en"));
  return [mark[14] && letters ? `${letters} = ${name}` : name, missing ? data.words.missing : full(mark.grid.values[k]), how];
}

function hover(event) {
  const found = cellAt(...spot(event)), card = $("card");
  if (!found) return hideCard();
  const [name, value, how] = told(found);
  card.replaceChildren();
  const bold = document.createElement("b");
  bold.textContent = `${name} = ${value}`;
  card.append(bold, how);
  card.hidden = false;
  const { offsetWidth: wide, offsetHeight: high } = card;
  card.style.left = `${Math.min(event.clientX + 18, innerWidth - wide - 4)}px`;
  card.style.top = `${event.clientY + 22 + high > innerHeight ? event.clientY - high - 14 : event.clientY + 22}px`;
}

function hideCard() {
  $("card").hidden = true;
}

// What the picture leads to: a stop, a step, a layer, the step that writes a cell.
function clicked(event) {
  const [x, y] = spot(event);
  for (const mark of flat(layout.frames[at])) {
    if (mark[0] !== 8 || !inside(mark[1], x, y)) continue;
    const [, , kind, name, number] = mark;
    let to = -1;
    if (kind === "stop") to = data.stops[number - 1]?.[0] ?? -1;
    else if (kind === "step") to = atStep(number);
    else to = data.places.findIndex((each) => each.part === place().part && (each.operation === name || (kind === "gradient" && each.operation.startsWith(`${name}.d`))));
    if (to >= 0) return go(to);
  }
  const found = cellAt(x, y), step = found ? data.arrays[found.mark[12]].steps[found.k] ?? -1 : -1;
  if (event.detail === 2 && step >= 0) go(atStep(step));
  else hover(event);
}

function atStep(step) {
  const found = data.places.findIndex((each) => each.part === place().part && each.step >= step);
  return found < 0 ? data.places.length - 1 : found;
}

// Each array with its numbers as a table, for who cannot see the picture.
function fillTables() {
  const made = [];
  for (const mark of [...flat(layout.frames[at])].reverse()) {
    if (mark[0] !== 7 || mark[5] < 0 || mark[12] < 0) continue;
    opened(mark);
    const table = document.createElement("table"), body = table.createTBody();
    table.createCaption().textContent = `${named(mark, 0, 0)} … ${named(mark, mark.rows - 1, mark.columns - 1)}`;
    const head = table.createTHead().insertRow();
    for (let c = -1; c < mark.columns; c++) {
      const cell = document.createElement(c < 0 ? "td" : "th");
      if (c >= 0) { cell.scope = "col"; cell.textContent = c + data.arrays[mark[12]].origin[1]; }
      head.append(cell);
    }
    for (let r = 0; r < mark.rows; r++) {
      const row = body.insertRow(), name = document.createElement("th");
      name.scope = "row";
      name.textContent = r + data.arrays[mark[12]].origin[0];
      row.append(name);
      for (let c = 0; c < mark.columns; c++) {
        const k = r * mark.columns + c;
        row.insertCell().textContent = mark.grid.missing?.[k] ? data.words.missing : data.texts(mark[5])[k] || full(mark.grid.values[k]);
      }
    }
    made.push(table);
  }
  $("arrays").replaceChildren(...made);
}

// --------------------------------------------------------------------------------------------- to begin

function connect() {
  for (const button of document.querySelectorAll("button[data-do]")) button.onclick = () => ACTIONS[button.dataset.do]();
  $("place").max = data.places.length - 1;
  $("place").oninput = () => go(Number($("place").value));
  data.levels.forEach((word, k) => {
    if (k >= data.finest && (data.stops.length || k < data.levels.length - 1)) $("level").add(new Option(word, k));
  });
  $("level").onchange = () => setLevel(Number($("level").value));
  $("tables").ontoggle = () => $("tables").open && fillTables();
  canvas.onmousemove = hover;
  canvas.onmouseleave = hideCard;
  canvas.onclick = clicked;
  addEventListener("keydown", pressed);
  addEventListener("resize", () => fit());
  visualViewport?.addEventListener("resize", () => fit(visualViewport.scale));
  let own;
  addEventListener("beforeprint", () => { own = theme.name; if (theme.dark) switchTheme("dark"); fit(3); });
  addEventListener("afterprint", () => { take(own); fit(); });
  addEventListener("hashchange", () => go(Number(location.hash.slice(1)) || 0));
}

async function begin() {
  data = opened_up(await unpack($("data").textContent));
  canvas = $("picture");
  context = canvas.getContext("2d", { alpha: false });
  take(data.theme);
  await Promise.all([...document.fonts].map((font) => font.load()));
  setLevel(data.finest);
  connect();
  fit();
  go(Number(location.hash.slice(1)) || 0, true);
  document.documentElement.dataset.ready = Math.round(performance.now());
}

begin().catch((error) => { $("said").textContent = document.body.dataset.failed; console.error(error); });
