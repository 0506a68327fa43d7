// Mouse, pen, touch and keys on the map.
//
//   attachGestures(mapView, overlay, {
//     tool: () => "pan" | "lasso" | "box",
//     onHover(row, px, py)   the point under the pointer, or -1
//     onPick(row, how)       a click; row -1 is empty ground
//     onEnclose(polygon, how)  a finished lasso or box, in map units
//   })
// `how` is "replace", "add" (Shift) or "remove" (Alt). With the hand, a drag with Shift or Alt draws
// a lasso; with the other tools, the middle button moves the map.

import { boxBetween } from "./geometry.js";

const REACH_PX = 12;
const DRAG_PX = 4;
const PAN_STEP_PX = 60;

const howOf = (event) => (event.altKey ? "remove" : event.shiftKey ? "add" : "replace");

export function attachGestures(mapView, overlay, { tool, onHover, onPick, onEnclose }) {
  const { canvas } = mapView;
  const fingers = new Map(); // pointer → [x, y], for pinching
  let drag = null;

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  const outline = () => (drag.kind === "box" ? boxBetween(drag.path[0], drag.path.at(-1)) : drag.path);

  const show = (path) => overlay.setAttribute("points", path.map((point) => point.join(",")).join(" "));

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    const isPan = event.button === 1 || (tool() === "pan" && howOf(event) === "replace");
    const kind = isPan || fingers.size > 1 ? "pan" : tool() === "box" ? "box" : "lasso";
    drag = { kind, how: howOf(event), path: [at(event)], isMoved: false };
    if (event.button === 1) event.preventDefault();
  });

  canvas.addEventListener("pointermove", (event) => {
    const here = at(event);
    if (drag === null) return onHover(mapView.rowAt(...here, REACH_PX), ...here);
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    if (!drag.isMoved && Math.hypot(here[0] - drag.path[0][0], here[1] - drag.path[0][1]) < DRAG_PX) return;
    drag.isMoved = true;
    onHover(-1);
    if (fingers.size === 2) pinch(event.pointerId, before, here);
    else if (drag.kind === "pan") mapView.pan(here[0] - before[0], here[1] - before[1]);
    else {
      drag.path.push(here);
      show(outline());
    }
    fingers.set(event.pointerId, here);
  });

  const pinch = (id, before, here) => {
    const [other] = [...fingers].filter(([pointer]) => pointer !== id).map(([, place]) => place);
    const apart = (place) => Math.max(1, Math.hypot(place[0] - other[0], place[1] - other[1]));
    const middle = [(here[0] + other[0]) / 2, (here[1] + other[1]) / 2];
    mapView.pan((here[0] - before[0]) / 2, (here[1] - before[1]) / 2);
    mapView.zoom(apart(here) / apart(before), ...middle);
  };

  const finish = (event, isCancelled) => {
    if (!fingers.delete(event.pointerId) || drag === null || fingers.size > 0) return;
    const done = drag;
    const path = outline();
    drag = null;
    show([]);
    if (isCancelled) return;
    if (!done.isMoved) onPick(mapView.rowAt(...done.path[0], REACH_PX), done.how);
    else if (done.kind !== "pan")
      onEnclose(
        path.map(([px, py]) => mapView.toMap(px, py)),
        done.how,
      );
  };
  canvas.addEventListener("pointerup", (event) => finish(event, false));
  canvas.addEventListener("pointercancel", (event) => finish(event, true));
  canvas.addEventListener("pointerleave", () => onHover(-1));

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode === 1 ? 18 : event.deltaMode === 2 ? 400 : 1);
      mapView.zoom(Math.exp(-Math.max(-240, Math.min(240, pixels)) * 0.0022), ...at(event));
      onHover(-1);
    },
    { passive: false },
  );

  // A click takes the focus from where one types, and leaves the arrows to the inspector.
  canvas.addEventListener("mousedown", (event) => {
    event.preventDefault();
    document.activeElement?.blur();
  });

  const middle = () => [mapView.size.width / 2, mapView.size.height / 2];
  mapView.addEventListener("view", () => {
    if (canvas.matches(":focus-visible")) onHover(mapView.rowAt(...middle(), REACH_PX), ...middle());
  });
  canvas.addEventListener("blur", () => onHover(-1));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    const shift = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (shift) mapView.pan(...shift.map((step) => step * PAN_STEP_PX));
    else if (event.key === "Enter") onPick(mapView.rowAt(...middle(), Infinity), howOf(event));
    else if (event.key === "Escape" && drag) {
      drag = null;
      fingers.clear();
      show([]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
