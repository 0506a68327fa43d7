// Colors that color-blind people can tell apart, in a light and a dark version.
//
// Categories: the first eight are those of Okabe & Ito (2008), moved until each stands out from the
// background (their yellow is no use on white) and every pair is as far apart, for eyes without red,
// green or blue cones, as theirs are; the others differ for most eyes. Numbers: viridis, with the
// end that stands out for high values: yellow on dark, violet on light.

const CATEGORIES = {
  light: [
    "#10659d",
    "#c8340a",
    "#0a9c94",
    "#ad854f",
    "#ef69ba",
    "#51abfe",
    "#82b706",
    "#1e191d",
    "#882255",
    "#d98a00",
    "#5b3fa8",
    "#117733",
    "#7b8794",
    "#7a3b10",
    "#aa4fd0",
    "#8a8a1c",
    "#000a8c",
    "#0000fa",
    "#00461e",
    "#506efa",
    "#46005a",
    "#fa00fa",
    "#7800fa",
    "#5a0000",
  ],
  dark: [
    "#5f71da",
    "#fa910a",
    "#0bca91",
    "#d46101",
    "#c196e7",
    "#abdcfe",
    "#ffd507",
    "#f4f6e4",
    "#e2679c",
    "#3fa7c4",
    "#b9a36a",
    "#66b84a",
    "#9aa7b5",
    "#f2a08c",
    "#d863e0",
    "#a8c832",
    "#00fa00",
    "#6e825a",
    "#78fab4",
    "#fa0046",
    "#009600",
    "#9678a0",
    "#a050fa",
    "#fabefa",
  ],
};
const MISSING = { light: "#b4bac2", dark: "#4b545e" };
const VIRIDIS = [
  "#440154",
  "#482475",
  "#414487",
  "#355f8d",
  "#2a788e",
  "#21918c",
  "#22a884",
  "#44bf70",
  "#7ad151",
  "#bddf26",
  "#fde725",
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
