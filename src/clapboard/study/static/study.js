// One participant's page: play both sounds to their end, then ask. The server knows what was played and answered.
import { api, keys, play, say } from "/base/base.js";

const SIDES = ["left", "right"];
const by = (id) => document.getElementById(id);
const GAMES = {
  1: ["Real or fake", "Each clip comes twice, with two sounds. One is the original. Hear both, then choose it; where you cannot tell, guess."],
  2: ["Which is better?", "Each clip comes twice, with two made sounds. Hear both, then answer three questions, with 0 where you cannot tell."],
};
let round = null;
let turn = 0; // goes up when something else is played, so that what played before knows that it is over
let shown_ms = 0;
let busy = false;
let open_ms = 0; // before, keys do not answer: one that was pressed twice is no answer to what comes next
const PAUSE_MS = 400;
let waiting = false; // the words before a game are shown

function show(found) {
  const other = round?.round !== found.round;
  const fresh = !found.over && round?.game !== found.game;
  round = found;
  document.body.dataset.round = found.round ?? "";
  document.body.dataset.question = found.question ?? "";
  by("over").hidden = !found.over;
  by("round").hidden = found.over || fresh;
  by("intro").hidden = !fresh;
  waiting = fresh;
  if (found.over) return stop();
  by("progress").textContent = `${found.done + 1} of ${found.of}`;
  by("question").textContent = found.words;
  by("choose-neither").hidden = !found.neither;
  if (fresh) {
    const [title, words] = GAMES[found.game];
    by("intro-title").textContent = title;
    by("intro-words").textContent = words;
  }
  if (other) {
    stop();
    by("skip").hidden = true;
    shown_ms = performance.now();
    for (const side of SIDES) by(side).src = `/clip/${found[side]}`;
  }
  open_ms = performance.now() + PAUSE_MS;
  setTimeout(() => mark(), PAUSE_MS + 1);
  mark();
  if (other && !fresh) playBoth();
}

const heard = () => round && !round.over && round.plays.every((count) => count > 0);
const ready = () => heard() && performance.now() >= open_ms;

let playing = null;

function mark(side = playing) {
  playing = side;
  for (const one of SIDES) {
    by(one).closest("figure").classList.toggle("playing", one === side);
    by(one).closest("figure").classList.toggle("ready", Boolean(heard()));
  }
  for (const name of ["choose-left", "choose-right", "choose-neither"]) by(name).disabled = !ready();
  document.body.dataset.ready = ready() ? "yes" : "no";
}

function stop() {
  turn += 1;
  playing = null;
  for (const side of SIDES) by(side).pause();
}

async function playOne(side, mine) {
  const number = round.round;
  mark(side);
  await play(by(side));
  const told = await api("POST", "/api/played", { round: number, side });
  if (round.round === number) round.plays = told.plays;
  if (turn === mine) mark(null);
}

async function playThese(sides) {
  if (!round || round.over) return;
  if (waiting) {
    waiting = false;
    by("intro").hidden = true;
    by("round").hidden = false;
    shown_ms = performance.now();
  }
  stop();
  const mine = turn;
  say("");
  try {
    for (const side of sides) {
      if (by(side).error) by(side).load(); // what could not be played is tried again
      await playOne(side, mine);
      if (turn !== mine) return;
    }
    say(heard() ? "choose one" : "");
  } catch (error) {
    if (turn !== mine) return;
    mark(null);
    if (error.status === 409) return again(error);
    if (error.unplayable) {
      by("skip").hidden = false;
      say(`${error.message}: space tries again, s leaves it out`, true);
    } else say(error.asked ? "press space to hear both" : error.message, !error.asked);
  }
}

const playBoth = () => playThese(SIDES);

async function again(error) {
  show(await api("GET", "/api/round"));
  say(error.message, true);
}

async function send(path, body) {
  if (busy) return;
  busy = true;
  try {
    const found = await api("POST", path, body);
    say("");
    show(found);
  } catch (error) {
    if (error.status === 409 || error.status === 404) await again(error).catch((second) => say(second.message, true));
    else if (error.status === 401) location.assign("/name");
    else say(error.message, true);
  } finally {
    busy = false;
  }
}

function choose(answer) {
  if (!round || round.over || waiting) return;
  if (answer === "neither" && !round.neither) return;
  if (!heard()) return say("hear both to the end first");
  if (!ready()) return;
  const after_ms = Math.max(0, Math.round(performance.now() - shown_ms));
  send("/api/answer", { round: round.round, question: round.question, answer, after_ms });
}

function skip() {
  if (!by("skip").hidden) send("/api/cannot", { round: round.round });
}

keys({
  1: () => choose("left"), ArrowLeft: () => choose("left"),
  2: () => choose("right"), ArrowRight: () => choose("right"),
  0: () => choose("neither"),
  " ": playBoth,
  q: () => playThese(["left"]), w: () => playThese(["right"]),
  s: skip,
});
by("choose-left").addEventListener("click", () => choose("left"));
by("choose-right").addEventListener("click", () => choose("right"));
by("choose-neither").addEventListener("click", () => choose("neither"));
by("replay").addEventListener("click", playBoth);
by("intro-go").addEventListener("click", playBoth);
by("skip").addEventListener("click", skip);

try {
  show(await api("GET", "/api/round"));
} catch (error) {
  if (error.status === 401) location.assign("/name");
  else say(error.message, true);
}
