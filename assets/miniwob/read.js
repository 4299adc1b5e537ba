// Reads a task's page as an agent is told of it. Returns what happened, the sentence of the task, and the pieces of the page in their order:
// {text} for what only can be read, {role, name, ...} for what can be acted on; these are kept, by their number, for the action that follows.
(() => {
  const HIDDEN = new Set(["reward-display", "sync-task-cover", "click-canvas", "query"]);
  const SHAPES = new Set(["circle", "rect", "polygon", "path", "ellipse"]);
  const HUES = [[15, "red"], [45, "orange"], [70, "yellow"], [165, "green"], [195, "cyan"], [255, "blue"], [290, "purple"], [345, "magenta"],
    [361, "red"]];
  const short = (text) => text.replace(/\s+/g, " ").trim();
  const isSeen = (at) => {
    const box = at.getBoundingClientRect(), style = getComputedStyle(at);
    return box.width > 0 && box.height > 0 && style.visibility !== "hidden" && style.display !== "none" && Number(style.opacity) > 0;
  };
  const ownText = (at) => short([...at.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data).join(" "));
  const color = (css) => {
    const found = /rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)/.exec(css);
    if (!found || found[4] === "0") return "";
    const [r, g, b] = [1, 2, 3].map((n) => Number(found[n]) / 255), most = Math.max(r, g, b), least = Math.min(r, g, b), range = most - least;
    const light = (most + least) / 2;
    if (range < 0.06) return light > 0.93 ? "white" : light < 0.1 ? "black" : "grey";
    const part = most === r ? ((g - b) / range + 6) % 6 : most === g ? (b - r) / range + 2 : (r - g) / range + 4;
    const hue = HUES.find(([end]) => part * 60 < end)[1];
    if (hue === "red" && light > 0.8) return "pink";
    if (hue === "orange" && light < 0.35) return "brown";
    if (hue === "magenta" && light < 0.4) return "purple";
    return hue;
  };
  // A colour that the page calls by a word is called so.
  const colorOf = (given, css) => (/^[a-z]+$/.test(given || "") ? given : color(css));
  const roleOf = (at) => {
    const tag = at.tagName.toLowerCase(), given = at.getAttribute("role");
    if (tag === "input") {
      const kind = at.type;
      if (["button", "submit", "reset", "image"].includes(kind)) return "button";
      if (["checkbox", "radio"].includes(kind)) return kind;
      if (kind === "range") return "slider";
      return kind === "hidden" ? "" : "textbox";
    }
    if (tag === "textarea") return "textarea";
    if (tag === "select") return at.multiple || at.size > 1 ? "listbox" : "combobox";
    if (tag === "button") return "button";
    if (at.isContentEditable && !(at.parentElement && at.parentElement.isContentEditable)) return "textbox";
    // Sections that fold are told as such; what an accordion took for a header and has nothing to unfold is pressed.
    if (at.classList && at.classList.contains("ui-accordion-header"))
      return at.nextElementSibling && at.nextElementSibling.classList.contains("ui-accordion-content") ? "section" : "button";
    if (["tab", "menuitem", "button", "slider", "option", "link"].includes(given)) return given;
    if (at.classList && at.classList.contains("ui-slider-handle")) return "slider";
    if (tag === "a" || (at.classList && at.classList.contains("alink"))) return "link";
    if (at.ownerSVGElement && SHAPES.has(tag)) return "shape";
    if (at.ownerSVGElement && tag === "text") return "label";
    return "";
  };
  const FIELDS = ["textbox", "textarea", "checkbox", "radio", "combobox", "listbox", "slider"];
  const isDragged = (at) => at.classList && /(^| )ui-(draggable|sortable-handle)( |$)/.test(at.className) && at.getAttribute("role") !== "dialog";
  const isPointed = (at) => getComputedStyle(at).cursor === "pointer";
  const listens = (at) => at.__listens || at.onclick || at.onmousedown || at.onmouseup || isPointed(at) || isDragged(at);
  // The hand that the mouse shows is passed on to what stands inside.
  const listensItself = (at) => at.__listens || at.onclick || at.onmousedown || at.onmouseup || isDragged(at) ||
    (isPointed(at) && !(at.parentElement && isPointed(at.parentElement)));
  const PLACES = new Set(["wrap", "area"]), MOST_ROW = 3, told = new Set();
  // A container that listens for what is in it: its parts that hold a text are what people click.
  const isPart = (at) => {
    for (let up = at; up && up !== document.body && !PLACES.has(up.id) && up.getAttribute("role") !== "dialog" && !told.has(up); up = up.parentElement)
      if (listens(up)) return true;
    return false;
  };
  const shapeName = (at) => {
    const box = at.getBoundingClientRect(), tag = at.tagName.toLowerCase(), style = getComputedStyle(at);
    let kind = tag === "rect" ? "rectangle" : tag;
    if (tag === "polygon") {
      const n = (at.getAttribute("points") || "").trim().split(/[\s,]+/).length / 2;
      kind = {3: "triangle", 4: "square", 5: "pentagon", 6: "hexagon"}[n] || "polygon";
    }
    const size = Math.max(box.width, box.height) >= 20 ? "large" : "small";
    return short(`${size} ${colorOf(at.getAttribute("fill"), style.fill)} ${kind}`);
  };
  // A text near a field is its name where it is one short piece in words and no sentence, and nothing to act on is in it.
  const isLabel = (near) => {
    if (near.nodeType === 1 && (near.id === "query" || ["SELECT", "TEXTAREA"].includes(near.tagName) || near.children.length > 1)) return false;
    const text = short(near.textContent || "");
    return text.length <= 40 && /^\p{L}[^=]*$/u.test(text) && !/[.!?](\s|$)/.test(text) && !(near.querySelector && near.querySelector("input,select,textarea,button"));
  };
  const nameOf = (at, role) => {
    const aria = at.getAttribute("aria-label");
    if (aria) return short(aria);
    if (role === "shape") return shapeName(at);
    if (at.tagName === "INPUT" && role === "button") return short(at.value);
    if (FIELDS.includes(role)) {
      const label = at.labels && at.labels[0];
      if (label && short(label.textContent)) return short(label.textContent);
      const group = at.name && role === "radio" && at.value && at.value !== "on" ? at.value : "";
      if (group) return short(group);
      for (const near of role === "checkbox" || role === "radio" ? [at.nextSibling, at.previousSibling] : [at.previousSibling, at.previousElementSibling])
        if (near && isLabel(near)) return short(near.textContent);
      if (short(at.placeholder || at.title || "")) return short(at.placeholder || at.title);
      // In a form laid out in rows the label is what stands before the field's own cell.
      const cell = at.parentElement && at.parentElement.previousElementSibling;
      if (["textbox", "textarea"].includes(role) && cell && at.parentElement.querySelectorAll("input,textarea").length === 1 && isLabel(cell)) return short(cell.textContent);
      return at.type === "password" ? "password" : "";
    }
    const said = at.innerText !== undefined ? short(at.innerText) : short(at.textContent || "");
    if (said) return said;
    const turn = /(?:^| )ui-spinner-(up|down)(?: |$)/.exec(at.className);
    if (turn) return turn[1];
    if (at.title || at.alt) return short(at.title || at.alt);
    const named = [...(at.classList || [])].filter((name) => !/^(ui-.*|ui|icon|active|selected|clicked|hover|highlight(ed)?|ql-active)$/.test(name));
    const painted = at.style && at.style.backgroundColor ? colorOf(at.style.backgroundColor, getComputedStyle(at).backgroundColor) : "";
    return painted || short((named.join(" ") || (/^ui-/.test(at.id) ? "" : at.id)).replace(/-/g, " "));
  };
  const iconName = (at) => [...at.classList].map((name) => /^ui-icon-(.+)/.exec(name)).filter(Boolean).map((found) => found[1]).join(" ");
  const stateOf = (at, role) => {
    const states = [], style = getComputedStyle(at);
    if (document.activeElement === at) states.push("focused");
    if (at.disabled || at.getAttribute("aria-disabled") === "true") states.push("disabled");
    if ((role === "checkbox" || role === "radio") && at.checked) states.push("checked");
    if (at.getAttribute("aria-expanded") === "true") states.push("open");
    const fill = role === "label" ? colorOf(at.getAttribute("fill"), style.fill) : "";
    if (fill && fill !== "grey" && fill !== "white") states.push(parseFloat(style.fontSize) >= 15 ? "large" : "small", fill);
    const icon = role === "menuitem" && at.querySelector(".ui-icon:not(.ui-menu-icon)");
    if (icon) states.push(`icon ${iconName(icon)}`);
    if (at.getAttribute("aria-haspopup") === "true") states.push("submenu");
    const node = at.closest && at.closest("li.expandable, li.collapsable");
    if (node && at.closest("li") === node) states.push(node.classList.contains("expandable") ? "folder, closed" : "folder, open");
    if (at.type === "date" || at.type === "time") states.push(at.type);
    if (at.getAttribute("aria-selected") === "true" || (at.classList && at.classList.contains("ui-selected"))) states.push("selected");
    if ((role === "item" || role === "button") && at.classList && /(^| )(selected|active|clicked|ql-active)( |$)/.test(at.className)) states.push("on");
    if (style.backgroundColor && at.classList && at.classList.contains("colored")) states.push(color(style.backgroundColor));
    return states;
  };
  // The points of a chart are too small to be meant.
  const isShape = (at) => isSeen(at) && Math.max(at.getBoundingClientRect().width, at.getBoundingClientRect().height) >= 6;
  // The texts of a row, and in `own` what in it is clicked for itself.
  const rowTexts = (at, own) => {
    const texts = [];
    for (const child of at.childNodes) {
      if (child.nodeType === 3 && short(child.data)) texts.push(short(child.data));
      if (child.nodeType !== 1 || !isSeen(child)) continue;
      if (roleOf(child) || listensItself(child)) own.push(child); else texts.push(...rowTexts(child, own));
    }
    return texts;
  };
  // Icons of one name, as each row has them, are told apart by how their row begins.
  const placeIcons = (pieces, kept) => {
    const icons = new Map();
    for (const piece of pieces) if (piece.role === "icon")
      icons.set(piece.name, [...(icons.get(piece.name) || []), piece]);
    for (const alike of icons.values()) {
      if (alike.length < 2) continue;
      for (const piece of alike) {
        let row = kept[piece.n];
        const others = alike.filter((other) => other !== piece).map((other) => kept[other.n]);
        while (row.parentElement && !others.some((other) => row.parentElement.contains(other))) row = row.parentElement;
        const lines = (row.innerText || "").split("\n").map(short).filter(Boolean);
        if (lines.length) piece.of = lines[0].split(" ").slice(0, 2).join(" ");
      }
    }
  };
  const read = () => {
    const kept = (window.__kept = []), pieces = [];
    told.clear();
    const act = (at, role, texts = []) => {
      const piece = {role, name: texts[0] || nameOf(at, role), states: stateOf(at, role), n: kept.length, more: texts.slice(1)};
      if (role === "item" && (!piece.name || at.classList.contains("hitarea"))) return;
      if (role === "item" && !short(at.textContent || "") && !at.style.backgroundColor) piece.role = "icon";
      if (role !== "listbox" && at.scrollHeight > at.clientHeight + 4 && /auto|scroll/.test(getComputedStyle(at).overflowY)) piece.states.push("scrolls");
      if (role === "textbox" || role === "textarea") piece.value = at.isContentEditable && at.value === undefined ? at.innerText.trim() : at.value;
      if (role === "combobox" || role === "listbox") {
        piece.options = [...at.options].map((option) => short(option.text));
        piece.value = [...at.selectedOptions].map((option) => short(option.text)).join(", ");
      }
      kept.push(at);
      if (role === "slider") piece.value = window.__value(piece.n);
      if (at.readOnly) piece.states.push("read only");
      if (isDragged(at)) piece.drag = true;
      piece.at = pointOf(at, false);
      pieces.push(piece);
    };
    const tell = (at, text) => {
      const box = at.getBoundingClientRect ? at.getBoundingClientRect() : null, last = pieces[pieces.length - 1];
      if (last && last.text !== undefined && box && last.top !== null && Math.abs(last.top - box.top) < 4) last.text += ` | ${text}`;
      else pieces.push({text, top: box ? box.top : null});
    };
    const walk = (at) => {
      if (HIDDEN.has(at.id) || at.classList.contains("ui-helper-hidden-accessible") || ["SCRIPT", "STYLE", "OPTION", "HEAD"].includes(at.tagName)) return;
      if (!isSeen(at) && !at.ownerSVGElement && getComputedStyle(at).display !== "contents" && !at.querySelector("*")) return;
      if (getComputedStyle(at).display === "none" || getComputedStyle(at).visibility === "hidden") return;
      const role = roleOf(at);
      if (role && (role !== "label" || isPart(at)) && (role !== "shape" || isShape(at))) {
        if (!isSeen(at)) return;
        act(at, role);
        if (["button", "textbox", "textarea", "combobox", "listbox", "tab", "section", "menuitem", "link", "shape", "label"].includes(role)) return;
      }
      const inside = [...at.children].filter((child) => !["BR", "SCRIPT", "STYLE"].includes(child.tagName));
      // A row that is clicked as a whole: its first text names it, and what in it is clicked for itself comes after it.
      if (!role && at !== document.body && !PLACES.has(at.id) && inside.length && listensItself(at) && isSeen(at) && at.getAttribute("role") !== "dialog") {
        const own = [], texts = rowTexts(at, own);
        if (texts.length > MOST_ROW && !own.length) told.add(at);
        else if (texts.length > 1 && texts.length <= MOST_ROW && !own.some((one) => FIELDS.includes(roleOf(one)))) {
          act(at, "item", texts);
          own.forEach(walk);
          return;
        }
      }
      if (!role && at !== document.body && isSeen(at) && isPart(at)) {
        const isBare = !short(at.textContent || "");
        const deeper = inside.some((child) => isSeen(child) && (short(child.textContent || "") || roleOf(child) || listens(child) || isBare));
        if (!deeper || (ownText(at) && listens(at) && !inside.some((child) => roleOf(child)))) {
          if (!(at.tagName === "LABEL" && at.control)) { act(at, "item"); return; }
        }
      }
      if (at.tagName === "LABEL" && at.control && isSeen(at.control) && short(at.textContent) && !inside.length) return;
      const mixed = inside.length > 0 && [...at.childNodes].some((child) => child.nodeType === 3 && short(child.data));
      if (!inside.length) {
        const text = short(at.textContent || "");
        if (text && isSeen(at)) tell(at, text);
        return;
      }
      for (const child of at.childNodes) {
        if (child.nodeType === 1) walk(child);
        else if (child.nodeType === 3 && mixed && short(child.data)) {
          const next = child.nextElementSibling, before = child.previousElementSibling;
          const isLabel = [next, before].some((near) => near && ["checkbox", "radio", "textbox", "combobox"].includes(roleOf(near)) && nameOf(near, roleOf(near)) === short(child.data));
          if (!isLabel) {
            const range = document.createRange();
            range.selectNodeContents(child);
            if (range.getBoundingClientRect().width > 0) tell(range, short(child.data));
          }
        }
      }
    };
    walk(document.body);
    placeIcons(pieces, kept);
    const errors = window.__errors.splice(0), drawing = document.querySelector("#query .ui-icon");
    // A sentence that shows an icon names it.
    const said = drawing ? core.getUtterance().replace(/ with the\s+icon/, ` with the ${iconName(drawing)} icon`) : core.getUtterance();
    return {done: WOB_DONE_GLOBAL, reward: WOB_RAW_REWARD_GLOBAL, goal: typeof said === "string" ? said : said.utterance, errors,
            pieces: pieces.map(({top, ...piece}) => piece)};
  };
  // A picture that is still being read has no size, and who looks later would see another page.
  const drawn = () => Promise.all([...document.images].map((at) => (at.complete ? null : new Promise((done) => { at.onload = at.onerror = done; }))));
  // So have pictures that a style puts there; they are read once, before the first task.
  window.__kept_pictures = [];
  window.__prepare = async () => {
    // What the page tells of itself, and its clock, are no part of a picture of the task.
    const style = document.head.appendChild(document.createElement("style"));
    style.textContent = "#reward-display, #click-canvas, #sync-task-cover { visibility: hidden !important; }" +
      " html, body { background: #fff !important; }";
    const found = new Set();
    for (const sheet of document.styleSheets) {
      let rules = [];
      try { rules = [...sheet.cssRules]; } catch { /* a file of its own: its rules are not told */ }
      for (const rule of rules) for (const [, url] of rule.cssText.matchAll(/url\("([^"]+)"\)/g)) found.add(url);
    }
    await Promise.all([...found].map((url) => {
      const picture = new Image();
      picture.src = url;
      window.__kept_pictures.push(picture);
      return picture.decode().catch(() => null);
    }));
  };
  // A field that was typed into no longer shows what the page puts there, until the form that it belongs to is reset.
  const forget = () => {
    const form = document.body.appendChild(document.createElement("form")), loose = [];
    form.id = "__forget";
    for (const at of document.querySelectorAll("input,textarea")) if (!at.form) { at.setAttribute("form", form.id); loose.push(at); }
    for (const one of document.forms) HTMLFormElement.prototype.reset.call(one);
    for (const at of loose) at.removeAttribute("form");
    form.remove();
    // What an earlier task copied is no longer there to be pasted.
    document.addEventListener("copy", (event) => { event.clipboardData.setData("text/plain", " "); event.preventDefault(); }, {once: true});
    document.execCommand("copy");
  };
  // A browser takes the focus from what can no longer have it when it draws next. So that no frame decides what is read and where keys go,
  // it is done at once, with the events that it would send.
  const unfocus = () => {
    const at = document.activeElement;
    if (at && at !== document.body && (at.matches(":disabled") || !at.checkVisibility({visibilityProperty: true}))) at.blur();
  };
  const settle = async () => {
    unfocus();
    __pass(1000);
    await drawn();
    unfocus();
  };
  window.__begin = async (seed, mode) => {
    core.EPISODE_MAX_TIME = 1e9;
    Math.seedrandom(seed);
    if (core.setDataMode) core.setDataMode(mode);
    window.__errors.length = 0;
    if (document.activeElement) document.activeElement.blur();
    forget();
    core.startEpisodeReal();
    await settle();
    return read();
  };
  window.__after = async () => {
    await settle();
    return read();
  };
  // The part of the tab that the task fills, in pixels of the page.
  window.__extent = () => {
    let width = 162, height = 212;
    for (const at of document.querySelectorAll("body *")) {
      if (!isSeen(at) || at.closest("#reward-display, #click-canvas, #sync-task-cover")) continue;
      const box = at.getBoundingClientRect(), hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
      if (!hit || hit === document.body || hit === document.documentElement) continue; // scrolled out of its frame
      [width, height] = [Math.max(width, box.right), Math.max(height, box.bottom)];
    }
    return {x: 0, y: 0, width: Math.min(width, window.innerWidth), height: Math.min(height, window.innerHeight)};
  };
  const jquerySlider = (at) => (window.jQuery && jQuery(at).parent().data("ui-slider") ? jQuery(at).parent() : null);
  window.__value = (n) => {
    const at = window.__kept[n];
    return !at ? null : jquerySlider(at) ? String(jquerySlider(at).slider("value")) : String(at.value ?? at.getAttribute("aria-valuenow") ?? "");
  };
  window.__scroll = ([n, down]) => {
    const at = window.__kept[n];
    if (!at) return;
    at.scrollTop = down ? at.scrollHeight : 0;
    at.dispatchEvent(new Event("scroll"));
  };
  // Where a text stands for the first time: from where to where the mouse has to be dragged to mark it.
  window.__stands = (text) => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let at = walker.nextNode(); at; at = walker.nextNode()) {
      const up = at.parentElement;
      if (!up || up.closest("#query,#reward-display,#sync-task-cover,script,style") || !isSeen(up)) continue;
      const flat = at.data.replace(/\s/g, " "), begin = flat.indexOf(text.trim());
      if (begin < 0) continue;
      const range = document.createRange();
      range.setStart(at, begin);
      range.setEnd(at, begin + text.trim().length);
      const boxes = [...range.getClientRects()].filter((box) => box.width > 0);
      if (!boxes.length) continue;
      const [first, last] = [boxes[0], boxes[boxes.length - 1]];
      return {x: first.left, y: first.top + first.height / 2, toX: last.right, toY: last.top + last.height / 2};
    }
    return null;
  };
  // Where an element of a page that has been read is to be clicked: brought into view, if it has left it.
  window.__where = (n) => {
    const at = window.__kept[n];
    if (!at || !at.isConnected) return null;
    at.scrollIntoView({block: "nearest", inline: "nearest"});
    return pointOf(at, true);
  };
  // A place at which a click meets an element; null where there is none, unless its middle will do.
  const pointOf = (at, isForced) => {
    const box = at.getBoundingClientRect();
    // The parts of a date are typed from the first one on; a field of numbers has buttons on its right.
    const hits = (x, y) => { const found = document.elementFromPoint(x, y); return found && (found === at || at.contains(found)); };
    if (["date", "time", "number"].includes(at.type) && (isForced || hits(box.x + 8, box.y + box.height / 2)))
      return {x: box.x + 8, y: box.y + box.height / 2};
    // Where its middle is covered, some other part may be free: down to the last pixel of its edges.
    const places = (begin, size) => [0.5, 0.25, 0.75, 0.1, 0.9].map((share) => begin + share * size).concat(begin + 0.5, begin + size - 0.5);
    for (const y of places(box.y, box.height)) for (const x of places(box.x, box.width)) if (hits(x, y)) return {x, y};
    return isForced ? {x: box.x + box.width / 2, y: box.y + box.height / 2} : null;
  };
})();
