// What stands behind the `#` of an address, such as a long selection, reaches no server. Browsers take
// it along where they are led on: to this page by themselves, and from here if its ways on have it.

const { hash } = location;
const [form, goOn] = ["main form", "#go-on"].map((one) => document.querySelector(one));
if (hash) {
  form.action += hash;
  if (goOn) goOn.href += hash;
}
