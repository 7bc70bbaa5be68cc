/** The distance between two points of the surface. */

class Ruler {
  constructor(unit) {
    this.unit = unit;
    this.points = [];
    this.svg = document.getElementById("ruler");
    this.label = document.getElementById("length");
  }

  /** Take a point; the third one begins anew. */
  add(point) {
    if (this.points.length === 2) this.points = [];
    this.points.push(point);
  }

  clear() {
    this.points = [];
  }

  get length() {
    return this.points.length === 2 ? this.points[0].distanceTo(this.points[1]) : undefined;
  }

  get text() {
    return this.length === undefined ? "" : lengthInWords(this.length, this.unit);
  }

  /** Draw it where a camera sees it. */
  draw(camera, { width, height }) {
    const places = this.points.map((point) => {
      const { x, y, z } = point.clone().project(camera);
      return { x: ((x + 1) / 2) * width, y: ((1 - y) / 2) * height, isAhead: Math.abs(z) < 1 };
    });
    const [first, second] = places;
    this.svg.querySelectorAll("circle").forEach((dot, i) => put(dot, places[i]?.isAhead, {
      cx: places[i]?.x, cy: places[i]?.y,
    }));
    const isWhole = Boolean(second) && first.isAhead && second.isAhead;
    for (const line of this.svg.querySelectorAll("line")) {
      put(line, isWhole, { x1: first?.x, y1: first?.y, x2: second?.x, y2: second?.y });
    }
    this.label.hidden = !isWhole;
    if (!isWhole) return;
    this.label.textContent = this.text;
    const [x, y] = [(first.x + second.x) / 2, (first.y + second.y) / 2];
    this.label.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
  }
}

function put(shape, isVisible, attributes) {
  shape.toggleAttribute("hidden", !isVisible);
  if (!isVisible) return;
  for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
}

/** Three digits, in a unit that suits the length. */
function lengthInWords(length, unit) {
  if (unit !== "metre") return `${threeDigits(length)} ${WORDS.units}`;
  if (length < 0.01) return `${threeDigits(length * 1000)} mm`;
  if (length < 1) return `${threeDigits(length * 100)} cm`;
  return `${threeDigits(length)} m`;
}

function threeDigits(value) {
  return value < 999.5 ? value.toPrecision(3) : value.toFixed(0);
}
