/** The model: its surface in two looks, and what of it is to be in view. */

const CLAY_VERTEX = `
varying vec3 normalInView, pointInView;
void main() {
  normalInView = normalMatrix * normal;
  vec4 point = modelViewMatrix * vec4(position, 1.0);
  pointInView = point.xyz;
  gl_Position = projectionMatrix * point;
}`;

// As in the pictures of the report: a light at the eye, backs of faces bluish.
const CLAY_FRAGMENT = `
varying vec3 normalInView, pointInView;
void main() {
  float cosine = abs(dot(normalize(normalInView), normalize(pointInView)));
  vec3 colour = gl_FrontFacing ? vec3(206, 201, 194) : vec3(112, 124, 148);
  gl_FragColor = vec4(colour / 255.0 * (0.25 + 0.75 * cosine), 1.0);
}`;

const SAMPLES = 20000;

/** Reads a GLB file; the result's meshes have `looks.colour` (missing where it is grey) and `looks.clay`. */
async function readModel(glb, renderer) {
  const { scene } = await new Promise((done, failed) => {
    new THREE.GLTFLoader().parse(glb, "", done, failed);
  });
  scene.updateMatrixWorld(true);
  const clay = new THREE.ShaderMaterial({ vertexShader: CLAY_VERTEX, fragmentShader: CLAY_FRAGMENT });
  const meshes = [];
  scene.traverse((part) => {
    if (!part.isMesh) return;
    if (!part.geometry.attributes.normal) part.geometry.computeVertexNormals();
    part.looks = { colour: photoColours(part, renderer), clay };
    meshes.push(part);
  });
  const isColoured = meshes.some((mesh) => mesh.looks.colour);
  for (const mesh of meshes) mesh.looks.colour ??= clay;
  return { scene, meshes, isColoured, points: sampledPoints(meshes) };
}

/** The colours as they were photographed, whatever lights there are. */
function photoColours(mesh, renderer) {
  const { map } = mesh.material;
  const vertexColors = Boolean(mesh.geometry.attributes.color);
  if (map) map.anisotropy = Math.min(8, renderer.capabilities.getMaxAnisotropy());
  return map || vertexColors ? new THREE.MeshBasicMaterial({ map, vertexColors }) : undefined;
}

/** Some vertices, without the outermost half percent: a floater must not shrink the model to a dot. */
function sampledPoints(meshes) {
  const total = meshes.reduce((sum, mesh) => sum + mesh.geometry.attributes.position.count, 0);
  const every = Math.max(1, Math.floor(total / SAMPLES));
  const points = [];
  for (const mesh of meshes) {
    const position = mesh.geometry.attributes.position;
    for (let i = 0; i < position.count; i += every) {
      points.push(new THREE.Vector3().fromBufferAttribute(position, i).applyMatrix4(mesh.matrixWorld));
    }
  }
  const box = percentileBox(points, 0.005);
  const kept = points.filter((point) => box.containsPoint(point));
  return kept.length ? kept : points;
}

/** The box without a share of the points at each of its sides. */
function percentileBox(points, share) {
  const box = new THREE.Box3();
  for (const axis of ["x", "y", "z"]) {
    const sorted = Float64Array.from(points, (point) => point[axis]).sort();
    const out = Math.floor(share * (sorted.length - 1));
    box.min[axis] = sorted[out];
    box.max[axis] = sorted[sorted.length - 1 - out];
  }
  return box;
}
