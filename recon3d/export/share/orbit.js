/** Views, and the one that turns about a point of the model and always stays upright. */

/** Where to look from, and the tangents of what is in sight: left, right, top, bottom. */
class View {
  constructor(position, rotation, tangents) {
    Object.assign(this, { position, rotation, tangents });
  }

  /** The view on the way to another one. */
  mixed(other, share) {
    return new View(
      this.position.clone().lerp(other.position, share),
      this.rotation.clone().slerp(other.rotation, share),
      this.tangents.map((tangent, i) => tangent + (other.tangents[i] - tangent) * share),
    );
  }

  /** Moves a three.js camera here; `whole` is the sphere of all there is to see. */
  applyTo(camera, whole) {
    const distance = this.position.distanceTo(whole.center);
    const far = distance + whole.radius * 1.05;
    const near = Math.max(distance - whole.radius * 1.05, far / 5000);
    camera.position.copy(this.position);
    camera.quaternion.copy(this.rotation);
    camera.projectionMatrix.makePerspective(...this.tangents.map((t) => t * near), near, far);
    camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
    camera.updateMatrixWorld(true);
  }
}

const HALF_ANGLE = Math.tan(radians(18)); // of the longer side
const STEEPEST = radians(89);

function radians(degrees) {
  return (degrees * Math.PI) / 180;
}

class Orbit {
  constructor(points) {
    this.box = new THREE.Box3().setFromPoints(points);
    this.radius = this.box.getBoundingSphere(new THREE.Sphere()).radius;
    this.target = this.box.getCenter(new THREE.Vector3());
    this.azimuth = this.elevation = 0;
    this.distance = this.radius;
    this.resize(1, 1);
  }

  resize(width, height) {
    const longer = Math.max(width, height);
    this.size = { width, height };
    this.half = { x: (HALF_ANGLE * width) / longer, y: (HALF_ANGLE * height) / longer };
  }

  /** Unit vectors of the view, as a rotation: x right, y up, z towards the eye. */
  get axes() {
    const backward = new THREE.Vector3().setFromSphericalCoords(1, Math.PI / 2 - this.elevation, this.azimuth);
    const right = new THREE.Vector3(Math.cos(this.azimuth), 0, -Math.sin(this.azimuth));
    return new THREE.Matrix4().makeBasis(right, backward.clone().cross(right), backward);
  }

  get view() {
    const axes = this.axes;
    const backward = new THREE.Vector3().setFromMatrixColumn(axes, 2);
    const { x, y } = this.half;
    return new View(
      this.target.clone().addScaledVector(backward, this.distance),
      new THREE.Quaternion().setFromRotationMatrix(axes),
      [-x, x, y, -y],
    );
  }

  /** Fill the window with points from a side, but for `bars` pixels above and below. */
  frame(points, azimuth, elevation, bars) {
    Object.assign(this, { azimuth, elevation });
    const axes = this.axes;
    const middle = this.box.getCenter(new THREE.Vector3());
    const inView = axes.clone().transpose();
    const seen = points.map((point) => point.clone().sub(middle).applyMatrix4(inView));
    const centre = new THREE.Box3().setFromPoints(seen).getCenter(new THREE.Vector3()).setZ(0);
    const free = Math.max(0.4, 1 - (2 * bars) / this.size.height);
    const [x, y] = [0.9 * this.half.x, 0.9 * this.half.y * free];
    this.distance = seen.reduce((most, point) => {
      const { x: across, y: up, z } = point.sub(centre);
      return Math.max(most, Math.abs(across) / x + z, Math.abs(up) / y + z);
    }, this.radius / 1000);
    this.target = middle.add(centre.applyMatrix4(axes));
  }

  turn(dx, dy) {
    const speed = Math.PI / Math.min(this.size.width, this.size.height);
    this.azimuth -= dx * speed;
    this.elevation = THREE.MathUtils.clamp(this.elevation + dy * speed, -STEEPEST, STEEPEST);
  }

  /** Move by pixels, so that the target stays under the pointer. */
  pan(dx, dy) {
    this.target.sub(this.acrossTarget(dx, dy));
  }

  /** Come nearer (factor below 1) or go away, towards a place given in pixels from the middle. */
  zoom(factor, x, y) {
    const before = this.distance;
    this.distance = THREE.MathUtils.clamp(before * factor, this.radius / 500, this.radius * 20);
    this.target.add(this.acrossTarget(x, y).multiplyScalar(before / this.distance - 1));
  }

  /** Turn about this point from now on, from the same place as far as being upright allows. */
  lookAt(point, from) {
    this.target.copy(point);
    const backward = from.clone().sub(point);
    this.distance = Math.max(backward.length(), this.radius / 500);
    this.azimuth = Math.atan2(backward.x, backward.z);
    const elevation = Math.asin(THREE.MathUtils.clamp(backward.y / this.distance, -1, 1));
    this.elevation = THREE.MathUtils.clamp(elevation, -STEEPEST, STEEPEST);
  }

  /** Pixels to the right and down, as a way in the plane through the target. */
  acrossTarget(dx, dy) {
    const perPixel = (2 * this.half.y * this.distance) / this.size.height;
    return new THREE.Vector3(dx * perPixel, -dy * perPixel, 0).applyMatrix4(this.axes);
  }
}
