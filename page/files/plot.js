// Plots of what was sent, above a line, and received, below it, over the last two minutes.

export const span = 120; // seconds that a plot shows
const gap = 5; // seconds without a point that are left empty

// History remembers the points of each series: {t, tx, rx}, t in seconds of gw's own clock.
export class History {
  #series = new Map();

  add(key, t, tx, rx) {
    let points = this.#series.get(key);
    if (!points) this.#series.set(key, points = []);
    points.push({ t, tx, rx });
    while (points[0].t < t - span - gap) points.shift();
  }

  get(key) { return this.#series.get(key) ?? []; }

  clear() { this.#series.clear(); }

  // forget drops series that had no point since t: nothing grows with all that ever was.
  forget(t) {
    for (const [key, points] of this.#series) if (points.at(-1).t < t) this.#series.delete(key);
  }
}

// round is the next number above n of those that are good for an axis.
export function round(n) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(n, 1)));
  return unit * [1, 2, 5, 10].find(f => n <= f * unit);
}

const svgNS = 'http://www.w3.org/2000/svg';

function part(svg, name, kind) {
  const found = svg.querySelector('.' + kind.replace(' ', '.'));
  if (found) return found;
  const made = document.createElementNS(svgNS, name);
  made.setAttribute('class', kind);
  svg.append(made);
  return made;
}

// small makes an svg for a row of a table.
export function small(kind, height) {
  const svg = document.createElementNS(svgNS, 'svg');
  for (const [name, value] of [['class', kind], ['role', 'img'], ['viewBox', `0 0 480 ${height}`], ['preserveAspectRatio', 'none']]) svg.setAttribute(name, value);
  return svg;
}

// draw puts points into an svg with a viewBox, now at its right end. top is the value at the upper end, and at the lower one
// unless there is one kind only.
export function draw(svg, points, now, top, kinds = ['tx', 'rx']) {
  const { width, height } = svg.viewBox.baseVal;
  const zero = kinds.length > 1 ? height / 2 : height - 1;
  const x = t => width * (1 - (now - t) / span);
  const y = v => zero * (1 - 0.96 * v / top);
  part(svg, 'path', 'axis').setAttribute('d', `M0 ${zero}H${width}`);
  kinds.forEach((kind, i) => {
    let outline = '', area = '';
    for (const run of runs(points)) {
      const path = run.map(p => `${x(p.t).toFixed(1)} ${y(i ? -p[kind] : p[kind]).toFixed(1)}`).join('L');
      outline += 'M' + path;
      area += `M${x(run[0].t).toFixed(1)} ${zero}L${path}L${x(run.at(-1).t).toFixed(1)} ${zero}Z`;
    }
    part(svg, 'path', kind + ' area').setAttribute('d', area);
    part(svg, 'path', kind + ' outline').setAttribute('d', outline);
  });
}

// runs splits points where there is a gap.
function runs(points) {
  const out = [];
  let last = -Infinity;
  for (const p of points) {
    if (p.t - last > gap) out.push([]);
    out.at(-1).push(p);
    last = p.t;
  }
  return out;
}

// slide moves what was drawn from where it was, so that it flows instead of jumping; not for those who want less motion.
export function slide(svg, seconds) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  const shift = 100 * seconds / span;
  for (const path of svg.querySelectorAll('.area, .outline')) {
    path.animate([{ transform: `translateX(${shift}%)` }, { transform: 'none' }], { duration: 1000 * seconds, easing: 'linear' });
  }
}

// highest is the largest value of points, for one direction or both.
export function highest(points, kinds = ['tx', 'rx']) {
  return Math.max(0, ...points.flatMap(p => kinds.map(kind => p[kind])));
}
