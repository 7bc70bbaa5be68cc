"""Programs of the graphics card, GLSL 3.30: what every card since 2010 and llvmpipe can do.

Camera space is that of the photos: x right, y down, z forward.
"""

from __future__ import annotations

MESH_VERTEX = """
#version 330
uniform mat4 clip_from_world;
uniform mat4 cam_from_world;
uniform mat3 cam_rotation;
in vec3 position;
in vec3 normal;
in vec4 colour;
in vec2 uv;
out vec3 at_cam;
out vec3 normal_cam;
out vec3 normal_world;
out vec4 tint;
out vec2 texel;
void main() {
    gl_Position = clip_from_world * vec4(position, 1.0);
    at_cam = (cam_from_world * vec4(position, 1.0)).xyz;
    normal_world = 2.0 * normal - 1.0;
    normal_cam = cam_rotation * normal_world;
    tint = colour;
    texel = uv;
}
"""

MESH_FRAGMENT = """
#version 330
uniform int mode;              // 0 colour, 1 clay, 2 normals, 3 confidence, 4 texture
uniform vec3 up_cam;
uniform mat3 model_rotation;   // model_from_world
uniform sampler2D page;
uniform float enough;          // photos that make a vertex sure
in vec3 at_cam;
in vec3 normal_cam;
in vec3 normal_world;
in vec4 tint;
in vec2 texel;
out vec4 shown;

vec3 sureness(float share) {
    vec3 low = vec3(0.78, 0.22, 0.25), middle = vec3(0.95, 0.77, 0.36);
    vec3 high = vec3(0.20, 0.62, 0.56);
    return share < 0.5 ? mix(low, middle, 2.0 * share) : mix(middle, high, 2.0 * share - 1.0);
}

void main() {
    vec3 to_eye = normalize(-at_cam);
    vec3 flat_normal = normalize(cross(dFdx(at_cam), dFdy(at_cam)));
    if (dot(flat_normal, to_eye) < 0.0) flat_normal = -flat_normal;
    vec3 n = dot(normal_cam, normal_cam) > 0.01 ? normalize(normal_cam) : flat_normal;
    // Picture rows run downwards, which turns what OpenGL takes for the front.
    bool is_back = gl_FrontFacing;
    if (is_back) n = -n;
    float head = clamp(dot(n, to_eye), 0.0, 1.0);
    float sky = 0.5 + 0.5 * dot(n, up_cam);
    float light = 0.30 + 0.22 * sky + 0.52 * head;
    vec3 base;
    if (mode == 1) base = vec3(0.80, 0.785, 0.76) * light;
    else if (mode == 2) base = 0.5 + 0.5 * normalize(model_rotation * normal_world);
    else if (mode == 3) base = sureness(clamp(tint.a * 255.0 / enough, 0.0, 1.0)) * light;
    else base = (mode == 4 ? texture(page, texel).rgb : tint.rgb) * (0.84 + 0.16 * head);
    if (is_back && mode != 2) base = mix(base, vec3(0.36, 0.42, 0.54) * light, 0.65);
    shown = vec4(base, 1.0);
}
"""

POINT_VERTEX = """
#version 330
uniform mat4 clip_from_world;
uniform mat3 model_rotation;
uniform float least_px;
uniform float reach_px;        // pixels across a point at distance 1 in clip space
uniform int mode;
in vec3 position;
in vec3 normal;
in vec4 colour;
out vec3 tint;
void main() {
    gl_Position = clip_from_world * vec4(position, 1.0);
    gl_PointSize = clamp(reach_px / max(gl_Position.w, 1e-9), least_px, 12.0 * least_px);
    tint = colour.rgb;
    if (mode == 1) tint = vec3(0.80, 0.785, 0.76);
    if (mode == 2) tint = 0.5 + 0.5 * normalize(model_rotation * (2.0 * normal - 1.0));
}
"""

POINT_FRAGMENT = """
#version 330
in vec3 tint;
out vec4 shown;
void main() {
    vec2 off = gl_PointCoord - 0.5;
    if (dot(off, off) > 0.25) discard;
    shown = vec4(tint, 1.0);
}
"""

SCREEN_VERTEX = """
#version 330
out vec2 place;                // 0 to 1, from the upper left
void main() {
    place = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    gl_Position = vec4(2.0 * place - 1.0, 0.0, 1.0);
}
"""

