// Runs one candidate and tells what it took. `?library=…&n=…`; the figures lie in `window.figures`.

const query = new URLSearchParams(location.search);
const n = Number(query.get("n"));
const element = document.getElementById("plot");
const PALETTE = [
  "#0072b2",
  "#d98a00",
  "#009e73",
  "#d55e00",
  "#cc79a7",
  "#3fa2dc",
  "#a89a00",
  "#33373d",
  "#882255",
  "#2f9488",
];
const N_FRAMES = 60;

const frame = () => new Promise((done) => requestAnimationFrame(done));
const drawn = async () => {
  await frame();
  await frame(); // the first frame is on the screen when the second begins
};

function makeClips() {
  let seed = 1;
  const random = () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  const bell = () => random() + random() + random() - 1.5;
  const middles = Array.from({ length: 40 }, () => [0.15 + 0.7 * random(), 0.15 + 0.7 * random()]);
  const [x, y, codes] = [new Float32Array(n), new Float32Array(n), new Uint8Array(n)];
  for (let row = 0; row < n; row++) {
    const [mx, my] = middles[row % 40];
    x[row] = mx + 0.04 * bell();
    y[row] = my + 0.04 * bell();
    codes[row] = row % 10;
  }
  return { x, y, codes, palette: PALETTE, n };
}

const clips = makeClips();
const { create } = await import(`./${query.get("library")}.js`);
const plot = await create(element, clips);
await drawn();
const figures = { first_paint_ms: performance.now() };

const recolored = [];
for (let turn = 1; turn <= 5; turn++) {
  const codes = clips.codes.map((code) => (code + turn) % 10);
  const began = performance.now();
  await plot.recolor(codes);
  await drawn();
  recolored.push(performance.now() - began);
}
figures.recolor_ms = recolored.sort((a, b) => a - b)[2];

for (const [name, act] of [
  ["pan", (step) => plot.look(0.5 + 0.1 * Math.sin(step / 5), 0.5, 1.5)],
  ["zoom", (step) => plot.look(0.5, 0.5, 1 + step / 12)],
]) {
  const times = [];
  await drawn();
  for (let step = 0; step < N_FRAMES; step++) {
    const began = performance.now();
    await act(step);
    await frame();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  figures[`${name}_frame_ms`] = times[N_FRAMES / 2];
  figures[`${name}_worst_ms`] = times.at(-1);
}
plot.look(0.5, 0.5, 1);
await drawn();
plot.onLasso((count) => {
  figures.lassoed = count;
  figures.lasso_ms = performance.now() - window.released;
});
addEventListener("pointerup", () => (window.released = performance.now()), { capture: true });
addEventListener("mouseup", () => (window.released ??= performance.now()), { capture: true });
window.figures = figures;
document.body.dataset.ready = "yes";
