(() => {
  const b = document.body, el = document.getElementById('stream');
  if (!el) return;
  let dog, c, wait = 500, last = Date.now();
  const on = (n, f) => el.addEventListener('htmx:' + n, f);
  const lost = s => {
    const t = document.getElementById('since'), iso = new Date(last).toISOString();
    if (t) t.dateTime = iso, t.textContent = iso.slice(11, 19);
    b.dataset.stream = s === 503 ? 'full' : 'lost';
  };
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
