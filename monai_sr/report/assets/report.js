// What the user does, and what is shown then.

const viewer = byId("viewer");
const span = content.extremes[1] - content.extremes[0];
const DECIMALS = Math.max(0, Math.min(8, 3 - Math.floor(Math.log10(span))));
const NARROWEST = span * 1e-6;

const camera = new Camera();
const bitmaps = new Bitmaps();
const views = [...document.querySelectorAll("canvas[data-view]")].map((canvas) => new View(canvas, camera));

const state = {
  slice: 0,
  centre: 0,
  width: 1,
  difference: Math.max(content.difference, NARROWEST),
  inverted: content.inverted,
  tool: "window",
  axis: "row",
  row: 0,
  column: 0,
  divider: 50,
  left: "bicubic",
  right: "sr",
  seen: () => seen(),
};
let slice = null;

const text = (value) => (Number.isFinite(value) ? value.toFixed(DECIMALS) : "none");
// A map has 8 bits, hence no more than three digits.
const coarse = (value) => Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "none";
const signed = (value) => (value > 0 ? "+" : "") + text(value).replace("-", "−");

// Drawing, at most once for each picture that the screen shows.

const pending = new Set();

function refresh(...parts) {
  if (pending.size === 0) requestAnimationFrame(draw);
  parts.forEach((part) => pending.add(part));
}

function draw() {
  const parts = new Set(pending);
  pending.clear();
  if (!slice) return;
  if (parts.has("views")) views.forEach((view) => view.draw(slice, state, bitmaps));
  if (parts.has("controls")) showControls();
  if (parts.has("profile")) showProfile();
  if (parts.has("histogram")) showHistogram();
}

function showControls() {
  for (const [id, value] of [["centre", state.centre], ["width", state.width], ["difference", state.difference]]) {
    // What someone is typing must not be replaced under their fingers.
    if (document.activeElement !== byId(id)) byId(id).value = Number(value.toFixed(DECIMALS + 1));
  }
  byId("invert").checked = state.inverted;
  byId("divider").value = state.divider;
  byId("handle").style.left = `${state.divider}%`;
  byId("tag-left").textContent = byId("left").selectedOptions[0].text;
  byId("tag-right").textContent = byId("right").selectedOptions[0].text;
  byId("zoom").textContent = `${Math.round(camera.zoom * 100)} %`;
  byId(`tool-${state.tool}`).checked = true;
  viewer.dataset.tool = state.tool;
  const chosen = content.windows.findIndex(
    ({ bounds: [lower, upper] }) => state.centre === (lower + upper) / 2 && state.width === upper - lower);
  byId("windows").value = chosen < 0 ? "own" : chosen;
  byId("marker-row").value = state.row + 1;
  byId("marker-column").value = state.column + 1;
  byId("scale").querySelector(".low").textContent = `−${text(state.difference)}`;
  byId("scale").querySelector(".high").textContent = `+${text(state.difference)}`;
}

const profilePlot = new Plot(byId("profile"), profileOptions(state));
const histogramPlot = new Plot(byId("histogram"), histogramOptions(state));
let counted = { slice: null };

function showProfile() {
  const data = profile(slice, state);
  profilePlot.show(slice.names, data);
  const parts = slice.names.map((name) => `${NAMES[name]} ${text(slice.value(name, state.row, state.column))}`);
  const added = signed(slice.value("sr-bicubic", state.row, state.column));
  byId("readout").textContent =
    [`Row ${state.row + 1}, column ${state.column + 1}: ${parts.join(", ")}`, `SR − bicubic ${added}`,
      ...tellMaps(state.row, state.column)].join("; ");
  const details = byId("profile-values");
  if (details.open) fillTable(details, data);
}

/** Write the value of each map at a place above it; gives the same as texts. */
function tellMaps(row, column) {
  return Object.keys(LAYERS).filter((name) => name in slice.pictures).map((name) => {
    const value = coarse(slice.value(name, row, column));
    document.querySelector(`[data-under="${name}"]`).textContent = `row ${row + 1}, column ${column + 1}: ${value}`;
    return `${LAYERS[name].title.toLowerCase()} ${value}`;
  });
}

function fillTable(details, [places, ...values]) {
  const cells = (tag, texts) => texts.map((content_) => {
    const cell = document.createElement(tag);
    cell.textContent = content_;
    if (tag === "th") cell.scope = "col";
    return cell;
  });
  const row = (tag, texts) => {
    const line = document.createElement("tr");
    line.append(...cells(tag, texts));
    return line;
  };
  const heading = state.axis === "row" ? "column" : "row";
  details.querySelector("thead").replaceChildren(row("th", [heading, ...slice.names.map((name) => NAMES[name])]));
  details.querySelector("tbody").replaceChildren(
    ...places.map((place, index) => row("td", [place, ...values.map((numbers) => text(numbers[index]))])));
}

