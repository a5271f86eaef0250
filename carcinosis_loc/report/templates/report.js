"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector) => document.querySelectorAll(selector);
  const figures = (value) => value.toLocaleString("en");

  const holder = byId("levels");
  const page = holder ? JSON.parse(holder.textContent) : null;

  // Key frames: the slider moves over the levels, so that a key press is one level and counts are exact.
  const slider = byId("threshold");
  if (slider && page) {
    const { levels, total, noun } = page;
    const probability = (score) => {
      if (levels.slope === null) return "";
      const kept = Math.min(Math.max(score, 1e-6), 1 - 1e-6);
      const logit = levels.slope * Math.log(kept / (1 - kept)) + levels.offset;
      return ` (probability ${(1 / (1 + Math.exp(-logit))).toFixed(2)})`;
    };
    const show = () => {
      const level = Number(slider.value);
      const score = levels.scores[level];
      for (const content of all(".gallery g.content")) {
        let count = 0;
        for (const point of content.querySelectorAll("g.p")) {
          const counts = Number(point.dataset.s) >= score;
          point.setAttribute("visibility", counts ? "inherit" : "hidden");
          count += counts ? 1 : 0;
        }
        for (const place of all(`[data-count="${content.id}"]`)) place.textContent = count;
        for (const place of all(`[data-about="${content.id}"]`)) place.textContent = `${count} points that count, as yellow circles`;
      }
      const text = score.toFixed(3) + probability(score);
      byId("threshold-now").textContent = text;
      slider.setAttribute("aria-valuetext", "score " + text);
      byId("threshold-total").textContent =
        `${figures(levels.frames[level])} of ${figures(total)} ${noun} have a point, the median has ${figures(levels.medians[level])}.`;
    };
    slider.addEventListener("input", show);
    byId("threshold-reset").addEventListener("click", () => { slider.value = levels.start; show(); });
    byId("show-points").addEventListener("change", (event) => document.body.classList.toggle("no-points", !event.target.checked));
    show();
  }

  // Test: which kinds of marks are drawn.
  for (const box of all("input.kind")) {
    box.addEventListener("change", () => byId("gallery").classList.toggle("hide-" + box.value, !box.checked));
  }

  for (const button of all("button.enlarge")) {
    button.addEventListener("click", () => {
      const wide = button.closest("figure").classList.toggle("wide");
      button.setAttribute("aria-pressed", String(wide));
      button.textContent = wide ? "make small" : "enlarge";
    });
  }

  // The sheet: the sum of what the surgeon entered, once all of it is.
  const sheet = byId("sheet");
  if (sheet && page) {
    const items = [...all("fieldset.item")].map((item) => item.dataset.item);
    const sum = () => {
      const entered = items.map((name) => sheet.querySelector(`input[name="${name}"]:checked`)).filter(Boolean);
      const output = byId("index");
      const complete = entered.length === items.length;
      output.dataset.state = complete ? "complete" : "incomplete";
      if (!complete) {
        output.textContent = `Incomplete: ${entered.length} of ${items.length} items entered.`;
        return;
      }
      const index = entered.reduce((total, input) => total + Number(input.value), 0);
      const against = page.cut_offs.map((value) => `${index >= value ? "at or above" : "below"} the cut-off ${value}`);
      output.textContent = `Predictive index ${index} of ${2 * items.length}, from the values entered above: ${against.join(", ")}.`;
    };
    // The case stands again beside the signature: on paper that may be another page.
    const again = () => { byId("case-again").textContent = byId("case-id").value; };
    const update = () => { sum(); again(); };
    sheet.addEventListener("input", update);
    sheet.addEventListener("change", update);
    sheet.addEventListener("reset", () => setTimeout(update, 0));
    sheet.addEventListener("submit", (event) => event.preventDefault());
    update();
  }
})();
