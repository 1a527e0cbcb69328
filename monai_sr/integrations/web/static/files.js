// Files as they are dropped or picked, and how they are sent.

import { Refusal, ask, send } from "./server.js";

const AT_ONCE = 4;

/** Dropped files and folders, with their paths. */
export async function dropped(transfer) {
  // The entries are gone after the first wait.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return picked(transfer.files);
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return arranged(found);
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path: entry.fullPath.slice(1) });
    return;
  }
  const reader = entry.createReader();
  // It gives a hundred at a time.
  for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length; ) {
    for (const inner of some) await walk(inner, found);
  }
}

/** Files of a picker. */
export function picked(files) {
  return arranged([...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
}

/** By path, without what file managers leave; of the path only the number of its folder is sent. */
function arranged(found) {
  const kept = found.filter(({ path }) => !/(^|\/)(\.|__MACOSX\/|DICOMDIR$)/i.test(path));
  kept.sort((one, other) => (one.path < other.path ? -1 : 1));
  const folders = new Map();
  return kept.map(({ file, path }) => {
    const parent = path.slice(0, path.lastIndexOf("/") + 1);
    if (!folders.has(parent)) folders.set(parent, folders.size);
    return { file, path, folder: folders.get(parent) };
  });
}

/** Send files to a new job; gives its token, and removes it if that fails. */
export async function upload(files, limits, signal, onProgress) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  if (total > limits.max_upload) {
    throw new Refusal(`This is ${size(total)}, more than the ${size(limits.max_upload)} that the server takes.`, 413);
  }
  const { token } = await ask("POST", "jobs", { body: { files: files.length }, signal });
  const sent = new Array(files.length).fill(0);
  let next = 0;
  const lane = async () => {
    while (next < files.length) {
      const index = next++;
      const { file, folder } = files[index];
      const query = new URLSearchParams({ type: suffix(file.name), folder });
      await send(`jobs/${token}/files/${index + 1}?${query}`, file, signal, (bytes) => {
        sent[index] = bytes;
        onProgress(sent.reduce((sum, part) => sum + part, 0) / Math.max(total, 1));
      });
      sent[index] = file.size;
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, files.length) }, lane));
    return token;
  } catch (error) {
    forget(token);
    throw error;
  }
}

/** Have a job cancelled and deleted; that it is gone already is as well. */
export function forget(token) {
  ask("DELETE", `jobs/${token}`).catch(() => {});
}

const suffix = (name) => (/\.nii\.gz$/i.test(name) ? ".nii.gz" : (name.match(/\.[a-z]{1,8}$/i)?.[0] ?? ""));

export function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const unit = Math.min(Math.floor(Math.log2(bytes) / 10), 4);
  const number = bytes / 1024 ** unit;
  return `${number >= 100 ? Math.round(number) : number.toPrecision(2)} ${["", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}
