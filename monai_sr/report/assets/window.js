// From real values to the colours of a screen, in the only place where depth is lost.

/** Gray of a value by a window: DICOM's LINEAR_EXACT (PS3.3 C.11.2.1.3.2), rounded half up. */
function gray(value, centre, width) {
  const share = (value - centre) / width + 0.5;
  if (!(share > 0)) return 0; // also what is no number
  return share >= 1 ? 255 : Math.floor(255 * share + 0.5);
}

const BRIGHTER = [255, 168, 60];
const DARKER = [88, 166, 255];

/** Colour of a difference: black for none, to full orange or blue at plus or minus `range` and beyond. */
function signedColour(difference, range) {
  const share = Math.min(Math.abs(difference) / range, 1) || 0;
  return (difference > 0 ? BRIGHTER : DARKER).map((full) => Math.floor(full * share + 0.5));
}

const opaque = (red, green, blue) => 0xff000000 | (blue << 16) | (green << 8) | red;

/** Paint one image pixel for pixel, by the window. */
function paintGray(pixels, picture, { centre, width, inverted }) {
  for (let i = 0; i < pixels.length; i++) {
    const level = gray(picture.real(i), centre, width);
    const shown = inverted ? 255 - level : level;
    pixels[i] = opaque(shown, shown, shown);
  }
}

/** Paint the first image minus the second, pixel for pixel. */
function paintDifference(pixels, first, second, range) {
  // Colours go by 256 steps to each side, looked up, since there are millions of pixels.
  const steps = Array.from({ length: 513 }, (_, step) => opaque(...signedColour((step - 256) / 256, 1)));
  for (let i = 0; i < pixels.length; i++) {
    const share = (first.real(i) - second.real(i)) / range;
    pixels[i] = steps[256 + Math.max(-256, Math.min(256, Math.round(share * 256) || 0))];
  }
}

const HEAT = [[0, 0, 0], [110, 30, 115], [235, 100, 35], [255, 250, 165]];
const VALUELESS = opaque(72, 76, 82);

/** Colour between black, at 0, and the brightest of a map, at 1. */
function heat(share) {
  const place = Math.max(0, Math.min(1, share)) * (HEAT.length - 1);
  const below = Math.min(Math.floor(place), HEAT.length - 2);
  return HEAT[below].map((part, i) => Math.round(part + (HEAT[below + 1][i] - part) * (place - below)));
}

/** Paint a map of 8 bits, from the value that is black to the one that is brightest. */
function paintMap(pixels, picture, [black, brightest]) {
  const colours = Array.from({ length: 256 }, (_, stored) =>
    opaque(...heat((stored * picture.slope + picture.intercept - black) / (brightest - black))));
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = picture.holdsImage(i) ? colours[picture.stored[i]] : VALUELESS;
  }
}
