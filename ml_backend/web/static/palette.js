// Colors that color-blind people can tell apart, in a light and a dark version.
//
// Categories: Okabe & Ito (2008), then Tol's "muted" set; each is shifted until it stands out from
// the background (the yellow is no use on white, nor the indigo on black). Numbers: viridis, with
// the end that stands out for high values: yellow on dark, violet on light.

const CATEGORIES = {
  light: [
    "#0072b2", "#d98a00", "#009e73", "#d55e00", "#cc79a7", "#3fa2dc", "#a89a00", "#33373d",
    "#882255", "#2f9488", "#332288", "#86862a", "#aa4499", "#7a3b10", "#5b86bd", "#117733",
  ],
  dark: [
    "#3d9be0", "#e69f00", "#1fc495", "#f0793a", "#e39ac2", "#7cc8f5", "#f0e442", "#d5dae0",
    "#e2679c", "#57c4b5", "#8f83ea", "#b9b94a", "#cf73c4", "#cf8f62", "#8fb4e2", "#52b873",
  ],
};
const MISSING = { light: "#b4bac2", dark: "#525c67" };
const VIRIDIS = [
  "#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c",
  "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725",
].map(rgb);
const RANGE = { light: [0.82, 0], dark: [0.24, 1] }; // of viridis, from low to high values
const RAMP_STEPS = 256;

/** How many categories have a color of their own; further ones share. */
export const N_CATEGORIES = CATEGORIES.light.length;

/** Color of a category by its number, as [r, g, b] in 0…255; negative = missing. */
export function categoryColor(number, theme) {
  return rgb(number < 0 ? MISSING[theme] : CATEGORIES[theme][number % N_CATEGORIES]);
}

/** Color of a number scaled to 0…1; NaN = missing. */
export function numberColor(value, theme) {
  if (Number.isNaN(value)) return rgb(MISSING[theme]);
  const [low, high] = RANGE[theme];
  const at = (low + (high - low) * Math.min(1, Math.max(0, value))) * (VIRIDIS.length - 1);
  const left = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[left].map((channel, i) => Math.round(channel + (VIRIDIS[left + 1][i] - channel) * (at - left)));
}

/** 256 colors from low to high, as bytes RGB RGB …, for painting many points. */
export function ramp(theme) {
  return Uint8Array.from(
    Array.from({ length: RAMP_STEPS }, (_, step) => numberColor(step / (RAMP_STEPS - 1), theme)).flat(),
  );
}

/** "#rrggbb" of [r, g, b]. */
export const hex = (color) => `#${color.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;

/** [r, g, b] of "#rrggbb". */
export function rgb(text) {
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
}

/** Contrast of two colors after WCAG 2.2: 1 (none) … 21. */
export function contrast(a, b) {
  const [lighter, darker] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(color) {
  const [r, g, b] = color.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
