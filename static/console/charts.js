// Stacked bars over time. A canvas with data-chart draws what the JSON in the element "<its id>-data" says, and again
// whenever htmx has put new JSON there; a click on a bar leads to the list behind it.
"use strict";

(() => {
  const drawn = new Map();

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return {
      good: of("--console-good"),
      plain: of("--console-accent"),
      warning: of("--console-warning"),
      bad: of("--console-bad"),
      text: of("--console-subtle"),
      line: of("--console-line"),
    };
  }

  function dataOf(canvas) {
    const script = document.querySelector(`#${canvas.id}-data script`);
    return script ? JSON.parse(script.textContent) : null;
  }

  function fill(chart, data) {
    const palette = colours();
    chart.data.labels = data.labels;
    chart.data.datasets = data.series.map((series) => ({
      label: series.label,
      data: series.values,
      backgroundColor: palette[series.tone],
      hoverBackgroundColor: palette[series.tone],
      borderRadius: 2,
      maxBarThickness: 28,
    }));
    chart.urls = data.urls;
    chart.options.plugins.legend.display = data.series.length > 1;
    chart.options.plugins.legend.labels.color = palette.text;
    for (const axis of Object.values(chart.options.scales)) {
      axis.ticks.color = palette.text;
      axis.grid.color = palette.line;
    }
    chart.update("none");
  }

  function draw(canvas) {
    const data = dataOf(canvas);
    if (!data) return;
    let chart = drawn.get(canvas);
    if (!chart) {
      chart = new Chart(canvas, {
        type: "bar",
        data: { labels: [], datasets: [] },
        options: {
          animation: false,
          maintainAspectRatio: false,
          interaction: { mode: "index", intersect: false },
          plugins: { legend: { position: "bottom", labels: { boxWidth: 12, boxHeight: 12 } }, tooltip: { enabled: true } },
          scales: {
            x: { stacked: true, grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 12 } },
            y: { stacked: true, beginAtZero: true, grid: {}, ticks: { precision: 0, maxTicksLimit: 5 } },
          },
          onClick: (event, _hit, clicked) => {
            const [hit] = clicked.getElementsAtEventForMode(event, "index", { intersect: false }, true);
            const url = hit && clicked.urls && clicked.urls[hit.index];
            if (url && url.startsWith("/")) window.location.assign(url);
          },
        },
      });
      drawn.set(canvas, chart);
    }
    fill(chart, data);
  }

  function drawAll() {
    for (const canvas of document.querySelectorAll("canvas[data-chart]")) draw(canvas);
  }

  document.addEventListener("DOMContentLoaded", () => {
    drawAll();
    // Light and dark are a class of the root element.
    new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["class"] });
  });
  document.addEventListener("htmx:oobAfterSwap", (event) => {
    const canvas = document.getElementById((event.target.id || "").replace(/-data$/, ""));
    if (canvas && canvas.matches("canvas[data-chart]")) draw(canvas);
  });
})();
