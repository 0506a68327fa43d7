// deck.gl has no lasso: one would have to be written, as for our own layer.
import { load } from "./load.js";

export async function create(element, { x, y, codes, palette, n }) {
  await load("deck.min.js");
  const { Deck, OrthographicView, ScatterplotLayer } = deck;
  const positions = new Float32Array(2 * n);
  for (let row = 0; row < n; row++) positions.set([x[row], y[row]], 2 * row);
  const inks = palette.map((color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
  const layer = (chosen) => {
    const colors = new Uint8Array(4 * n);
    for (let row = 0; row < n; row++) colors.set([...inks[chosen[row]], 215], 4 * row);
    return new ScatterplotLayer({
      id: "clips",
      data: {
        length: n,
        attributes: { getPosition: { value: positions, size: 2 }, getFillColor: { value: colors, size: 4 } },
      },
      getRadius: 2.5,
      radiusUnits: "pixels",
    });
  };
  const side = Math.log2(Math.min(element.clientWidth, element.clientHeight));
  const viewState = (cx, cy, zoom) => ({ target: [cx, cy, 0], zoom: side + Math.log2(zoom) });
  let drawn;
  const first = new Promise((done) => (drawn = done));
  const view = new Deck({
    parent: element,
    width: "100%",
    height: "100%",
    views: new OrthographicView({ flipY: false }),
    viewState: viewState(0.5, 0.5, 1),
    layers: [layer(codes)],
    onAfterRender: () => drawn(),
  });
  await first;
  return {
    recolor: (chosen) => view.setProps({ layers: [layer(chosen)] }),
    look: (cx, cy, zoom) => view.setProps({ viewState: viewState(cx, cy, zoom) }),
    onLasso() {},
  };
}
