(() => {
  const b = document.body, el = document.getElementById('stream'), poll = document.getElementById('poll');
  let dog, c, wait = 500, last = Date.now();
  const on = (n, f, to = el) => to.addEventListener('htmx:' + n, f);
  const lost = s => {
    const t = document.getElementById('since'), iso = new Date(last).toISOString();
    if (t) t.dateTime = iso, t.textContent = iso.slice(11, 19);
    b.dataset.stream = s === 503 ? 'full' : 'lost';
  };
  if (poll) {
    let at = last;
    // Not under the hands of somebody who types, chooses or reads.
    const held = () => document.hidden || document.activeElement?.closest('main :is(input, select, details)');
    setInterval(() => {
      const every = 1e3 * (document.querySelector('[data-every]')?.dataset.every || 30);
      if (Date.now() - at >= every && !held()) at = Date.now(), htmx.trigger(poll, 'again');
    }, 1e3);
    on('finally:request', e => {
      if (e.detail.ctx.response?.status !== 200) return lost();
      last = Date.now();
      b.dataset.stream = 'poll';
    }, poll);
  }
  if (!el) return;
  const arm = () => { clearTimeout(dog); dog = setTimeout(() => { 'live wait'.includes(b.dataset.stream) && lost(); c?.reader?.cancel(); arm() }, 5e3) };
  on('sse:before:message', e => { c = e.detail.connection; wait = 500; last = Date.now(); b.dataset.stream = 'live'; arm() });
  on('sse:after:connection', e => { c = e.detail.connection; if (c.status === 204) c.config.reconnect = false });
  on('sse:error', e => lost(e.detail.status));
  on('finally:request', e => { // htmx never retries a failed first connection
    if (el._htmx.sse) return;
    const r = e.detail.ctx.response;
    lost(r?.status);
    if (r?.status !== 204) setTimeout(() => htmx.trigger(el, 'again'), 1e3 * r?.headers.get('Retry-After') || (wait = Math.min(wait * 2, 5e3)));
  });
  arm();
})();
