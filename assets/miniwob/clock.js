// Time of a page, told by steps of an agent and not by a clock: a page that is read late is the page that is read early.
(() => {
  const START = Date.UTC(2016, 5, 15, 12), MOST = 20000;
  const RealDate = Date, timers = new Map();
  let now = START, last = 0;
  class StoppedDate extends RealDate {
    constructor(...given) { given.length ? super(...given) : super(now); }
    static now() { return now; }
  }
  window.Date = StoppedDate;
  performance.now = () => now - START;
  const add = (call, ms, every, given) => {
    timers.set(++last, {at: now + Math.max(0, Number(ms) || 0), call, every, given});
    return last;
  };
  window.setTimeout = (call, ms, ...given) => add(call, ms, null, given);
  window.setInterval = (call, ms, ...given) => add(call, ms, Math.max(1, Number(ms) || 0), given);
  window.clearTimeout = window.clearInterval = (id) => { timers.delete(id); };
  window.requestAnimationFrame = (call) => add(() => call(now - START), 16, null, []);
  window.cancelAnimationFrame = (id) => { timers.delete(id); };
  // Lets an amount of time pass; what is due is called in its order.
  window.__pass = (ms) => {
    const end = now + ms;
    for (let n = 0; n < MOST; n++) {
      let due = null;
      for (const [id, timer] of timers) if (timer.at <= end && (!due || timer.at < due[1].at)) due = [id, timer];
      if (!due) break;
      const [id, timer] = due;
      now = Math.max(now, timer.at);
      if (timer.every === null) timers.delete(id); else timer.at = now + timer.every;
      try { typeof timer.call === "function" ? timer.call(...timer.given) : window.eval(String(timer.call)); }
      catch (error) { window.__errors.push(String(error)); }
    }
    now = end;
  };
  window.__errors = [];
  window.addEventListener("error", (event) => { window.__errors.push(String(event.error || event.message)); });
  window.addEventListener("unhandledrejection", (event) => { window.__errors.push(String(event.reason)); });
  // A task is one page: a form that is sent off, or a link, leads nowhere.
  window.navigation.addEventListener("navigate", (event) => { if (event.cancelable && !event.hashChange) event.preventDefault(); });
  // Who listens to the mouse can be clicked.
  const MOUSE = ["click", "mousedown", "mouseup", "dblclick", "pointerdown"];
  const listen = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (kind, ...rest) {
    if (MOUSE.includes(kind) && this instanceof Element) this.__listens = true;
    return listen.call(this, kind, ...rest);
  };
})();
