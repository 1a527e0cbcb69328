// One trial after the other: shows its images, takes the answer, and keeps what was answered.

const viewer = byId("viewer");
const hasPages = byId("slice") !== null;
const [LEAST, MOST] = content.answers;
const STORE = `monai-sr-study-${content.study}-${content.reader}`;

const camera = new Camera();
const bitmaps = new Bitmaps();
const views = [...document.querySelectorAll("canvas[data-view]")].map((canvas) => new View(canvas, camera));
const state = { slice: "", page: 0, centre: 0, width: 1, inverted: false, tool: "window" };
let slice = null;
let answers = []; // to the first trials, in order
let begun = 0; // when the trial was first seen
let spent = 0; // milliseconds on it before its answer was taken back
let isKept = true; // whether this browser keeps the answers
let isSaved = true;

// Answers, as they are kept and saved.

/** CRC-32, by which an edit of saved answers is found. */
function checksum(text) {
  let rest = ~0;
  for (const letter of text) {
    rest ^= letter.charCodeAt(0);
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return (~rest >>> 0).toString(16).padStart(8, "0");
}

function seal(given) {
  const listed = given.map(({ trial, answer, milliseconds }) => `${trial}:${answer}:${milliseconds}`).join(",");
  return checksum(`${content.token}|${content.study}|${content.reader}|${listed}`);
}

function toText() {
  const { format, study, reader } = content;
  return JSON.stringify({ format, study, reader, answers, seal: seal(answers) }, null, 1) + "\n";
}

/** Answers that `toText` gave; throws a sentence about any other text. */
function fromText(text) {
  let read = null;
  try {
    read = JSON.parse(text);
  } catch {
    throw new Error("this file holds no answers");
  }
  if (read?.format !== content.format) throw new Error("this file holds no answers");
  if (read.study !== content.study) throw new Error("these answers are to another study");
  if (read.reader !== content.reader) throw new Error(`these answers are of reader ${read.reader}`);
  const given = Array.isArray(read.answers) ? read.answers : [];
  const isGood = (item, index) => item?.trial === index + 1 && item.answer >= LEAST && item.answer <= MOST &&
    Number.isInteger(item.answer) && Number.isInteger(item.milliseconds);
  if (!given.every(isGood) || given.length > content.trials.length || read.seal !== seal(given)) {
    throw new Error("these answers were changed after they were saved");
  }
  return given;
}

function keep() {
  isSaved = answers.length === 0;
  try {
    localStorage.setItem(STORE, toText());
  } catch {
    isKept = false;
    tell("This browser keeps no answers: save them before you close the page.");
  }
}

function recall() {
  try {
    const text = localStorage.getItem(STORE);
    if (text) answers = fromText(text);
  } catch (error) {
    tell(`What this browser kept cannot be used (${error.message}): load your saved answers, or begin again.`);
  }
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([toText()], { type: "application/json" }));
  link.download = `answers_${content.study.slice(0, 8)}_reader_${content.reader}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  isSaved = true;
}

async function load(file) {
  try {
    const given = fromText(await file.text());
    if (given.length < answers.length) {
      throw new Error(`it answers ${given.length} trials, and this page ${answers.length} already`);
    }
    answers = given;
  } catch (error) {
    return tell(`The file was not loaded: ${error.message}.`);
  }
  tell("");
  keep();
  await showTrial();
}

function tell(text) {
  byId("failure").textContent = text;
  byId("failure").hidden = !text;
}

// Trials.

function answer(value) {
  if (viewer.dataset.state !== "shown") return;
  const milliseconds = Math.round(spent + performance.now() - begun);
  answers.push({ trial: answers.length + 1, answer: value, milliseconds });
  spent = 0;
  keep();
  showTrial().catch(fail);
}

function takeBack() {
  if (answers.length === 0 || viewer.dataset.state === "loading") return;
  spent = answers.pop().milliseconds;
  keep();
  showTrial().catch(fail);
}

async function showTrial() {
  const number = answers.length;
  const isDone = number === content.trials.length;
  viewer.dataset.state = "loading";
  slice = null;
  viewer.hidden = isDone;
  byId("finished").hidden = !isDone;
  byId("progress").value = number;
  byId("back").disabled = byId("save").disabled = number === 0;
  byId("place").textContent = isDone ? "Done" : `Trial ${number + 1} of ${content.trials.length}`;
  if (isDone) {
    viewer.dataset.state = "done";
    byId("finished").focus();
    return;
  }
  const trial = content.trials[number];
  const names = trial.windows.map(({ name }, index) => new Option(name, index));
  byId("windows").replaceChildren(...names, new Option("own", "own"));
  state.inverted = trial.inverted;
  camera.fit();
  chooseWindow(0);
  await showPage(trial.shown[0].length >> 1);
  await new Promise(requestAnimationFrame);
  begun = performance.now();
  viewer.dataset.state = "shown";
}

/** Show a slice of the trial; images that come too late for it are left. */
async function showPage(page) {
  const number = answers.length;
  const { shown } = content.trials[number];
  state.page = clamp(page, 0, shown[0].length - 1);
  const wanted = (state.slice = `${number}/${state.page}`);
  const loaded = [];
  for (const stack of shown) loaded.push(await loadSlice(stack[state.page]));
  if (state.slice !== wanted) return;
  const pictures = Object.fromEntries(views.map(({ name }, index) => [name, loaded[index].pictures.image]));
  slice = new Slice(content.slices[shown[0][state.page]], pictures);
  if (hasPages) {
    byId("slice-controls").hidden = shown[0].length === 1;
    byId("slice").max = shown[0].length;
    byId("slice").value = state.page + 1;
    byId("slice").setAttribute("aria-valuetext", `${state.page + 1} of ${shown[0].length}`);
  }
  refresh();
}

// Drawing, at most once for each picture that the screen shows.

let isPending = false;

function refresh() {
  if (!isPending) requestAnimationFrame(draw);
  isPending = true;
}

function draw() {
  isPending = false;
  if (!slice) return;
  for (const view of views) view.draw(slice, state, bitmaps);
  for (const id of ["centre", "width"]) {
    // What someone is typing must not be replaced under their fingers.
    if (document.activeElement !== byId(id)) byId(id).value = Number(state[id].toPrecision(6));
  }
  byId("invert").checked = state.inverted;
  byId("zoom").textContent = `${Math.round(camera.zoom * 100)} %`;
  byId(`tool-${state.tool}`).checked = true;
  const chosen = content.trials[answers.length].windows.findIndex(
    ({ bounds: [lower, upper] }) => state.centre === (lower + upper) / 2 && state.width === upper - lower);
  byId("windows").value = chosen < 0 ? "own" : chosen;
}

function setWindow(centre, width) {
  if (!Number.isFinite(centre) || !(width > 0)) return;
  [state.centre, state.width] = [centre, width];
  refresh();
}

function chooseWindow(number) {
  const [lower, upper] = content.trials[answers.length].windows[number].bounds;
  setWindow((lower + upper) / 2, upper - lower);
}

function set(name, value) {
  state[name] = value;
  refresh();
}

function magnify(factor, x, y) {
  camera.magnify(factor, x, y);
  refresh();
}

function fit() {
  camera.fit();
  refresh();
}

/** What a drag by so many pixels of the screen does with the chosen tool. */
function drag(view, right, down) {
  if (state.tool === "pan") {
    pull(view, slice, right, down);
    refresh();
  } else {
    setWindow(...draggedWindow(state, right, down));
  }
}

// Keys on an image.

function turn(pages) {
  if (hasPages) showPage(state.page + pages).catch(fail);
  return hasPages;
}

const TOOLS = { w: "window", p: "pan" };

function press(view, key, isLarger) {
  const lower = key.toLowerCase();
  if (key in ARROWS) {
    // An arrow looks that way, where a drag pulls the image.
    const step = (state.tool === "pan" ? -3 : 1) * (isLarger ? 5 : 1) * KEY_DRAG;
    drag(view, ...ARROWS[key].map((way) => way * step));
  } else if (lower in TOOLS) set("tool", TOOLS[lower]);
  else if (key === "PageUp" && hasPages) showPage(state.page - 1).catch(fail);
  else if (key === "PageDown" && hasPages) showPage(state.page + 1).catch(fail);
  else if (key === "+" || key === "=") magnify(1.25);
  else if (key === "-") magnify(0.8);
  else if (key === "0") fit();
  else if (lower === "r") chooseWindow(0);
  else if (lower === "i") set("inverted", !state.inverted);
  else return false;
  return true;
}

// Controls.

function on(id, event, act) {
  byId(id)?.addEventListener(event, () => slice && act(byId(id)));
}

function connect() {
  on("slice", "input", ({ value }) => showPage(value - 1).catch(fail));
  on("previous", "click", () => showPage(state.page - 1).catch(fail));
  on("next", "click", () => showPage(state.page + 1).catch(fail));
  on("centre", "input", ({ valueAsNumber }) => setWindow(valueAsNumber, state.width));
  on("width", "input", ({ valueAsNumber }) => setWindow(state.centre, valueAsNumber));
  on("windows", "change", ({ value }) => value !== "own" && chooseWindow(value));
  on("reset-window", "click", () => chooseWindow(0));
  on("invert", "change", ({ checked }) => set("inverted", checked));
  on("zoom-in", "click", () => magnify(1.25));
  on("zoom-out", "click", () => magnify(0.8));
  on("fit", "click", fit);
  for (const tool of Object.values(TOOLS)) on(`tool-${tool}`, "change", () => set("tool", tool));
  for (const id of ["centre", "width"]) on(id, "blur", refresh);
  byId("back").addEventListener("click", takeBack);
  for (const id of ["save", "save-at-end"]) byId(id).addEventListener("click", save);
  byId("choose-file").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", ({ target }) => {
    if (target.files.length) load(target.files[0]).catch(fail);
    target.value = ""; // so that the same file can be chosen again
  });
  for (const button of document.querySelectorAll("[data-answer]")) {
    button.addEventListener("click", () => answer(Number(button.dataset.answer)));
  }
  document.addEventListener("keydown", (event) => {
    // A key that is held must not answer trial after trial, nor one that writes a number.
    const isTyping = event.target.closest("input[type=number], select");
    if (!byId("use-keys").checked || event.repeat || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const value = Number(event.key);
    if (Number.isInteger(value) && value >= LEAST && value <= MOST) answer(value);
  });
  const redraw = (view) => view.draw(slice, state, bitmaps);
  for (const view of views) listen(view, { shown: () => slice, drag, magnify, turn, press, redraw });
  window.addEventListener("beforeunload", (event) => {
    if (!isKept && !isSaved) event.preventDefault();
  });
}

function fail(error) {
  tell(`The images cannot be shown: ${error.message}.`);
}

async function start() {
  if (!("DecompressionStream" in window)) {
    throw new Error("this browser is too old; Chrome or Edge 80, Firefox 113 and Safari 16.4 or newer show it");
  }
  connect();
  recall();
  await showTrial();
}

start().catch(fail);
