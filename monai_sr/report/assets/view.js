// The views: each draws images at one place and zoom that all of them share.

const MOST_ZOOM = 64;

/** What all views look at: a place in the image, as shares of its width and height, and the zoom; 1 fits. */
class Camera {
  constructor() {
    this.fit();
  }

  fit() {
    this.x = this.y = 0.5;
    this.zoom = 1;
  }

  move(x, y) {
    this.x = Math.max(0, Math.min(1, this.x + x));
    this.y = Math.max(0, Math.min(1, this.y + y));
  }

  /** Zoom so that a place, in shares of the image, stays where it is on the screen. */
  magnify(factor, x = this.x, y = this.y) {
    const before = this.zoom;
    this.zoom = Math.max(1, Math.min(MOST_ZOOM, this.zoom * factor));
    if (this.zoom === 1) return this.fit();
    this.x = x + (this.x - x) * (before / this.zoom);
    this.y = y + (this.y - y) * (before / this.zoom);
    this.move(0, 0);
  }
}

/** Each image of a slice, painted once for all views that show it, pixel for pixel. */
class Bitmaps {
  constructor() {
    this.canvases = new Map();
    this.painted = new Map();
  }

  get(name, slice, state) {
    const [first, second] = name.split("-");
    const picture = slice.pictures[first];
    if (!picture) return null; // a map that this slice has not
    const settings = name in LAYERS ? [] : second ? [state.difference] : [state.centre, state.width, state.inverted];
    const key = settings.join();
    const painted = this.painted.get(name);
    if (painted?.slice === slice && painted.key === key) return this.canvases.get(name);
    const canvas = this.canvases.get(name) ?? document.createElement("canvas");
    canvas.width = picture.columns;
    canvas.height = picture.rows;
    const image = new ImageData(picture.columns, picture.rows);
    const pixels = new Uint32Array(image.data.buffer);
    if (name in LAYERS) paintMap(pixels, picture, LAYERS[name].bounds);
    else if (second) paintDifference(pixels, picture, slice.pictures[second], state.difference);
    else paintGray(pixels, picture, state);
    canvas.getContext("2d").putImageData(image, 0, 0);
    this.canvases.set(name, canvas);
    this.painted.set(name, { slice, key });
    return canvas;
  }
}

/** A canvas that shows one image, or two of them left and right of a divider. */
class View {
  constructor(canvas, camera) {
    this.canvas = canvas;
    this.camera = camera;
    this.name = canvas.dataset.view;
  }

  get isDifference() {
    return this.name.includes("-");
  }

  /** Match the canvas to the screen's own pixels. */
  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
  }

  /** Where the image lies on the canvas: left, top, width and height in the canvas's pixels. */
  frame(slice) {
    const { width, height } = this.canvas;
    const scale = Math.min(width / slice.width, height / slice.height) * this.camera.zoom;
    const across = slice.width * scale;
    const down = slice.height * scale;
    return [width / 2 - this.camera.x * across, height / 2 - this.camera.y * down, across, down];
  }

  /** A pointer's place as shares of the image's width and height; outside the image beyond 0 or 1. */
  place(event, slice) {
    const box = this.canvas.getBoundingClientRect();
    const [left, top, across, down] = this.frame(slice);
    return [
      ((event.clientX - box.left) * (this.canvas.width / box.width) - left) / across,
      ((event.clientY - box.top) * (this.canvas.height / box.height) - top) / down,
    ];
  }

  draw(slice, state, bitmaps) {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = false; // a pixel is a square of its value, never a blend of two
    const frame = this.frame(slice);
    if (this.name === "compare") {
      const divider = Math.round((width * state.divider) / 100);
      this.drawPart(context, bitmaps.get(state.left, slice, state), frame, 0, divider);
      this.drawPart(context, bitmaps.get(state.right, slice, state), frame, divider, width);
    } else {
      this.drawPart(context, bitmaps.get(this.name, slice, state), frame, 0, width);
    }
    if (state.tool === "profile") this.drawMarker(context, slice, state, frame);
  }

  drawPart(context, bitmap, frame, from, to) {
    if (!bitmap) return;
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, this.canvas.height);
    context.clip();
    context.drawImage(bitmap, ...frame);
    context.restore();
  }

  /** The line of the profile, broken around the pixel that is read. */
  drawMarker(context, slice, state, [left, top, across, down]) {
    const x = left + ((state.column + 0.5) / slice.columns) * across;
    const y = top + ((state.row + 0.5) / slice.rows) * down;
    const gap = 6 * devicePixelRatio;
    context.beginPath();
    if (state.axis === "row") {
      context.moveTo(left, y);
      context.lineTo(x - gap, y);
      context.moveTo(x + gap, y);
      context.lineTo(left + across, y);
    } else {
      context.moveTo(x, top);
      context.lineTo(x, y - gap);
      context.moveTo(x, y + gap);
      context.lineTo(x, top + down);
    }
    context.rect(x - gap, y - gap, 2 * gap, 2 * gap);
    // Light within dark, to be seen on any image.
    for (const [style, width] of [["#0b3d2c", 3], ["#7ee2b8", 1]]) {
      context.strokeStyle = style;
      context.lineWidth = width * devicePixelRatio;
      context.stroke();
    }
  }
}
