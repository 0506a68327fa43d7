// Draws the points: one WebGL2 program, one draw call. benchmarks/plotting.py compares it with
// libraries, which are slower here, ten to two hundred times as large, and mostly need a looser
// Content-Security-Policy.
//
//   const points = new Points(canvas)         throws where there is no WebGL2
//   points.place(from, to)                    Float32Array(2n) each, map units
//   points.paint(colors)                      Uint8Array(4n), RGBA
//   points.mark(marks)                        Uint8Array(n), bits of MARK
//   points.draw(view, size, { moved, inks })  moved: 0 at `from` … 1 at `to`
//
// Faded points are drawn first and marked ones last, by an index that is sorted when marks change.

import { scaleOf } from "./camera.js";

export const MARK = { labeled: 1, selected: 2, faded: 4, focused: 8 };

// `edges`: where the point ends, the gap around it, the ring of a labeled clip, and the outline of a
// selected one. The gap keeps ring and outline apart from points of their own color.
const VERTEX = `#version 300 es
in vec2 from; in vec2 to; in vec4 color; in uint mark;
uniform vec2 middle, scale;
uniform float moved, diameter, outline, fade;
flat out vec4 paint;
flat out vec4 edges;
void main() {
  bool labeled = (mark & 1u) != 0u, selected = (mark & 2u) != 0u;
  bool faded = (mark & 4u) != 0u, focused = (mark & 8u) != 0u;
  float radius = 0.5 * diameter * (faded ? 0.7 : labeled ? 1.2 : 1.0);
  float ring = labeled && !faded ? max(1.2, 0.2 * diameter) : 0.0;
  float line = focused ? 2.6 * outline : selected ? 1.2 * outline : 0.0;
  float gap = 0.6 * max(ring, min(line, outline));
  edges = radius + vec4(0.0, gap, gap + ring, gap + ring + line);
  paint = vec4(color.rgb, faded && !focused ? fade : mark != 0u ? 1.0 : color.a);
  gl_Position = vec4((mix(from, to, moved) - middle) * scale, 0.0, 1.0);
  gl_PointSize = 2.0 * edges.w + 2.0;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
flat in vec4 paint;
flat in vec4 edges;
uniform vec3 ink, accent, ground;
out vec4 result;
void main() {
  float distance = length(gl_PointCoord - 0.5) * (2.0 * edges.w + 2.0);
  vec4 within = 1.0 - smoothstep(edges - 0.5, edges + 0.5, vec4(distance));
  vec3 color = mix(accent, mix(ink, mix(ground, paint.rgb, within.x), within.y), within.z);
  float alpha = within.w * paint.a;
  result = vec4(color * alpha, alpha);
}`;

const ATTRIBUTES = ["from", "to", "color", "mark"];
const UNIFORMS = ["middle", "scale", "moved", "diameter", "outline", "ink", "accent", "ground", "fade"];

export class Points {
  #canvas;
  #gl;
  #buffers;
  #uniforms;
  #kept = {}; // what was last uploaded, to start again when the context was lost

  constructor(canvas) {
    this.#canvas = canvas;
    this.#gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true });
    if (this.#gl === null) throw new Error("This browser shows no WebGL2, which the map needs.");
    this.#build();
  }

  get n() {
    return this.#kept.to ? this.#kept.to.length / 2 : 0;
  }

  place(from, to) {
    this.#upload("from", from);
    this.#upload("to", to);
  }

  paint(colors) {
    this.#upload("color", colors);
  }

  mark(marks) {
    this.#upload("mark", marks);
    const gl = this.#gl;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.#buffers.order);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, drawingOrder(marks), gl.DYNAMIC_DRAW);
  }

  /** Draw into the whole canvas; colors are [r, g, b] in 0…1. */
  draw(view, size, { moved = 1, ink, accent, ground, fade }) {
    const gl = this.#gl;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      Object.assign(this.#canvas, { width, height });
    }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (this.n === 0) return;
    const scale = scaleOf(view, size);
    gl.uniform2f(this.#uniforms.middle, view.x, view.y);
    gl.uniform2f(this.#uniforms.scale, (2 * scale) / size.width, (2 * scale) / size.height);
    gl.uniform1f(this.#uniforms.moved, moved);
    const diameter = diameterOf(this.n, view.zoom);
    gl.uniform1f(this.#uniforms.diameter, diameter * ratio);
    gl.uniform1f(this.#uniforms.outline, Math.max(1.25, 0.22 * diameter) * ratio);
    gl.uniform3fv(this.#uniforms.ink, ink);
    gl.uniform3fv(this.#uniforms.accent, accent);
    gl.uniform3fv(this.#uniforms.ground, ground);
    gl.uniform1f(this.#uniforms.fade, fade);
    gl.drawElements(gl.POINTS, this.n, gl.UNSIGNED_INT, 0);
  }

  /** Build everything again after the browser took the context away. */
  restore() {
    this.#build();
    const { from, to, color, mark } = this.#kept;
    if (!to) return;
    this.place(from, to);
    if (color) this.paint(color);
    if (mark) this.mark(mark);
  }

  #build() {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    for (const [place, name] of ATTRIBUTES.entries()) gl.bindAttribLocation(program, place, name);
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`The map cannot be drawn: ${gl.getProgramInfoLog(program)}`);
    }
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.#uniforms = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)]));
    this.#buffers = Object.fromEntries([...ATTRIBUTES, "order"].map((name) => [name, gl.createBuffer()]));
  }

  #upload(name, values) {
    const gl = this.#gl;
    const place = ATTRIBUTES.indexOf(name);
    this.#kept[name] = values;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(place);
    if (name === "mark") gl.vertexAttribIPointer(place, 1, gl.UNSIGNED_BYTE, 0, 0);
    else if (name === "color") gl.vertexAttribPointer(place, 4, gl.UNSIGNED_BYTE, true, 0, 0);
    else gl.vertexAttribPointer(place, 2, gl.FLOAT, false, 0, 0);
  }
}

/** Diameter of a point in CSS pixels: smaller where there are many, larger from near. */
function diameterOf(n, zoom) {
  const whole = Math.min(9, Math.max(2.4, 46 / n ** 0.235));
  return Math.min(16, whole * Math.max(zoom, 1) ** 0.3);
}

/** Rows in the order they are drawn: faded, plain, labeled, selected, focused. */
export function drawingOrder(marks) {
  const layerOf = (mark) =>
    mark & MARK.focused ? 4 : mark & MARK.faded ? 0 : mark & MARK.selected ? 3 : mark & MARK.labeled ? 2 : 1;
  const starts = new Uint32Array(6);
  for (const mark of marks) starts[layerOf(mark) + 1]++;
  for (let layer = 1; layer < 6; layer++) starts[layer] += starts[layer - 1];
  const order = new Uint32Array(marks.length);
  for (let row = 0; row < marks.length; row++) order[starts[layerOf(marks[row])]++] = row;
  return order;
}
