/** Opening the page: what it carries is unpacked, three.js first, then everything is started. */

const CHUNK = 1 << 20; // characters; a multiple of 4, so that each piece is base64 by itself

/** Bytes that lie in the page as base64 of gzip; told(share) hears how far they are. */
async function unpack(id, told = () => {}) {
  const element = document.getElementById(id);
  const text = element.textContent;
  element.remove(); // models are large: once in memory is enough
  let at = 0;
  const packed = new ReadableStream({
    pull(controller) {
      controller.enqueue(bytesOf(text.slice(at, at + CHUNK)));
      at += CHUNK;
      told(Math.min(1, at / text.length));
      if (at >= text.length) controller.close();
    },
  });
  return new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

function bytesOf(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** Runs the library; the page's policy knows its digest and lets nothing else run. */
async function loadThree() {
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(await unpack("three"));
  document.head.append(script);
  if (!globalThis.THREE) throw new Error("three.js did not start");
}

function fail(message, error) {
  document.documentElement.dataset.state = "failed";
  document.getElementById("loading").textContent = message;
  if (error) console.error(error);
}

async function open() {
  if (!globalThis.DecompressionStream) {
    return fail(WORDS.old_browser);
  }
  const scene = JSON.parse(document.getElementById("scene").textContent);
  const bar = document.getElementById("progress");
  const glb = await unpack("model", (share) => { bar.value = share; });
  await loadThree();
  let renderer;
  try {
    const canvas = document.getElementById("canvas");
    renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
  } catch {
    return fail(WORDS.no_webgl);
  }
  renderer.domElement.addEventListener("webglcontextlost", () => {
    fail(WORDS.too_large);
  });
  const viewer = new Viewer(scene, await readModel(glb, renderer), renderer);
  viewer.resize();
  document.documentElement.dataset.state = "ready";
}

// The model is the page's end: where that was cut off, this still runs and can say so.
addEventListener("DOMContentLoaded", () => {
  open().catch((error) => fail(WORDS.damaged, error));
});
