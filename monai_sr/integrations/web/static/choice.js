// The second step: which network, how fine, how crisp.

const byId = (id) => document.getElementById(id);

// DICOM's modality -> that of the bundles' cards.
const ALIKE = { MR: "MR", OPT: "OCT", DX: "DX", CR: "DX" };

let offers = [];

/** Fill the form with what the server offers. */
export function prepare(offered) {
  offers = offered;
  const labels = new Map(offers.map(({ modality, label }) => [modality, label]));
  byId("modalities").replaceChildren(...[...labels].map(([value, text]) => radio("modality", value, [text])));
  byId("modalities").addEventListener("change", showBundles);
  byId("bundles").addEventListener("change", showScales);
}

/** Show the form for what was found in the upload. */
export function suggest(found) {
  const modality = found[0].modality;
  const known = offers.some((offer) => offer.modality === ALIKE[modality]);
  check("modality", known ? ALIKE[modality] : offers[0].modality);
  const hint = byId("modality-hint");
  hint.hidden = known || !modality;
  hint.textContent = `None of these was trained on ${modality} images: the result may be poor.`;
  sizes = new Set(found.map(({ rows, columns }) => `${rows},${columns}`));
  showBundles();
}

/** What is chosen, for the server. */
export function chosen() {
  const { bundle, scale } = Object.fromEntries(new FormData(byId("form")));
  const alpha = Number(byId("alpha").value);
  // The crisp end is the bundle itself, not a mixture.
  return { bundle, scale_factor: Number(scale), alpha: byId("dial").hidden || alpha === 1 ? null : alpha };
}

let sizes = new Set();

const checked = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;

function check(name, value) {
  for (const input of document.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === value;
}

function showBundles() {
  const shown = offers.filter(({ modality }) => modality === checked("modality"));
  byId("bundles").replaceChildren(
    ...shown.map(({ name, mixes, description }) =>
      radio("bundle", name, [
        element("span", {}, [element("strong", {}, [name]), element("span", { className: "tag" }, [mixes ? "crisp" : "faithful"])]),
        element("span", { className: "hint" }, [description]),
      ]),
    ),
  );
  check("bundle", shown[0].name);
  showScales();
}

function showScales() {
  const offer = offers.find(({ name }) => name === checked("bundle"));
  const before = checked("scale");
  byId("scales").replaceChildren(...offer.scale_factors.map((scale) => radio("scale", String(scale), [label(scale)])));
  check("scale", offer.scale_factors.map(String).includes(before) ? before : String(offer.scale_factors[0]));
  byId("dial").hidden = !offer.mixes;
}

function label(scale) {
  if (sizes.size !== 1) return `×${scale}`;
  const [rows, columns] = [...sizes][0].split(",").map(Number);
  return `×${scale}, to ${rows * scale} × ${columns * scale}`;
}

function radio(name, value, content) {
  return element("label", {}, [element("input", { type: "radio", name, value }), ...content]);
}

function element(name, properties, content = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...content);
  return made;
}