function showHistogram() {
  if (counted.slice !== slice) counted = { slice, data: histogram(slice) };
  histogramPlot.show(slice.names, counted.data);
  const [lower, upper] = [state.centre - state.width / 2, state.centre + state.width / 2];
  byId("histogram-summary").textContent =
    `The window shows ${text(lower)} (${state.inverted ? "white" : "black"}) to ${text(upper)} ` +
    `(${state.inverted ? "black" : "white"}), the shaded range; images hold ${text(content.extremes[0])} to ` +
    `${text(content.extremes[1])}.`;
}

/** First and last place of the profile that the views show, from 1: zooming in magnifies the profile too. */
function seen() {
  const view = views.find(({ name }) => name === "sr");
  const [left, top, across, down] = view.frame(slice);
  const [start, size, length, count] =
    state.axis === "row" ? [left, across, view.canvas.width, slice.columns] : [top, down, view.canvas.height, slice.rows];
  return [clamp((-start / size) * count + 1, 1, count), clamp(((length - start) / size) * count, 1, count)];
}

// What changes the state.

async function setSlice(number) {
  state.slice = clamp(number, 0, content.slices.length - 1);
  viewer.dataset.state = "loading";
  const wanted = state.slice;
  const loaded = await loadSlice(wanted);
  if (wanted !== state.slice) return; // another one was asked for meanwhile
  const former = slice;
  slice = loaded;
  byId("slice").value = wanted + 1;
  byId("slice").setAttribute("aria-valuetext", slice.label);
  byId("label").textContent = slice.label;
  byId("note").textContent = slice.note;
  for (const figure of document.querySelectorAll("[data-layer]")) {
    figure.hidden = !(figure.dataset.layer in slice.pictures);
  }
  for (const element of document.querySelectorAll("[data-size]")) {
    const picture = slice.pictures[element.dataset.size];
    element.textContent = picture ? `${picture.rows} × ${picture.columns}` : "";
  }
  if (!former) [state.row, state.column] = [slice.rows >> 1, slice.columns >> 1];
  byId("marker-row").max = slice.rows;
  byId("marker-column").max = slice.columns;
  viewer.style.setProperty("--shape", clamp(slice.width / slice.height, 0.5, 2));
  setMarker(state.row, state.column);
  refresh("views", "controls", "profile", "histogram");
  viewer.dataset.state = "shown";
}

function setWindow(centre, width) {
  if (!Number.isFinite(centre) || !Number.isFinite(width)) return;
  state.centre = centre;
  state.width = Math.max(width, NARROWEST);
  refresh("views", "controls", "histogram");
}

function chooseWindow(number) {
  const [lower, upper] = content.windows[number].bounds;
  setWindow((lower + upper) / 2, upper - lower);
}

function setInverted(inverted) {
  state.inverted = inverted;
  refresh("views", "controls", "histogram");
}

function setDifference(range) {
  if (!Number.isFinite(range)) return;
  state.difference = Math.max(range, NARROWEST);
  refresh("views", "controls");
}

function setMarker(row, column) {
  if (!Number.isFinite(row) || !Number.isFinite(column)) return;
  state.row = clamp(Math.floor(row), 0, slice.rows - 1);
  state.column = clamp(Math.floor(column), 0, slice.columns - 1);
  refresh("views", "controls", "profile");
}

function setTool(tool) {
  state.tool = tool;
  refresh("views", "controls");
}

function setDivider(percent) {
  state.divider = clamp(percent, 0, 100);
  refresh("views", "controls");
}

function magnify(factor, x, y) {
  camera.magnify(factor, x, y);
  refresh("views", "controls", "profile");
}

function fit() {
  camera.fit();
  refresh("views", "controls", "profile");
}

/** What a drag by so many pixels of the screen does with the chosen tool. */
function drag(view, right, down) {
  if (state.tool === "pan") {
    pull(view, slice, right, down);
    refresh("views", "profile");
  } else if (view.isDifference) {
    setDifference(state.difference * Math.exp(down / DRAG_FOLD));
  } else {
    setWindow(...draggedWindow(state, right, down));
  }
}

// Pointers.

function touch(view, event) {
  if (state.tool !== "profile") return false;
  const [x, y] = view.place(event, slice);
  setMarker(y * slice.rows, x * slice.columns);
  return true;
}

/** Tell of the pixel under a pointer that presses nothing. */
function hover(view, event) {
  const [x, y] = view.place(event, slice);
  if (x >= 0 && x < 1 && y >= 0 && y < 1) tellMaps(Math.floor(y * slice.rows), Math.floor(x * slice.columns));
}

function turn(slices) {
  if (content.slices.length > 1) setSlice(state.slice + slices);
  return content.slices.length > 1;
}

