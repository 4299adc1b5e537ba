// Asks for the state of the run once a second and writes it down; all of it as text.
"use strict";
const at = (id) => document.getElementById(id);
function row(cells, numbers, wide) {
  const line = document.createElement("tr");
  cells.forEach((text, n) => {
    const cell = document.createElement(n ? "td" : "th");
    if (!n) cell.scope = "row";
    cell.className = numbers.includes(n) ? "n" : n === wide ? "t" : "";
    cell.textContent = text;
    line.append(cell);
  });
  return line;
}
function facts(pairs) {
  return pairs.map(([name, value, more]) => {
    const fact = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd"), small = document.createElement("small");
    dt.textContent = name;
    dd.textContent = value;
    small.textContent = more;
    dd.append(small);
    fact.append(dt, dd);
    return fact;
  });
}
function span(seconds) {
  if (seconds < 60) return Math.round(seconds) + " s";
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? minutes + " min" : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}
const rate = (r) => r ? `${r.won} of ${r.n}${r.ci95 ? ` (${(100 * r.ci95[0]).toFixed(1)} to ${(100 * r.ci95[1]).toFixed(1)}%)` : ""}${r.errors ? `, ${r.errors} errors` : ""}` : "";
function say(text) { if (at("phase").textContent !== text) at("phase").textContent = text; }
function show(s) {
  const c = s.current, running = s.phase !== "finished", quiet = s.now - (s.last ?? s.now);
  say(!running ? "This run has ended." : c.what ? `Round ${s.round} of at most ${s.of_rounds}: ${c.who.startsWith("round") ? "" : c.who + ", "}${c.part}` : s.phase);
  at("bar").max = c.total || 1;
  at("bar").value = running ? c.done || 0 : 1;
  at("bar").textContent = c.what ? `${c.done} of ${c.total}` : "";
  at("facts").replaceChildren(...facts([
    ...(c.what ? [["This series", `${c.done} of ${c.total}`, "episodes"]] : []),
    ["Episodes played", s.episodes, s.episodes_per_s === null ? "" : s.episodes_per_s.toFixed(1) + " a second"],
    ["Tokens", s.tokens, !s.tokens || s.tokens_per_s === null ? "" : Math.round(s.tokens_per_s) + " a second"],
    [s.may_grow ? "At most to go, unless tasks are added" : "At most to go", s.left, running && s.left_s !== null ? span(s.left_s) : "episodes"],
    ["Running for", span(s.elapsed_s), running && quiet > 30 ? `no sign of life for ${span(quiet)}` : ""],
  ]));
  at("rounds").replaceChildren(...s.rounds.map((r) => row([r.round, rate(r.train), rate(r.validation), r.worth ? r.worth.share : "", r.worth ? `${r.worth.twin}: ${r.worth.value}` : "", r.shipped], [0, 3])));
  at("candidates").replaceChildren(...s.candidates.toReversed().map((k) =>
    row([k.id, `${k.operator} (${k.dimension})`, k.wins, k.losses, `${k.compared} of ${k.of}`, k.verdict ? `${k.verdict}: ${k.reason}` : "at the gate"], [2, 3, 4], 5)));
  return running ? 1000 : 5000;
}
async function follow() {
  let pause = 2000;
  try {
    const answer = await fetch("state");
    const state = await answer.json();
    if (answer.ok) pause = show(state); else say(state.error);
  } catch {
    say("The server does not answer; was it stopped? Trying again.");
  }
  setTimeout(follow, pause);
}
follow();
