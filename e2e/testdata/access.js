// What a person who cannot see well, point well or use a mouse would stumble over, as a
// list of {rule, where, what}. The rules are those of WCAG 2.2 that a program can judge.
(() => {
  const faults = [];
  const fault = (rule, element, what) => faults.push({rule, where: path(element), what});

  function path(element) {
    const parts = [];
    for (let at = element; at && at !== document.documentElement && parts.length < 4; at = at.parentElement) {
      let name = at.localName;
      if (at.id) name += "#" + at.id;
      else if (at.getAttribute("class")) name += "." + at.getAttribute("class").trim().split(/\s+/).join(".");
      parts.unshift(name);
    }
    return parts.join(" > ");
  }

  const shown = (element) => element.checkVisibility({opacityProperty: true, visibilityProperty: true}) && !clipped(element);

  // Text for screen readers alone is clipped to a pixel.
  function clipped(element) {
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const box = at.getBoundingClientRect();
      if (getComputedStyle(at).overflow === "hidden" && box.width <= 1 && box.height <= 1) return true;
    }
    return false;
  }

  function named(element) {
    const by = (element.getAttribute("aria-labelledby") ?? "").split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? "").join("");
    const title = element.querySelector(":scope > title")?.textContent ?? "";
    return (by + (element.getAttribute("aria-label") ?? "") + title).trim() !== "";
  }

  function page() {
    if (!document.documentElement.lang) fault("language", document.documentElement, "the page names no language");
    if (!document.title.trim()) fault("title", document.documentElement, "the page has no title");
    if (document.querySelectorAll("main").length !== 1) fault("landmark", document.body, "the page has not exactly one main");
    if (!document.querySelector("header, [role=banner]")) fault("landmark", document.body, "the page has no header");
    const ids = new Set();
    for (const element of document.querySelectorAll("[id]")) {
      if (ids.has(element.id)) fault("id", element, "the id is there twice");
      ids.add(element.id);
    }
    for (const name of ["for", "aria-labelledby", "aria-describedby", "aria-controls", "list"]) {
      for (const element of document.querySelectorAll(`[${name}]`)) {
        for (const id of element.getAttribute(name).split(/\s+/)) {
          if (!document.getElementById(id)) fault("reference", element, `${name} names ${id}, which is not there`);
        }
      }
    }
    for (const element of document.querySelectorAll("[tabindex]")) {
      if (element.tabIndex > 0) fault("order", element, "tabindex is over 0");
    }
    const outside = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = outside.nextNode(); text; text = outside.nextNode()) {
      const around = text.parentElement;
      if (text.data.trim() && shown(around) && !around.closest("main, header, nav, footer, aside, dialog, [role=region], [role=status], [role=alert], script, style, noscript, a[href^='#']")) {
        fault("landmark", around, `"${text.data.trim().slice(0, 40)}" is in no landmark`);
      }
    }
  }

  function headings() {
    const all = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter((h) => h.checkVisibility());
    const first = all.filter((h) => h.localName === "h1" && !h.closest("dialog"));
    if (first.length !== 1) fault("heading", document.body, `there are ${first.length} headings of the first level`);
    let before = 0;
    for (const h of all) {
      const level = Number(h.localName[1]);
      if (level > before + 1 && !h.closest("dialog")) fault("heading", h, `a heading of level ${level} follows one of level ${before}`);
      if (!h.textContent.trim()) fault("heading", h, "the heading is empty");
      before = level;
    }
  }

  function pictures() {
    for (const image of document.querySelectorAll("img")) {
      if (!image.hasAttribute("alt")) fault("picture", image, "the image has no alt");
    }
    for (const svg of document.querySelectorAll("svg")) {
      if (svg.closest("[aria-hidden=true]") || svg.parentElement.closest("svg, [role=img]")) continue;
      if (svg.getAttribute("role") !== "img" && svg.getAttribute("role") !== "group") fault("picture", svg, "the drawing is neither an image nor hidden from screen readers");
      else if (!named(svg)) fault("picture", svg, "the drawing has no name");
    }
  }

  function fields() {
    for (const field of document.querySelectorAll("input:not([type=hidden]):not([type=submit]):not([type=button]), select, textarea")) {
      const label = [...(field.labels ?? [])].map((l) => l.textContent).join("").trim();
      if (!label && !named(field)) fault("label", field, "the field has no label");
    }
  }

  function tables() {
    for (const table of document.querySelectorAll("table:not([role=presentation])")) {
      if (!table.caption?.textContent.trim() && !named(table)) fault("table", table, "the table has no caption");
      if (!table.querySelector("th")) fault("table", table, "the table has no header cells");
      for (const th of table.querySelectorAll("th")) {
        if (!th.scope) fault("table", th, "the header cell does not say of what");
        if (!th.textContent.trim() && !named(th)) fault("table", th, "the header cell is empty");
      }
    }
  }

  // Colours in whatever notation, as [r, g, b, a] with a from 0 to 1.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const known = new Map();
  function rgba(colour) {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  }
  const over = (top, bottom, alpha = top[3]) => [0, 1, 2].map((i) => top[i] * alpha + bottom[i] * (1 - alpha)).concat(1);

  // What is behind an element: the page's canvas, and on it each ancestor's colour.
  function behind(element) {
    let colour = document.documentElement.matches("*") && matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
    const chain = [];
    for (let at = element; at; at = at.parentElement) chain.unshift(at);
    for (const at of chain) colour = over(rgba(getComputedStyle(at).backgroundColor), colour);
    return colour;
  }

  function luminance(colour) {
    const [r, g, b] = colour.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function contrast(a, b) {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  }

  function opacity(element) {
    let all = 1;
    for (let at = element; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
    return all;
  }

  function colours() {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const seen = new Set();
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      const element = text.parentElement;
      if (!text.data.trim() || seen.has(element) || !shown(element) || element.closest("script, style, noscript, title, desc, :disabled")) continue;
      seen.add(element);
      const style = getComputedStyle(element);
      const ink = rgba(element instanceof SVGElement ? style.fill : style.color);
      const ground = behind(element);
      const ratio = contrast(over(ink, ground, ink[3] * opacity(element)), ground);
      const size = parseFloat(style.fontSize);
      const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
      if (ratio < needed) fault("contrast", element, `"${text.data.trim().slice(0, 30)}" has ${ratio.toFixed(2)} of ${needed}`);
    }
  }

  // A target is at least 24 pixels wide and high, or so far from others that a circle of
  // 24 pixels around its middle meets none of theirs. Links within a sentence may be smaller.
  function targets() {
    const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button]")].filter(shown);
    const middle = (b) => [(b.left + b.right) / 2, (b.top + b.bottom) / 2];
    const small = (b) => b.width < 23.5 || b.height < 23.5;
    const boxes = all.map((element) => element.getBoundingClientRect());
    all.forEach((element, i) => {
      const box = boxes[i];
      if (!small(box) || inSentence(element)) return;
      const [x, y] = middle(box);
      const near = boxes.findIndex((other, j) => {
        if (j === i || all[j].contains(element) || element.contains(all[j])) return false;
        const [ox, oy] = middle(other);
        if (small(other)) return Math.hypot(ox - x, oy - y) < 24;
        return Math.hypot(Math.max(other.left - x, 0, x - other.right), Math.max(other.top - y, 0, y - other.bottom)) < 12;
      });
      if (near >= 0) fault("target", element, `it is ${Math.round(box.width)} × ${Math.round(box.height)} pixels, and ${path(all[near])} is near`);
    });
  }

  function inSentence(element) {
    if (!getComputedStyle(element).display.startsWith("inline")) return false;
    return [...element.parentElement.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim().length > 1);
  }

  function width() {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return;
    const widest = [...document.body.querySelectorAll("*")].filter(shown).sort((a, b) => b.getBoundingClientRect().right - a.getBoundingClientRect().right)[0];
    fault("width", widest ?? document.body, `the page is ${root.scrollWidth} pixels wide on a screen of ${root.clientWidth}`);
  }

  page();
  headings();
  pictures();
  fields();
  tables();
  colours();
  targets();
  width();
  return faults;
})()
