// What the page asks of its server; names of files stay in the browser.

export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const SILENT = "The server does not answer. If it was stopped, start monai-sr app again and reload this page.";
const ABORTED = "AbortError";

/** Whether an error only says that the user changed their mind. */
export const isAborted = (error) => error.name === ABORTED;

/** Ask the server; its refusals, and its silence, are sentences to show. */
export async function ask(method, path, { body, signal } = {}) {
  let answer;
  try {
    answer = await fetch(path, { method, body: body && JSON.stringify(body), signal });
  } catch (error) {
    throw isAborted(error) ? error : new Refusal(SILENT, 0);
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw await refusal(answer.status, () => answer.json());
}

async function refusal(status, read) {
  try {
    return new Refusal((await read()).message, status);
  } catch {
    return new Refusal("The server failed; look at what it printed.", status);
  }
}

/** Send one file; fetch would not tell how far it is. */
export function send(path, file, signal, onBytes) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => onBytes(event.loaded);
    request.onload = () =>
      request.status < 300
        ? resolve()
        : refusal(request.status, () => JSON.parse(request.responseText)).then(reject);
    request.onerror = () => reject(new Refusal(SILENT, 0));
    request.onabort = () => reject(new DOMException("", ABORTED));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
