// The line profile and the histogram, drawn by uPlot in the colours of the page.

const NAMES = { low: "low resolution", bicubic: "bicubic", sr: "super-resolution", target: "high resolution" };
const DASHES = { bicubic: [6, 3], target: [2, 3] };
const BINS = 128;
const SHARES = [0, 1, 5, 10, 20, 40, 70, 100]; // named on the axis of percentages
const PLOT_HEIGHT = 240;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function axis(label) {
  return {
    label,
    labelSize: 22,
    size: 46,
    stroke: colour("quiet"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1 },
    font: "12px system-ui",
    labelFont: "12px system-ui",
  };
}

function series(name, extra) {
  return {
    label: NAMES[name],
    stroke: colour(name),
    width: name === "sr" ? 2 : 1.5,
    dash: DASHES[name],
    points: { show: false },
    ...extra,
  };
}

/** One uPlot, made anew when its series, its size or the colours change, and else only given its numbers. */
class Plot {
  constructor(element, options) {
    this.element = element;
    this.options = options;
    this.plot = null;
    this.names = "";
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(element);
  }

  size() {
    return { width: Math.max(this.element.clientWidth, 120), height: PLOT_HEIGHT };
  }

  forget() {
    this.plot?.destroy();
    this.plot = null;
  }

  show(names, data) {
    if (this.plot && this.names === names.join()) return this.plot.setData(data);
    this.forget();
    this.names = names.join();
    this.plot = new uPlot({ ...this.size(), ...this.options(names) }, data, this.element);
  }
}

/** Places along a profile, from 1, and every method's values there. */
function profile(slice, { axis: along, row, column }) {
  const length = along === "row" ? slice.columns : slice.rows;
  const places = Array.from({ length }, (_, index) => index);
  const value = (name) => (index) => along === "row" ? slice.value(name, row, index) : slice.value(name, index, column);
  return [places.map((index) => index + 1), ...slice.names.map((name) => places.map(value(name)))];
}

/** Middles of bins over the page's range of values, and the share of every method's pixels in each, in percent. */
function histogram(slice) {
  const [least, greatest] = content.extremes;
  const size = (greatest - least) / BINS;
  const middles = Array.from({ length: BINS }, (_, bin) => least + (bin + 0.5) * size);
  const shares = slice.names.map((name) => {
    const picture = slice.pictures[name];
    const counts = new Array(BINS).fill(0);
    let total = 0;
    for (let i = 0; i < picture.stored.length; i++) {
      if (!picture.holdsImage(i)) continue;
      total++;
      counts[Math.max(0, Math.min(BINS - 1, Math.floor((picture.real(i) - least) / size)))]++;
    }
    return counts.map((count) => (100 * count) / Math.max(total, 1));
  });
  return [middles, ...shares];
}

function profileOptions(state) {
  return (names) => ({
    scales: { x: { time: false, range: state.seen } },
    axes: [axis(state.axis === "row" ? "column" : "row"), { ...axis("value"), size: 60 }],
    series: [
      { label: state.axis === "row" ? "column" : "row" },
      // Each low-resolution pixel is a step as wide as the finer pixels that it covers.
      ...names.map((name) => series(name, name === "low" ? { paths: uPlot.paths.stepped({ align: 1 }) } : {})),
    ],
    cursor: { drag: { x: false, y: false } },
    hooks: { drawClear: [(plot) => mark(plot, state.axis === "row" ? state.column + 1 : state.row + 1)] },
  });
}

function histogramOptions(state) {
  return (names) => ({
    scales: {
      x: { time: false },
      // By square roots: the background's bins dwarf all others, which would else not be seen.
      y: { distr: 100, fwd: Math.sqrt, bwd: (root) => root * root, range: (_, least, most) => [0, most || 1] },
    },
    axes: [
      axis("value"),
      {
        ...axis("pixels (%)"),
        size: 60,
        splits: (plot) => SHARES.filter((share) => share <= plot.scales.y.max),
        filter: (_, shares) => shares, // uPlot leaves out most of a scale of its own kind
        values: (_, shares) => shares.map(String),
      },
    ],
    series: [{ label: "value" }, ...names.map((name) => series(name))],
    cursor: { drag: { x: false, y: false } },
    hooks: {
      drawClear: [(plot) => band(plot, state.centre - state.width / 2, state.centre + state.width / 2)],
    },
  });
}

/** A line where the marker is. */
function mark(plot, place) {
  const { ctx, bbox } = plot;
  ctx.fillStyle = colour("marker");
  ctx.fillRect(plot.valToPos(place, "x", true), bbox.top, devicePixelRatio, bbox.height);
}

/** The range of values that the window shows between black and white. */
function band(plot, lower, upper) {
  const { ctx, bbox } = plot;
  const inside = (value) =>
    Math.max(bbox.left, Math.min(bbox.left + bbox.width, plot.valToPos(value, "x", true)));
  ctx.fillStyle = colour("band");
  ctx.fillRect(inside(lower), bbox.top, inside(upper) - inside(lower), bbox.height);
}
