// The three steps of the page: an image, a choice, its result.

import { chosen, prepare, suggest } from "./choice.js";
import { dropped, forget, picked, size, upload } from "./files.js";
import { Refusal, ask, isAborted } from "./server.js";

const POLL = 500;
const TOKEN = "token";

const byId = (id) => document.getElementById(id);
const show = (id, visible = true) => (byId(id).hidden = !visible);
const say = (id, text) => {
  byId(id).textContent = text;
  show(id, Boolean(text));
};
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

let settings;
let files = [];
let token = null;
let work = new AbortController();

/** Forget all and show the first step. */
function restart(message = "") {
  work.abort();
  work = new AbortController();
  if (token) forget(token);
  token = null;
  files = [];
  sessionStorage.removeItem(TOKEN);
  for (const id of ["choice", "decided", "rechoose", "outcome", "waiting", "result", "chosen", "sending"]) show(id, false);
  for (const id of ["choice-error", "outcome-error"]) say(id, "");
  byId("files").value = byId("folder").value = "";
  byId("report").removeAttribute("src");
  show("form");
  show("drop");
  say("image-error", message);
}

async function take(taken) {
  restart();
  files = taken;
  const { signal } = work;
  if (!files.length) return restart("There is no image in this; choose another.");
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  show("drop", false);
  byId("chosen-name").textContent = files.length === 1 ? files[0].file.name : plural(files.length, "file");
  byId("chosen-facts").textContent = `${size(bytes)}, being sent`;
  show("chosen");
  show("sending");
  byId("restart").focus();
  try {
    const sending = byId("sending");
    sending.value = 0;
    const sent = await upload(files, settings, signal, (share) => (sending.value = share));
    if (signal.aborted) return forget(sent);
    token = sent;
    sending.removeAttribute("value");
    byId("chosen-facts").textContent = `${size(bytes)}, being read`;
    const job = await ask("POST", `jobs/${token}/look`, { signal });
    sessionStorage.setItem(TOKEN, token);
    ready(job);
  } catch (error) {
    if (isAborted(error)) return;
    if (error.status) token = null; // the server has removed it
    restart(named(error.message));
    byId("files").focus();
  }
}

/** The server knows files by their numbers; here they have names. */
function named(message) {
  if (files.length === 1) return message.replace(/\bfile 1\b/i, () => files[0].file.name);
  const number = Number(message.match(/\bfile (\d+)\b/i)?.[1]);
  return files[number - 1] ? `${message} File ${number} is ${files[number - 1].path}.` : message;
}

function ready(job) {
  showFound(job);
  suggest(job.found);
  byId("start").disabled = false;
  show("choice");
  byId("choice-title").focus();
  byId("spoken").textContent = `The image was read: ${byId("chosen-facts").textContent}.`;
}

function showFound({ found }) {
  byId("chosen-facts").textContent = outline(found, 1);
  if (!files.length) byId("chosen-name").textContent = "Your image";
  show("sending", false);
  show("drop", false);
  show("chosen");
}

/** What the images are, or become, in a few words. */
function outline(found, scale) {
  const [{ modality, frames, rows, columns }] = found;
  if (found.length > 1) return `${found.length} DICOM series`;
  const shape = `${plural(frames, modality ? "slice" : "frame")} of ${rows * scale} × ${columns * scale}`;
  return modality ? `DICOM, ${modality}, ${shape}` : shape;
}

async function start(event) {
  event.preventDefault();
  say("choice-error", "");
  byId("start").disabled = true;
  try {
    await ask("POST", `jobs/${token}/start`, { body: chosen(), signal: work.signal });
  } catch (error) {
    byId("start").disabled = false;
    if (!isAborted(error)) lost(error, "choice-error");
    return;
  }
  follow();
}

/** A job that is gone begins again with the first step; whatever else is said where it happened. */
function lost(error, place) {
  if (error.status === 404) {
    token = null;
    restart(`${error.message} Start again.`);
    byId("files").focus();
  } else {
    say(place, error.message);
  }
}

