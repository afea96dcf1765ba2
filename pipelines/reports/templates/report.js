"use strict";
(() => {
  const drawn = JSON.parse(document.getElementById("drawn").textContent).windows;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const config = { displayModeBar: false, responsive: true, scrollZoom: false };

  const layout = (more) => {
    const axis = { gridcolor: color("line"), zerolinecolor: color("line"), linecolor: color("line"), automargin: true };
    return {
      margin: { l: 8, r: 8, t: 8, b: 8 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: color("soft"), size: 12, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { bgcolor: color("card"), bordercolor: color("line"), font: { color: color("ink") } },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      hovermode: "x unified",
      // On a phone a finger on a picture means scrolling the page.
      dragmode: touch ? false : "zoom",
      ...more,
      xaxis: { ...axis, showgrid: false, fixedrange: touch, ...more.xaxis },
      yaxis: { ...axis, fixedrange: true, nticks: 6, ...more.yaxis },
    };
  };

  const line = (lines, key, name, shade, dash, format) => ({
    x: lines.time, y: lines[key], name, mode: "lines", type: "scatter",
    line: { color: color(shade), width: key === "account" ? 2 : 1.3, dash },
    hovertemplate: format,
  });

  const pair = (lines, format) => [
    line(lines, "held", "holding", "held", "dot", format),
    line(lines, "account", "account", "account", "solid", format),
  ];

  // Plotly's own ticks of a narrow logarithmic axis are digits without their thousands.
  const steps = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (low <= 0) return { type: "log" };
    const sizes = high / low > 30 ? [1, 3] : high / low > 4 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      ticks.push(...sizes.map((size) => size * 10 ** power));
    }
    return { type: "log", tickmode: "array", tickvals: ticks, ticktext: ticks.map(written) };
  };
  const written = (value) => new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(value);

  const marks = (orders, name, symbol, below) => ({
    type: "scatter", mode: "markers+text", name, x: orders.time, y: orders.price,
    text: orders.time.map(() => name), textposition: below ? "bottom center" : "top center",
    textfont: { color: color("ink"), size: 12 },
    marker: { symbol, size: 13, color: color("ink"), line: { color: color("card"), width: 1.5 } },
    hovertemplate: `${name} %{y:,.6~g}<extra></extra>`,
  });

  const draw = {
    price: (all, panel, picture) => {
      const of = all.prices[Number(picture.dataset.number)];
      const [opened, closed] = [Math.min(...of.entries.time), Math.max(...of.exits.time)];
      // Room for the words below and above the outermost marks.
      const [low, high] = [Math.min(...of.low, ...of.entries.price, ...of.exits.price), Math.max(...of.high, ...of.entries.price, ...of.exits.price)];
      const room = (high - low || high) * 0.12;
      const side = (shade, fill) => ({ line: { color: color(shade), width: 1 }, fillcolor: fill });
      return [
        [
          {
            type: "candlestick", name: "price", x: of.time, open: of.open, high: of.high, low: of.low, close: of.close,
            increasing: side("account", color("card")), decreasing: side("held", color("held")), hoverinfo: "x+y",
          },
          marks(of.entries, of.short ? "sell" : "buy", of.short ? "triangle-down" : "triangle-up", !of.short),
          marks(of.exits, of.short ? "buy" : "sell", of.short ? "triangle-up" : "triangle-down", of.short),
        ],
        layout({
          hovermode: "closest", showlegend: false,
          xaxis: { type: "date", rangeslider: { visible: false }, nticks: 4 },
          yaxis: { tickformat: ",.5~g", nticks: 5, range: [low - room, high + room] },
          shapes: [{ type: "rect", xref: "x", yref: "paper", x0: opened, x1: closed, y0: 0, y1: 1, layer: "below", line: { width: 0 }, fillcolor: `rgba(${color("won")}, .1)` }],
        }),
      ];
    },
    equity: (of, panel) => [
      pair(of.equity, "%{y:,.4~g}"),
      layout({
        xaxis: { type: "date" },
        yaxis: panel.querySelector(".log").checked ? steps([...of.equity.account, ...of.equity.held]) : { tickformat: "~s" },
      }),
    ],
    drawdown: (of) => {
      const [held, account] = pair(of.drawdown, "%{y:.1f} %");
      const limit = of.limit === null ? [] : [{
        type: "line", xref: "paper", x0: 0, x1: 1, y0: of.limit, y1: of.limit,
        line: { color: color("failed"), width: 1.5, dash: "dash" },
      }];
      return [
        [held, { ...account, fill: "tozeroy", fillcolor: `rgba(${color("won")}, .15)` }],
        layout({ xaxis: { type: "date" }, yaxis: { ticksuffix: " %", rangemode: "tozero" }, shapes: limit }),
      ];
    },
    trades: (of) => {
      const bars = (won) => {
        const kept = of.trades.middle.map((_, n) => n).filter((n) => of.trades.middle[n] > 0 === won);
        return {
          type: "bar", name: won ? "won" : "lost",
          x: kept.map((n) => of.trades.middle[n]), y: kept.map((n) => of.trades.count[n]),
          width: of.trades.width * 0.92,
          marker: { color: color(won ? "account" : "held"), pattern: { shape: won ? "" : "/", size: 5, solidity: 0.35 } },
          hovertemplate: "%{y} trades",
        };
      };
      return [
        [bars(false), bars(true)],
        layout({ xaxis: { ticksuffix: " %", hoverformat: ".1f" }, yaxis: { tickformat: ",d", rangemode: "tozero" }, barmode: "overlay" }),
      ];
    },
  };

  const paint = (panel) => {
    for (const picture of panel.querySelectorAll(".picture")) {
      const [traces, shape] = draw[picture.dataset.draw](drawn[panel.id], panel, picture);
      Plotly.react(picture, traces, shape, config);
    }
  };

  const visible = () => [...document.querySelectorAll(".panel:not([hidden])")];

  const choose = (tab) => {
    for (const other of tab.parentElement.children) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
    paint(document.getElementById(tab.getAttribute("aria-controls")));
  };

  for (const tabs of document.querySelectorAll(".tabs")) {
    tabs.addEventListener("click", (event) => event.target.role === "tab" && choose(event.target));
    tabs.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const all = [...tabs.children];
      const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
      next.focus();
      choose(next);
    });
    choose(tabs.querySelector('[aria-selected="true"]'));
  }
  for (const box of document.querySelectorAll(".log")) {
    box.addEventListener("change", () => paint(box.closest(".panel")));
  }
  dark.addEventListener("change", () => visible().forEach(paint));
})();
