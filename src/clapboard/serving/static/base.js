// What all pages share. Import it as a module: import {api, keys, say, play} from "/base/base.js"

/** Ask the server; gives the JSON object of its answer. Throws an Error with one line, `status` that of HTTP (0: no answer). */
export async function api(method, path, body) {
  const ask = { method, headers: {}, credentials: "same-origin" };
  if (method === "POST") {
    ask.headers["Content-Type"] = "application/json";
    ask.body = JSON.stringify(body ?? {});
  }
  let reply, found;
  try {
    reply = await fetch(path, ask);
    found = await reply.json();
  } catch {
    throw Object.assign(new Error("no answer from Clapboard: is it still running?"), { status: reply?.status ?? 0 });
  }
  if (!reply.ok) throw Object.assign(new Error(found.error ?? `error ${reply.status}`), { status: reply.status });
  return found;
}

/** Show one line at the foot of the page; an error stands out. */
export function say(line, error = false) {
  const status = document.getElementById("status");
  status.textContent = line;
  status.classList.toggle("error", error);
}

/** Call a function for a key, as in keys({"1": left, " ": replay, "ArrowLeft": left}). Held keys and those of forms do not count. */
export function keys(functions) {
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (document.getElementById("help")?.open || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const found = functions[event.key];
    if (!found) return;
    event.preventDefault(); // space and Enter would press the button that has the focus as well
    found(event);
  });
}

/** Play a video from its start to its end; throws an Error with one line when the browser cannot. */
export function play(video) {
  return new Promise((done, fail) => {
    const end = new AbortController();
    const on = (name, call) => video.addEventListener(name, (event) => { end.abort(); call(event); }, { signal: end.signal });
    const cannot = () => fail(Object.assign(new Error("this browser cannot play the file"), { unplayable: true }));
    if (video.error) return cannot();
    on("ended", done);
    on("error", cannot);
    video.currentTime = 0;
    video.play().catch((error) => {
      end.abort();
      if (error.name === "NotSupportedError") return cannot();
      const asked = error.name === "NotAllowedError";
      fail(Object.assign(new Error(asked ? "press a key or click: browsers play sound only then" : "stopped"), { asked }));
    });
  });
}

const help = document.getElementById("help");
const toggle = () => (help.open ? help.close() : help.showModal());
document.getElementById("show-help")?.addEventListener("click", toggle);
document.addEventListener("keydown", (event) => {
  if (event.key === "?" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) toggle();
});
