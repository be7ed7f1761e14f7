// One voter's page: play the picture or the sound of a segment, then take y or n; the next one is loaded meanwhile.
import { api, keys, play, say } from "/base/base.js";

const by = (id) => document.getElementById(id);
const WORDS = { seen: ["Do you see it?", "picture without sound"], heard: ["Do you hear it?", "sound without picture"] };
const LOOK_AGAIN_MS = 3000;
const loaded = new Map(); // the players of what is asked now and of what comes next
let now = null; // the question on the page
let played = false; // nobody votes on what has not been played
let busy = false;
let looking = 0;
let stuck = false; // the line at the foot says why nothing is played
const MOST_LEFT_OUT = 5;
let leftOut = 0; // questions in a row that the server could not play

const keyOf = (one) => `${one.question}/${one.segment}`;

function playerOf(one) {
  const key = keyOf(one);
  if (!loaded.has(key)) {
    const frame = document.createElement("div");
    frame.className = one.question === "seen" ? "picture" : "sound";
    const player = document.createElement(one.question === "seen" ? "video" : "audio");
    player.preload = "auto";
    player.playsInline = true;
    player.muted = one.question === "seen";
    player.src = `/${key}`;
    if (one.question === "heard") frame.append(...Array.from({ length: 5 }, () => document.createElement("i")));
    frame.append(player);
    frame.hidden = true;
    by("stage").append(frame);
    loaded.set(key, { frame, player });
  }
  return loaded.get(key);
}

function show(found) {
  clearTimeout(looking);
  const wanted = new Set(found.questions.map(keyOf));
  for (const [key, { frame, player }] of loaded) {
    if (wanted.has(key)) continue;
    player.pause();
    player.removeAttribute("src"); // what is still being loaded is given up
    player.load();
    frame.remove();
    loaded.delete(key);
  }
  const before = now;
  now = found.questions[0] ?? null;
  for (const one of found.questions) playerOf(one);
  for (const [key, { frame }] of loaded) frame.hidden = !now || key !== keyOf(now);
  by("round").hidden = !now;
  by("wait").hidden = Boolean(now) || found.over;
  by("over").hidden = !found.over;
  by("progress").textContent = `${found.own} by you; ${found.given} of ${found.wanted} votes in all`;
  document.body.dataset.segment = now?.segment ?? "";
  document.body.dataset.question = now?.question ?? "";
  document.body.dataset.own = found.own;
  document.body.dataset.state = found.over ? "over" : now ? "asking" : "waiting";
  if (!now) {
    mark(false);
    if (!found.over) looking = setTimeout(look, LOOK_AGAIN_MS);
    return;
  }
  const [asks, how] = WORDS[now.question];
  const thing = document.createElement("b");
  thing.textContent = now.class;
  by("question").replaceChildren(thing, `: ${asks} (${how})`);
  if (!before || keyOf(before) !== keyOf(now)) {
    mark(false);
    replay();
  }
}

function mark(ready) {
  played = ready;
  by("yes").disabled = by("no").disabled = !ready;
  document.body.dataset.ready = ready ? "yes" : "no";
}

async function replay() {
  if (!now) return;
  const one = now;
  const { frame, player } = playerOf(one);
  const begun = () => {
    if (now !== one) return;
    mark(true);
    if (stuck) say("");
    stuck = false;
    leftOut = 0;
  };
  player.addEventListener("playing", begun, { once: true });
  frame.classList.add("playing");
  try {
    await play(player);
  } catch (error) {
    if (now !== one) return;
    if (error.unplayable) await unplayable(one, error);
    else if (error.asked) halt("press space: browsers play sound only when you ask them to");
  } finally {
    frame.classList.remove("playing");
    player.removeEventListener("playing", begun);
  }
}

function halt(line) {
  stuck = true;
  say(line, true);
}

async function unplayable(one, error) {
  let why = error.message;
  try {
    await api("GET", `/${keyOf(one)}`); // refused in words where the server cannot make it
  } catch (told) {
    if (told.status >= 400) why = told.message;
    if (told.status === 410 || (told.status === 500 && ++leftOut < MOST_LEFT_OUT)) {
      await look(`left out: ${why}`);
      if (!now || keyOf(now) !== keyOf(one)) return; // else it is asked again: the server cannot play anything
    }
  }
  leftOut = 0;
  halt(`${why}; space tries again`);
  loaded.get(keyOf(one))?.player.load();
}

async function ask(method, path, body, words = "") {
  if (busy) return;
  busy = true;
  try {
    const found = await api(method, path, body);
    say(found.told || words);
    show(found);
  } catch (error) {
    say(error.message, true);
    if (!now) looking = setTimeout(look, LOOK_AGAIN_MS);
  } finally {
    busy = false;
  }
}

const look = (words = "") => ask("GET", "/api/next", undefined, typeof words === "string" ? words : "");
const answer = (said) => {
  if (now && played) ask("POST", "/api/answer", { segment: now.segment, question: now.question, answer: said });
};
const undo = () => ask("POST", "/api/undo", {});

keys({ y: () => answer("yes"), n: () => answer("no"), u: undo, " ": replay });
by("yes").addEventListener("click", () => answer("yes"));
by("no").addEventListener("click", () => answer("no"));
by("replay").addEventListener("click", replay);
by("undo").addEventListener("click", undo);
look();