async function follow() {
  const { signal } = work;
  show("form", false);
  for (const id of ["choice", "decided", "outcome"]) show(id);
  show("waiting");
  byId("outcome-title").focus();
  try {
    for (;;) {
      const job = await ask("GET", `jobs/${token}`, { signal });
      byId("decision").textContent = decision(job.choice);
      if (job.state === "done") return finish(job);
      if (job.state === "failed") throw new Refusal(named(job.message), 500);
      showProgress(job);
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  } catch (error) {
    show("waiting", false);
    if (isAborted(error)) return;
    show("rechoose", files.length > 0);
    lost(error, "outcome-error");
  }
}

function showProgress(job) {
  const progress = byId("progress");
  const counting = job.state === "working" && job.doing === "computing";
  byId("count").textContent = counting ? `${job.done} of ${job.frames}` : "";
  if (counting) {
    progress.max = job.frames;
    progress.value = job.done;
  } else {
    progress.removeAttribute("value");
  }
  const texts = { loading: "Loading the network", drawing: "Drawing the comparison" };
  let text = texts[job.doing] ?? "Starting";
  if (job.state === "waiting" && job.before > 0) text = `Waiting for ${plural(job.before, "other image")}`;
  // Said once; the numbers beside the bar would be read out without end.
  if (counting) text = `Computing ${plural(job.frames, "frame")}`;
  if (byId("doing").textContent !== text) byId("doing").textContent = text;
}

const decision = ({ bundle, scale_factor, alpha }) =>
  `${bundle}, ×${scale_factor}` + (alpha === null ? "" : `, ${Math.round(100 * alpha)} % crisp`);

function finish(job) {
  byId("summary").textContent = outline(job.found, job.choice.scale_factor);
  byId("notes").replaceChildren(
    ...job.notes.map((note) => Object.assign(document.createElement("li"), { textContent: named(note) })),
  );
  show("notes", job.notes.length > 0);
  byId("series").replaceChildren(...Array.from({ length: job.reports }, (_, index) => new Option(index + 1, index)));
  show("which", job.reports > 1);
  open(0);
  byId("download").href = `jobs/${token}/result`;
  byId("download").textContent = `Download (.${job.type}, ${size(job.bytes)})`;
  byId("kept").textContent =
    `Deleted from the server ${settings.kept_after_download_minutes} minutes after the download, ` +
    `at the latest after ${settings.kept_minutes}; or at once by “Another image”.`;
  show("rechoose", files.length > 0);
  show("waiting", false);
  show("result");
  byId("outcome-title").focus();
  byId("spoken").textContent = `Done: ${byId("summary").textContent}.`;
}

/** Show the comparison of a series. */
function open(series) {
  byId("report").src = byId("alone").href = `jobs/${token}/reports/${series}`;
}

/** After a reload the job goes on where it was. */
async function resume() {
  token = sessionStorage.getItem(TOKEN);
  if (!token) return;
  try {
    const job = await ask("GET", `jobs/${token}`);
    showFound(job);
    if (job.state === "ready") ready(job);
    else follow();
  } catch (error) {
    lost(error, "image-error");
  }
}

function listen() {
  const drop = byId("drop");
  for (const id of ["files", "folder"]) byId(id).addEventListener("change", ({ target }) => take(picked(target.files)));
  // Beside the zone a drop must not make the browser open the file and leave the page.
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
  document.addEventListener("dragover", () => drop.classList.add("over"));
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? drop.classList.remove("over"));
  document.addEventListener("drop", async ({ dataTransfer }) => {
    drop.classList.remove("over");
    if (!drop.hidden && dataTransfer.types.includes("Files")) take(await dropped(dataTransfer));
  });
  byId("form").addEventListener("submit", start);
  for (const id of ["restart", "again", "cancel"]) {
    byId(id).addEventListener("click", () => {
      restart();
      byId("files").focus();
    });
  }
  byId("series").addEventListener("change", ({ target }) => open(target.value));
  byId("rechoose").addEventListener("click", () => take(files));
}

try {
  settings = await ask("GET", "settings");
  byId("version").textContent = `monai_sr ${settings.version}.`;
  prepare(settings.bundles);
  listen();
  await resume();
} catch (error) {
  say("image-error", error.message);
}
