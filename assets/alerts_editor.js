/* The alerts' rules and webhooks: shown to whoever may look, changed by the owner. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const RULES = "/api/v1/alerts/rules";
  const HOOKS = "/api/v1/alerts/webhooks";
  const byId = (id) => document.getElementById(id);
  const book = { rules: null, sent: {}, draft: null, error: "", secret: null, tested: {} };

  const LEVELS = { flip: "gamma flip", call_wall: "call wall", put_wall: "put wall", max_pain: "max pain", spot: "spot" };
  const CROSSED = ["flip", "call_wall", "put_wall"];
  const KINDS = {
    crossing: "Spot crosses a level",
    regime: "Regime changes",
    move: "A level moves",
    feed: "Feed trouble",
    login: "Schwab login ends soon",
  };
  const DEFAULTS = {
    crossing: { symbol: "*", level: "flip", direction: "either", margin_percent: 0.05 },
    regime: { symbol: "*", margin_percent: 1 },
    move: { symbol: "*", level: "flip", by: 0.5, unit: "percent", minutes: 15 },
    feed: { seconds: 30 },
    login: { hours: 24 },
  };

  // --- in words ----------------------------------------------------------------------------------------

  const of = (rule) => (rule.symbol === "*" ? "any followed symbol" : rule.symbol);
  const WORDS = {
    crossing: (rule) => {
      const way = { either: "crosses", up: "rises above", down: "falls below" }[rule.direction];
      return `Spot of ${of(rule)} ${way} the ${LEVELS[rule.level]}, by ${rule.margin_percent} % at least`;
    },
    regime: (rule) => `${of(rule)} turns from long to short gamma or back, by ${rule.margin_percent} % of gross at least`,
    move: (rule) => `${LEVELS[rule.level]} of ${of(rule)} moves by more than ${rule.by} ${rule.unit === "percent" ? "%" : "points"} within ${rule.minutes} min`,
    feed: (rule) => `The feed is not live for ${rule.seconds} s, and when it is again`,
    login: (rule) => `The Schwab login ends within ${rule.hours} h`,
  };

  function words(rule) {
    const said = WORDS[rule.kind](rule);
    return said[0].toUpperCase() + said.slice(1);
  }

  const often = (rule) => (rule.cooldown_s ? `at most every ${gex.format.span(rule.cooldown_s * 1000)}` : "every time");

  /** How the sending of an alert went, in words; "" where nothing was sent, or this reader isn't told. */
  function sent(id) {
    const said = { waiting: "webhook waiting", delivered: "webhook delivered", failed: "webhook failed" };
    return (book.sent[id] || []).map(({ state, attempts, detail }) => {
      const tries = attempts > 1 ? ` after ${attempts} attempts` : "";
      return `${said[state]}${tries}${state === "delivered" ? "" : `. ${detail}`}`;
    }).join("; ");
  }

  // --- reading and writing -----------------------------------------------------------------------------

  async function load() {
    if (byId("shared")) return byId("alerts-rules").replaceChildren(gex.alerts.parts.part("p", "A shared view shows what fires, and no rules.", "hint"));
    try {
      book.rules = await gex.rest.send("GET", RULES);
      book.error = "";
      if (gex.alerts.manages()) await loadSent();
    } catch (error) {
      book.error = error.message;
    }
    return show();
  }

  async function loadSent() {
    const { alerts } = await gex.rest.send("GET", "/api/v1/alerts");
    book.sent = Object.fromEntries(alerts.map(({ id, deliveries }) => [id, deliveries]));
    gex.alerts.list();
  }

  /** Do something at the server, then show what it says, or what went wrong. */
  async function change(action) {
    try {
      const said = await action();
      book.error = "";
      if (said.rules) book.rules = said;
      return said;
    } catch (error) {
      book.error = error.message;
      return null;
    } finally {
      show();
    }
  }

  const put = (rules) => change(() => gex.rest.send("PUT", RULES, { revision: book.rules.revision, rules }));

  // --- the list ----------------------------------------------------------------------------------------

  function show() {
    const { part } = gex.alerts.parts;
    const place = byId("alerts-rules");
    if (!place) return;
    const wrong = book.error ? [alarm(book.error)] : [];
    if (!book.rules) return place.replaceChildren(...(wrong.length ? wrong : [part("p", "Loading\u2026", "hint")]));
    const none = book.rules.rules.length || book.draft ? [] : [part("p", "There are no rules yet.", "hint")];
    place.replaceChildren(...none, ...book.rules.rules.map(ruleLine), ...wrong, editor());
    return hooks();
  }

  function alarm(text) {
    const node = gex.alerts.parts.part("p", text, "wrong");
    node.setAttribute("role", "alert");
    return node;
  }

  function ruleLine(rule) {
    const { part, button, row } = gex.alerts.parts;
    const node = document.createElement("div");
    node.className = "rule";
    node.dataset.enabled = rule.enabled;
    const away = book.rules.webhooks.length && !rule.webhook ? ", not to webhooks" : "";
    node.append(part("p", words(rule)), part("p", `${often(rule)}${away}${rule.enabled ? "" : ". Switched off"}`, "hint"));
    if (gex.alerts.manages()) {
      const others = book.rules.rules.filter(({ id }) => id !== rule.id);
      const flip = () => put(book.rules.rules.map((kept) => (kept.id === rule.id ? { ...kept, enabled: !kept.enabled } : kept)));
      node.append(row(button("Edit", () => edit(rule)), button(rule.enabled ? "Switch off" : "Switch on", flip), button("Delete", () => put(others))));
    }
    return node;
  }

  // --- the form ----------------------------------------------------------------------------------------

  function edit(rule) {
    book.draft = { ...rule };
    show();
    byId("alerts-rules").querySelector("form select, form input")?.focus();
  }

  function editor() {
    const { part, button } = gex.alerts.parts;
    if (!gex.alerts.manages()) {
      const node = part("p", "Only the owner changes rules. ", "hint");
      const link = part("a", "Sign in");
      link.href = "/login";
      node.append(link);
      return node;
    }
    return book.draft ? form() : button("Add a rule", () => edit({ kind: "crossing", enabled: true, webhook: true, cooldown_s: 300, ...DEFAULTS.crossing }));
  }

  function form() {
    const { button, row } = gex.alerts.parts;
    const node = document.createElement("form");
    const save = button("Save");
    save.type = "submit";
    save.classList.add("on");
    const leave = button("Cancel", () => {
      book.draft = null;
      show();
    });
    node.append(...fields(), row(save, leave));
    node.addEventListener("submit", (event) => {
      event.preventDefault();
      store();
    });
    return node;
  }

  async function store() {
    const { draft } = book;
    const kept = book.rules.rules;
    const said = await put(draft.id ? kept.map((rule) => (rule.id === draft.id ? draft : rule)) : [...kept, draft]);
    if (!said) return;
    book.draft = null;
    show();
  }

  function fields() {
    const { draft } = book;
    const made = [choice("What", "kind", KINDS, turn)];
    if ("symbol" in draft) made.push(choice("Symbol", "symbol", symbols(draft.symbol)));
    if (draft.kind === "crossing") made.push(choice("Level", "level", pick(CROSSED)), choice("Which way", "direction", { either: "either way", up: "upwards", down: "downwards" }));
    if (draft.kind === "move") {
      made.push(choice("Level", "level", LEVELS), number("By more than", "by", 0.01, 100000, "any"));
      made.push(choice("In", "unit", { percent: "%", points: "points" }), number("Within minutes", "minutes", 1, 60, 1));
    }
    if (draft.kind === "crossing") made.push(number("Beyond it by % of spot", "margin_percent", 0, 5, "any"));
    if (draft.kind === "regime") made.push(number("Beyond zero by % of gross", "margin_percent", 0, 50, "any"));
    if (draft.kind === "feed") made.push(number("Not live for seconds", "seconds", 5, 3600, 1));
    if (draft.kind === "login") made.push(number("Hours before it ends", "hours", 1, 144, 1));
    made.push(number("At most every \u2026 seconds", "cooldown_s", 0, 86400, 1));
    if (book.rules.webhooks.length) made.push(choice("Webhooks", "webhook", { true: "send there too", false: "only here" }, (text) => (draft.webhook = text === "true")));
    return made;
  }

  const pick = (names) => Object.fromEntries(names.map((name) => [name, LEVELS[name]]));

  function symbols(chosen) {
    const followed = [...document.querySelectorAll("#symbol-menu .menu a")].map((link) => link.textContent.split(",")[0]);
    return Object.fromEntries([["*", "every followed one"], ...[...new Set([...followed, chosen])].filter((name) => name !== "*").map((name) => [name, name])]);
  }

  /** Another kind of rule: what both have in common stays. */
  function turn(kind) {
    const { id, enabled, webhook, cooldown_s, symbol } = book.draft;
    const common = { ...(id ? { id } : {}), enabled, webhook, cooldown_s };
    book.draft = { kind, ...common, ...DEFAULTS[kind] };
    if (symbol && DEFAULTS[kind].symbol) book.draft.symbol = symbol;
    show();
    byId("alerts-rules").querySelector("form select")?.focus();
  }

  function labelled(name, node) {
    const label = document.createElement("label");
    label.append(gex.alerts.parts.part("span", name), node);
    return label;
  }

  function choice(name, field, options, changed) {
    const node = document.createElement("select");
    node.name = field;
    for (const [value, text] of Object.entries(options)) node.append(new Option(text, value, false, String(book.draft[field]) === value));
    node.addEventListener("change", () => (changed ? changed(node.value) : (book.draft[field] = node.value)));
    return labelled(name, node);
  }

  function number(name, field, min, max, step) {
    const node = document.createElement("input");
    Object.assign(node, { type: "number", name: field, min, max, step, required: true, value: book.draft[field] });
    node.addEventListener("input", () => (book.draft[field] = node.valueAsNumber));
    return labelled(name, node);
  }

  // --- webhooks ----------------------------------------------------------------------------------------

  function hooks() {
    const { part } = gex.alerts.parts;
    const place = byId("alerts-hooks");
    if (!gex.alerts.manages()) return place.replaceChildren();
    const title = part("h2", "Webhooks");
    const none = part("p", "Webhooks go only to hosts that the setting ALERT_WEBHOOK_HOSTS names; it names none.", "hint");
    const listed = book.rules.webhooks.map(hookLine);
    if (book.rules.webhook_hosts === "none") return place.replaceChildren(title, ...listed, none);
    const where = part("p", `Each alert is POSTed as signed JSON (Standard Webhooks). Allowed: ${book.rules.webhook_hosts}.`, "hint");
    return place.replaceChildren(title, where, ...listed, ...secret(), hookForm());
  }

  function hookLine(hook) {
    const { part, button, row } = gex.alerts.parts;
    const node = document.createElement("div");
    node.className = "rule";
    const test = async () => {
      const said = await change(() => gex.rest.send("POST", `${HOOKS}/${hook.id}/test`));
      if (said) book.tested[hook.id] = `${said.delivered ? "Delivered" : "Not delivered"}. ${said.detail}`;
      show();
    };
    const drop = () => change(() => gex.rest.send("DELETE", `${HOOKS}/${hook.id}`)).then(load);
    node.append(part("p", hook.url), row(button("Send a test", test), button("Delete", drop), part("span", book.tested[hook.id] || "", "hint")));
    return node;
  }

  /** The new webhook's secret, this once. */
  function secret() {
    const { part } = gex.alerts.parts;
    if (!book.secret) return [];
    const node = part("p", "The signing secret of the new webhook. It is shown only now: ", "secret");
    node.append(part("code", book.secret));
    return [node];
  }

  function hookForm() {
    const { button, row } = gex.alerts.parts;
    const node = document.createElement("form");
    const url = document.createElement("input");
    Object.assign(url, { type: "url", name: "url", required: true, maxLength: 500, placeholder: "https://\u2026", autocomplete: "off" });
    url.setAttribute("aria-label", "Address of a new webhook");
    const add = button("Add a webhook");
    add.type = "submit";
    node.append(row(url, add));
    node.addEventListener("submit", async (event) => {
      event.preventDefault();
      const made = await change(() => gex.rest.send("POST", HOOKS, { url: url.value }));
      if (!made) return;
      book.secret = made.secret;
      await load();
    });
    return node;
  }

  if (typeof document !== "undefined") {
    // a secret that was shown once isn't shown again when the list is opened another time
    document.addEventListener("close", ({ target }) => target.id === "alerts" && Object.assign(book, { secret: null, draft: null, error: "" }), true);
  }

  gex.alertEditor = { load, sent, words };
})();
