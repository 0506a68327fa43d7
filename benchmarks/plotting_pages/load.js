/** Load a classic script of the folder of libraries. */
export function load(name) {
  return new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = `/libraries/${name}`;
    script.addEventListener("load", done);
    script.addEventListener("error", () => fail(new Error(`${name} cannot be loaded`)));
    document.head.append(script);
  });
}
