// The images as this page holds them: per slice and image one text, the Base64 of zlib-compressed stored values,
// little-endian as every browser's machine is. The browser itself decompresses them, when a slice is first shown.

const content = JSON.parse(document.getElementById("content").textContent);
const ARRAYS = {
  Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array,
};
const ORDER = ["low", "bicubic", "sr", "target"];
const LAYERS = content.layers ?? {}; // maps by name: title and the values that are black and brightest
const KEPT_SLICES = 3; // a radiograph's slice takes some 20 MB

/** One image: stored values at the file's depth, and what they mean. */
class Picture {
  constructor(facts, buffer) {
    Object.assign(this, facts);
    this.stored = new ARRAYS[facts.type](buffer);
  }

  /** Real value of the pixel that covers a place on a grid of `rows` rows, as fine as this one or finer. */
  at(row, column, rows) {
    const step = rows / this.rows;
    return this.real(Math.floor(row / step) * this.columns + Math.floor(column / step));
  }

  real(index) {
    return this.stored[index] * this.slope + this.intercept;
  }

  holdsImage(index) {
    const value = this.stored[index];
    return Number.isFinite(value) && !(this.padding && value >= this.padding[0] && value <= this.padding[1]);
  }
}

/** One slice by every method. */
class Slice {
  constructor(facts, pictures) {
    this.label = facts.label;
    this.note = facts.note;
    this.pictures = pictures;
    this.names = ORDER.filter((name) => name in pictures);
    const finest = Object.values(pictures).reduce((a, b) => (b.rows > a.rows ? b : a));
    this.rows = finest.rows;
    this.columns = finest.columns;
    this.height = this.rows * facts.pixel[0];
    this.width = this.columns * facts.pixel[1];
  }

  /** Real value by a method, or of a difference such as `sr-bicubic`, at a place on the finest grid. */
  value(name, row, column) {
    const [first, second] = name.split("-");
    const value = this.pictures[first].at(row, column, this.rows);
    return second ? value - this.pictures[second].at(row, column, this.rows) : value;
  }
}

async function inflate(text) {
  const compressed = atob(text);
  const bytes = new Uint8Array(compressed.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = compressed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

const recent = new Map();

/** Decode a slice, or give it again if it was shown lately. */
async function loadSlice(number) {
  if (!recent.has(number)) {
    const facts = content.slices[number];
    const pictures = {};
    for (const [name, image] of Object.entries(facts.images)) {
      pictures[name] = new Picture(
        image, await inflate(document.getElementById(`pixels-${number}-${name}`).textContent));
    }
    recent.set(number, new Slice(facts, pictures));
    if (recent.size > KEPT_SLICES) recent.delete(recent.keys().next().value);
  }
  return recent.get(number);
}