const swipe = byId("handle").parentElement;
byId("handle").addEventListener("pointerdown", (event) => byId("handle").setPointerCapture(event.pointerId));
byId("handle").addEventListener("pointermove", (event) => {
  if (!byId("handle").hasPointerCapture(event.pointerId)) return;
  const box = swipe.getBoundingClientRect();
  setDivider((100 * (event.clientX - box.left)) / box.width);
});

// Keys, only while an image has the focus, so that none is taken from the browser or a screen reader.

const TOOLS = { w: "window", p: "pan", l: "profile" };

function press(view, key, larger) {
  const lower = key.toLowerCase();
  if (key in ARROWS) pressArrow(view, ...ARROWS[key].map((step) => step * (larger ? 5 : 1)));
  else if (lower in TOOLS) setTool(TOOLS[lower]);
  else if (key === "PageUp") setSlice(state.slice - 1);
  else if (key === "PageDown") setSlice(state.slice + 1);
  else if (key === "+" || key === "=") magnify(1.25);
  else if (key === "-") magnify(0.8);
  else if (key === "0") fit();
  else if (key === ",") setDivider(state.divider - 2);
  else if (key === ".") setDivider(state.divider + 2);
  else if (lower === "r") chooseWindow(0);
  else if (lower === "i") setInverted(!state.inverted);
  else return false;
  return true;
}

function pressArrow(view, right, down) {
  if (state.tool === "profile") setMarker(state.row + down, state.column + right);
  // An arrow looks that way, where a drag pulls the image.
  else if (state.tool === "pan") drag(view, -3 * KEY_DRAG * right, -3 * KEY_DRAG * down);
  else drag(view, KEY_DRAG * right, KEY_DRAG * down);
}

// Controls.

function on(id, event, act) {
  byId(id).addEventListener(event, () => slice && act(byId(id)));
}

function connect() {
  on("slice", "input", ({ value }) => setSlice(value - 1));
  on("previous", "click", () => setSlice(state.slice - 1));
  on("next", "click", () => setSlice(state.slice + 1));
  on("centre", "input", ({ valueAsNumber }) => setWindow(valueAsNumber, state.width));
  on("width", "input", ({ valueAsNumber }) => valueAsNumber > 0 && setWindow(state.centre, valueAsNumber));
  on("windows", "change", ({ value }) => value !== "own" && chooseWindow(value));
  on("reset-window", "click", () => chooseWindow(0));
  on("invert", "change", ({ checked }) => setInverted(checked));
  on("difference", "input", ({ valueAsNumber }) => valueAsNumber > 0 && setDifference(valueAsNumber));
  on("zoom-in", "click", () => magnify(1.25));
  on("zoom-out", "click", () => magnify(0.8));
  on("fit", "click", fit);
  on("divider", "input", ({ valueAsNumber }) => setDivider(valueAsNumber));
  // The tool changes too, since its marker shows in the images where the profile runs.
  on("marker-row", "input", ({ valueAsNumber }) => (setTool("profile"), setMarker(valueAsNumber - 1, state.column)));
  on("marker-column", "input", ({ valueAsNumber }) => (setTool("profile"), setMarker(state.row, valueAsNumber - 1)));
  on("profile-values", "toggle", () => refresh("profile"));
  for (const side of ["left", "right"]) {
    on(side, "change", ({ value }) => {
      state[side] = value;
      refresh("views", "controls");
    });
  }
  for (const tool of Object.values(TOOLS)) on(`tool-${tool}`, "change", () => setTool(tool));
  for (const along of ["row", "column"]) {
    on(`axis-${along}`, "change", () => {
      state.axis = along;
      profilePlot.forget(); // its axes are named otherwise
      setTool("profile");
      refresh("profile");
    });
  }
  for (const id of ["centre", "width", "difference", "marker-row", "marker-column"]) on(id, "blur", () => refresh("controls"));
  const redraw = (view) => view.draw(slice, state, bitmaps);
  for (const view of views) listen(view, { shown: () => slice, drag, magnify, turn, press, redraw, touch, hover });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    profilePlot.forget();
    histogramPlot.forget();
    refresh("profile", "histogram");
  });
}

function offerWindows() {
  const options = content.windows.map(({ name }, number) => new Option(name, number));
  byId("windows").append(...options, new Option("own", "own"));
  byId("slice-controls").hidden = content.slices.length === 1;
}

async function start() {
  if (!("DecompressionStream" in window)) {
    throw new Error("this browser is too old; Chrome or Edge 80, Firefox 113 and Safari 16.4 or newer show it");
  }
  offerWindows();
  connect();
  await setSlice(content.first);
  chooseWindow(0);
}

start().catch((error) => {
  byId("failure").textContent = `The images cannot be shown: ${error.message}.`;
  byId("failure").hidden = false;
  viewer.dataset.state = "failed";
});
