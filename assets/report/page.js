// Opens what a link points into, says of a mark in a table how the episode ended, and shows or hides episodes.
"use strict";
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}
let shown = null;
function tip(mark) {
  shown = mark;
  const box = document.getElementById("tip");
  box.hidden = !mark;
  if (!mark) return;
  box.textContent = mark.getAttribute("aria-label");
  const at = mark.getBoundingClientRect();
  box.style.top = at.bottom + 6 + box.offsetHeight > innerHeight ? at.top - 6 - box.offsetHeight + "px" : at.bottom + 6 + "px";
  box.style.left = Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8)) + "px";
}
addEventListener("hashchange", reveal);
addEventListener("scroll", () => tip(shown), { passive: true, capture: true });
addEventListener("keydown", (event) => { if (event.key === "Escape") tip(null); });
addEventListener("DOMContentLoaded", () => {
  reveal();
  for (const name of ["mouseover", "focusin"]) addEventListener(name, (event) => tip(event.target.closest(".matrix .c")));
  for (const choice of document.querySelectorAll("input[name=show]")) {
    choice.addEventListener("change", () => { document.getElementById("transcripts").dataset.show = choice.value; });
  }
});
