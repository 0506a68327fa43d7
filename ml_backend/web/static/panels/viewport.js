// Viewport: which rows of a long list are in sight, and where to scroll. Pure functions.

/** Find the rows to draw: those in sight and some beyond, from `first` up to but without `end`. */
export function rowsInSight(scrollTop, height, rowHeight, nRows, nBeyond = 8) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - nBeyond);
  const end = Math.min(nRows, Math.ceil((scrollTop + height) / rowHeight) + nBeyond);
  return { first: Math.min(first, end), end };
}

/** Find the nearest scroll position that shows a row whole. */
export function scrollToRow(row, scrollTop, height, rowHeight) {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  return Math.max(scrollTop, top + rowHeight - height);
}

/** Move a place by a key; null where the key moves nothing. */
export function moveByKey(key, place, nRows, nPerPage) {
  const places = {
    ArrowUp: place - 1,
    ArrowDown: place + 1,
    PageUp: place - nPerPage,
    PageDown: place + nPerPage,
    Home: 0,
    End: nRows - 1,
  };
  if (!(key in places) || nRows === 0) return null;
  return Math.max(0, Math.min(nRows - 1, places[key]));
}

/** Select as lists do: a click takes one, Ctrl adds or takes away, Shift takes all from the anchor.
 *
 * `ids` are all ids in the list's order, `selected` those selected before; sorted ids come back.
 */
export function select(ids, selected, place, anchor, { isShift = false, isCtrl = false } = {}) {
  let chosen;
  if (isShift && anchor >= 0) {
    const range = ids.slice(Math.min(anchor, place), Math.max(anchor, place) + 1);
    chosen = new Set(isCtrl ? [...selected, ...range] : range);
  } else if (isCtrl) {
    chosen = new Set(selected);
    if (!chosen.delete(ids[place])) chosen.add(ids[place]);
  } else {
    chosen = new Set([ids[place]]);
  }
  return [...chosen].sort((a, b) => a - b);
}