BACKGROUND_FRAGMENT = """
#version 330
uniform vec3 top;
uniform vec3 bottom;
in vec2 place;
out vec4 shown;
void main() {
    // Noise of half a level: a long gradient shows steps otherwise.
    float noise = fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.5453) - 0.5;
    shown = vec4(mix(top, bottom, place.y) + noise / 255.0, 1.0);
}
"""

EDGE_FRAGMENT = """
#version 330
// Eye-dome lighting (Boucheny 2009): what lies behind its neighbours is darkened.
uniform sampler2D depth;
uniform vec2 near_far;
uniform vec2 step_uv;
uniform float strength;
in vec2 place;
out vec4 shown;
float logarithm(vec2 at) {
    float z = 2.0 * texture(depth, at).r - 1.0;
    float n = near_far.x, f = near_far.y;
    return log2(2.0 * n * f / (f + n - z * (f - n)));
}
void main() {
    if (texture(depth, place).r >= 1.0) discard;
    float mine = logarithm(place), behind = 0.0;
    behind += max(0.0, mine - logarithm(place + vec2(step_uv.x, 0.0)));
    behind += max(0.0, mine - logarithm(place - vec2(step_uv.x, 0.0)));
    behind += max(0.0, mine - logarithm(place + vec2(0.0, step_uv.y)));
    behind += max(0.0, mine - logarithm(place - vec2(0.0, step_uv.y)));
    shown = vec4(0.0, 0.0, 0.0, 1.0 - max(0.35, exp(-strength * behind)));
}
"""

LINE_VERTEX = """
#version 330
uniform mat4 clip_from_model;
uniform vec2 size_px;
uniform float width_px;
in vec3 start;
in vec3 end;
in vec4 colour_start;
in vec4 colour_end;
out vec4 tint;
out float aside;
const float NEAR = 1e-6;
void main() {
    vec4 a = clip_from_model * vec4(start, 1.0), b = clip_from_model * vec4(end, 1.0);
    vec4 first = a, last = b;
    float da = a.z + a.w - NEAR, db = b.z + b.w - NEAR;
    if (da < 0.0 && db < 0.0) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); return; }
    if (da < 0.0) first = mix(a, b, da / (da - db));
    if (db < 0.0) last = mix(b, a, db / (db - da));
    bool is_end = gl_VertexID > 1;
    vec4 mine = is_end ? last : first;
    vec2 along = (last.xy / last.w - first.xy / first.w) * size_px;
    along = dot(along, along) > 0.0 ? normalize(along) : vec2(1.0, 0.0);
    aside = (gl_VertexID & 1) == 1 ? 1.0 : -1.0;
    float half_px = 0.5 * width_px + 1.0;
    vec2 off = vec2(-along.y, along.x) * aside * half_px;
    aside *= half_px;
    gl_Position = mine + vec4(2.0 * off / size_px * mine.w, 0.0, 0.0);
    tint = is_end ? colour_end : colour_start;
}
"""

LINE_FRAGMENT = """
#version 330
uniform float width_px;
uniform float opacity;
in vec4 tint;
in float aside;
out vec4 shown;
void main() {
    float cover = clamp(0.5 * width_px + 0.5 - abs(aside), 0.0, 1.0);
    if (cover <= 0.0) discard;
    shown = vec4(tint.rgb, tint.a * cover * opacity);
}
"""

PHOTO_VERTEX = """
#version 330
uniform mat4 clip_from_model;
uniform vec3 corners[4];
out vec2 texel;
void main() {
    texel = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    gl_Position = clip_from_model * vec4(corners[gl_VertexID], 1.0);
}
"""

PHOTO_FRAGMENT = """
#version 330
uniform sampler2D photo;
uniform float opacity;
in vec2 texel;
out vec4 shown;
void main() { shown = vec4(texture(photo, texel).rgb, opacity); }
"""

WIRE_FRAGMENT = """
#version 330
uniform vec3 ink;
uniform float opacity;
out vec4 shown;
void main() { shown = vec4(ink, opacity); }
"""

WIRE_VERTEX = """
#version 330
uniform mat4 clip_from_world;
in vec3 position;
void main() {
    gl_Position = clip_from_world * vec4(position, 1.0);
    // A hair nearer than the faces, at any distance.
    gl_Position.z -= 2e-4 * gl_Position.w;
}
"""
