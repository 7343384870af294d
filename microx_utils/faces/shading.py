"""Pixel shading (numba): skin, eyes, teeth, cloth and hair under one key light, sky, ground and a rim light.

Both kernels take `lights`, float64 (6, 3): key direction, key colour, sky colour, ground colour, rim direction,
rim colour. Directions point towards the light; colours are linear RGB. Shadows are maps seen from the key light.
"""

import numpy as np

from .compiled import compiled
from .head import AXIS_Z
from .skin_map import BOTTOM, HEIGHT, TOP, WIDTH

CLOTH, MASK, FRAME = 6, 7, 8
"""Parts beside those of the head's mesh."""
SKIN_WRAP = (0.42, 0.22, 0.15)
"""How far light wraps around skin, per channel: red scatters farthest below the surface."""
RELIEF_STRENGTH = 0.55
CAVITY, CAVITY_FLOOR = 0.22, 0.35
"""How much a groove of the relief darkens, and the depth that is left alone (pores)."""
PART_EYE, PART_TEETH, PART_TONGUE = 1, 2, 4
FOLD_STEPS = 1024
FOLDS = np.linspace(0, 1, FOLD_STEPS + 1) ** 1.15
"""How much of the sky's light reaches skin, by how much of the sky it sees: a table, off by 2e-5 at most."""
SHADOW_BIAS = 0.07
"""dm; a surface this close behind the shadow map's is lit."""


@compiled(inline="always")
def _mix(values, a, b, c, w0, w1, w2):
    return (
        values[a, 0] * w0 + values[b, 0] * w1 + values[c, 0] * w2,
        values[a, 1] * w0 + values[b, 1] * w1 + values[c, 1] * w2,
        values[a, 2] * w0 + values[b, 2] * w1 + values[c, 2] * w2,
    )


@compiled(inline="always")
def _unit(x, y, z):
    k = 1.0 / (np.sqrt(x * x + y * y + z * z) + 1e-12)
    return x * k, y * k, z * k


@compiled(inline="always")
def _clamp(x):
    return min(1.0, max(0.0, x))


@compiled(inline="always")
def angle_of(x, z):
    """Return arctan2(x, z) to 4e-8 in a fifth of its time (Abramowitz and Stegun 1964, 4.4.49)."""
    aside, ahead = abs(x), abs(z)
    steep = aside > ahead
    t = (ahead if steep else aside) / ((aside if steep else ahead) + 1e-300)
    u = t * t
    series = -0.0559098861 + u * (0.0218612288 + u * -0.0040540580)
    series = -0.3332985605 + u * (0.1994653599 + u * (-0.1390853351 + u * (0.0964200441 + u * series)))
    angle = t * (0.9999993329 + u * series)
    angle = np.pi / 2 - angle if steep else angle
    angle = np.pi - angle if z < 0 else angle
    return -angle if x < 0 else angle


@compiled(inline="always")
def _remainder(x, size):
    """x % size for a size that is a power of two, exactly."""
    return x - np.floor(x * (1 / size)) * size


@compiled()
def _sample(texture, u, v):
    """Bilinear lookup, u around the head, v clamped. The width is a power of two: a remainder would take far longer."""
    height, width = texture.shape[0], texture.shape[1]
    x, y = u - 0.5, v - 0.5
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0
    ya, yb = min(max(y0, 0), height - 1), min(max(y0 + 1, 0), height - 1)
    xa, xb = x0 & (width - 1), (x0 + 1) & (width - 1)
    upper = texture[ya, xa] * (1 - fx) + texture[ya, xb] * fx
    lower = texture[yb, xa] * (1 - fx) + texture[yb, xb] * fx
    return upper * (1 - fy) + lower * fy


@compiled()
def _sample_colour(texture, u, v):
    height, width = texture.shape[0], texture.shape[1]
    x, y = u - 0.5, v - 0.5
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0
    ya, yb = min(max(y0, 0), height - 1), min(max(y0 + 1, 0), height - 1)
    xa, xb = x0 & (width - 1), (x0 + 1) & (width - 1)
    p, q, r, s = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
    return (
        texture[ya, xa, 0] * p + texture[ya, xb, 0] * q + texture[yb, xa, 0] * r + texture[yb, xb, 0] * s,
        texture[ya, xa, 1] * p + texture[ya, xb, 1] * q + texture[yb, xa, 1] * r + texture[yb, xb, 1] * s,
        texture[ya, xa, 2] * p + texture[ya, xb, 2] * q + texture[yb, xa, 2] * r + texture[yb, xb, 2] * s,
    )


@compiled(inline="always")
def _power(x, exponent):
    """x to a power; by multiplication for the exponents of skin and cloth, which nearly all pixels have."""
    if exponent != 14.0 and exponent != 16.0:
        return x**exponent
    x2 = x * x
    x4 = x2 * x2
    return x4 * x4 * x4 * (x2 if exponent == 14.0 else x4)


@compiled()
def relief_slopes(texture, u, v):
    """Return the slopes of a texture along u and v: half the difference of lookups one texel before and behind."""
    height, width = texture.shape[0], texture.shape[1]
    x, y = u - 0.5, v - 0.5
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0
    xl, xa, xb, xr = (x0 - 1) & (width - 1), x0 & (width - 1), (x0 + 1) & (width - 1), (x0 + 2) & (width - 1)
    yl, ya = min(max(y0 - 1, 0), height - 1), min(max(y0, 0), height - 1)
    yb, yr = min(max(y0 + 1, 0), height - 1), min(max(y0 + 2, 0), height - 1)
    upper = (texture[ya, xb] - texture[ya, xl]) * (1 - fx) + (texture[ya, xr] - texture[ya, xa]) * fx
    lower = (texture[yb, xb] - texture[yb, xl]) * (1 - fx) + (texture[yb, xr] - texture[yb, xa]) * fx
    left = (texture[yb, xa] - texture[yl, xa]) * (1 - fy) + (texture[yr, xa] - texture[ya, xa]) * fy
    right = (texture[yb, xb] - texture[yl, xb]) * (1 - fy) + (texture[yr, xb] - texture[ya, xb]) * fy
    return 0.5 * (upper * (1 - fy) + lower * fy), 0.5 * (left * (1 - fx) + right * fx)


@compiled()
def light_share(x, y, z, shadows, to_light, step):
    """Return the share of the key light that arrives at a point, 0 to 1.

    `shadows`, float64 (3, S, S), holds the shadow map and its least and largest depth within two texels; `to_light` is
    the 3×4 map from dm to its texels and depth. The share is the mean over a 5×5 window, every `step`-th texel (1 or
    2); most points are in front of all the window, or behind it, and need no mean.
    """
    size = shadows.shape[1]
    column = int(to_light[0, 0] * x + to_light[0, 1] * y + to_light[0, 2] * z + to_light[0, 3])
    row = int(to_light[1, 0] * x + to_light[1, 1] * y + to_light[1, 2] * z + to_light[1, 3])
    depth = to_light[2, 0] * x + to_light[2, 1] * y + to_light[2, 2] * z + to_light[2, 3] - SHADOW_BIAS
    if column < 2 or row < 2 or column >= size - 2 or row >= size - 2:
        return 1.0
    if (shadows[1, row, column] - depth) * 25.0 >= 0.5:
        return 1.0
    if (shadows[2, row, column] - depth) * 25.0 <= -0.5:
        return 0.0
    total = 0.0
    for j in range(row - 2, row + 3, step):
        for i in range(column - 2, column + 3, step):
            total += min(max((shadows[0, j, i] - depth) * 25.0 + 0.5, 0.0), 1.0)
    return total / (25.0 if step == 1 else 9.0)


@compiled()
def _eye_colour(x, y, z, iris, pupil):
    """Colour of the eyeball in direction (x, y, z) from its centre, z forwards: white, iris, pupil."""
    angle, around = np.arccos(min(1.0, max(-1.0, z))), np.arctan2(y, x)
    vein, rim = max(0.0, abs(x) - 0.35) * 0.5, 1 - 0.55 * max(0.0, angle - 0.55)
    fibres = 0.75 + 0.35 * np.sin(around * 17 + 3 * np.sin(around * 5)) * np.sin(around * 29) + 0.5 * (angle / 0.40)
    fibres *= 1.15 - 0.75 * _clamp((angle / 0.40 - 0.78) / 0.22)
    white = _clamp((angle - 0.40) / 0.045 + 0.5)
    open_ = _clamp((angle - pupil) / 0.03 + 0.5)
    red = (0.50 * rim * white + iris[0] * fibres * (1 - white)) * open_ + 0.004 * (1 - open_)
    green = (0.46 * (1 - 0.35 * vein) * rim * white + iris[1] * fibres * (1 - white)) * open_ + 0.004 * (1 - open_)
    blue = (0.44 * (1 - 0.35 * vein) * rim * white + iris[2] * fibres * (1 - white)) * open_ + 0.004 * (1 - open_)
    return red, green, blue


@compiled()
def _teeth_colour(x, y, z):
    """Colour of teeth and gums at a template point."""
    gum = _clamp((y - 6.72) / 0.04) if y > 6.62 else _clamp((6.50 - y) / 0.04)
    gap = 1 - 0.45 * (1 - min(1.0, abs(np.sin(x * 38.0)) * 4))
    depth = min(1.0, max(0.35, (z - 0.95) / 0.25))
    return (
        (0.80 * gap * (1 - gum) + 0.38 * gum) * depth,
        (0.76 * gap * (1 - gum) + 0.12 * gum) * depth,
        (0.68 * gap * (1 - gum) + 0.11 * gum) * depth,
    )


@compiled()
def shade(
    triangle_id, barycentric, triangles, part, positions, normals, rest, occlusion, mouth, cloth, colours,
    albedo, relief, gloss, turn, eye_rest, eye_now, iris, pupil, lights, camera, shadows, to_light,
    cloth_colour, weave, out,
):  # fmt: skip
    """Shade every covered pixel of `out` (H, W, 3, linear RGB, in place); the rest keeps its background.

    `positions`, `normals`, `rest` (V, 3) are the vertices now, their normals and where they lie on the template;
    `occlusion`, `mouth`, `cloth` (V,) and `colours` (V, 3) vary per vertex; `albedo`, `relief`, `gloss` are the
    skin's textures; `turn` is the head's rotation; `eye_rest`, `eye_now` (2, 3) are the eyeballs' centres.
    """
    height, width = triangle_id.shape
    for row in range(height):
        for column in range(width):
            t = triangle_id[row, column]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            w1, w2 = barycentric[row, column, 0], barycentric[row, column, 1]
            w0 = 1 - w1 - w2
            kind = part[t]
            p0, p1, p2 = _mix(positions, a, b, c, w0, w1, w2)
            n0, n1, n2 = _mix(normals, a, b, c, w0, w1, w2)
            q0, q1, q2 = _mix(rest, a, b, c, w0, w1, w2)
            v0, v1, v2 = _unit(camera[0] - p0, camera[1] - p1, camera[2] - p2)
            sky_seen = occlusion[a] * w0 + occlusion[b] * w1 + occlusion[c] * w2
            specular, shininess = 0.0, 16.0
            wrap0, wrap1, wrap2 = 0.0, 0.0, 0.0
            if kind == PART_EYE:
                k = 0 if q0 > 0 else 1
                d0, d1, d2 = _unit(q0 - eye_rest[k, 0], q1 - eye_rest[k, 1], q2 - eye_rest[k, 2])
                c0, c1, c2 = _eye_colour(d0, d1, d2, iris, pupil)
                n0, n1, n2 = p0 - eye_now[k, 0], p1 - eye_now[k, 1], p2 - eye_now[k, 2]
                specular, shininess, sky_seen = 1.1, 420.0, sky_seen * 0.72 + 0.05
            elif kind == PART_TEETH:
                c0, c1, c2 = _teeth_colour(q0, q1, q2)
                specular, shininess, sky_seen = 0.5, 60.0, 0.5 + 0.5 * sky_seen
            elif kind == PART_TONGUE:
                depth = min(1.0, max(0.08, (q2 - 0.95) / 0.45))
                c0, c1, c2 = 0.36 * depth, 0.11 * depth, 0.10 * depth
                specular, shininess = 0.3, 30.0
            elif kind >= CLOTH:
                c0, c1, c2 = _mix(colours, a, b, c, w0, w1, w2)
                if kind == FRAME:
                    specular, shininess = 0.12, 40.0
                elif kind == CLOTH:
                    specular = 0.01
                else:
                    specular, shininess = 0.03, 8.0
                if n0 * v0 + n1 * v1 + n2 * v2 < 0:
                    n0, n1, n2 = -n0, -n1, -n2
                wrap0, wrap1, wrap2 = 0.25, 0.25, 0.25
            else:
                angle = angle_of(q0, q2 - AXIS_Z)
                u = (angle / (2 * np.pi) + 0.5) * WIDTH
                v = (TOP - q1) / (TOP - BOTTOM) * HEIGHT
                under = cloth[a] * w0 + cloth[b] * w1 + cloth[c] * w2
                if under < 0.5:
                    c0, c1, c2 = _sample_colour(albedo, u, v)
                    inside = _clamp(((mouth[a] * w0 + mouth[b] * w1 + mouth[c] * w2) - 0.35) / 0.4)
                    depth = min(1.0, max(0.06, (q2 - 1.15) / 0.32)) * inside
                    c0 = c0 * (1 - inside) + 0.25 * depth
                    c1 = c1 * (1 - inside) + 0.06 * depth
                    c2 = c2 * (1 - inside) + 0.055 * depth
                    groove = np.exp(CAVITY * min(0.0, _sample(relief, u, v) + CAVITY_FLOOR))
                    c0, c1, c2 = c0 * groove**0.8, c1 * groove, c2 * groove**1.1
                    sky_seen *= groove
                    slope_u, slope_v = relief_slopes(relief, u, v)
                    slope_u, slope_v = slope_u * RELIEF_STRENGTH, slope_v * RELIEF_STRENGTH
                    radius = np.sqrt(q0 * q0 + (q2 - AXIS_Z) * (q2 - AXIS_Z)) + 1e-12
                    ca, sa = (q2 - AXIS_Z) / radius, q0 / radius
                    n0, n1, n2 = _unit(n0, n1, n2)
                    n0 += -slope_u * (turn[0, 0] * ca - turn[0, 2] * sa) + slope_v * turn[0, 1]
                    n1 += -slope_u * (turn[1, 0] * ca - turn[1, 2] * sa) + slope_v * turn[1, 1]
                    n2 += -slope_u * (turn[2, 0] * ca - turn[2, 2] * sa) + slope_v * turn[2, 1]
                    specular, shininess = 0.10 * _sample(gloss, u, v) + 0.5 * inside, 14.0 + 20 * inside
                    wrap0, wrap1, wrap2 = SKIN_WRAP
                else:
                    thread = 1 + 0.25 * _sample(weave, q0 * 140, _remainder(q1 * 140, 256.0))
                    c0, c1, c2 = cloth_colour[0] * thread, cloth_colour[1] * thread, cloth_colour[2] * thread
                    specular, wrap0, wrap1, wrap2 = 0.01, 0.1, 0.1, 0.1
                    sky_seen = sky_seen * (0.55 + 0.45 * min(1.0, (under - 0.5) * 5))
            n0, n1, n2 = _unit(n0, n1, n2)
            facing_key = n0 * lights[0, 0] + n1 * lights[0, 1] + n2 * lights[0, 2]
            lit = light_share(p0, p1, p2, shadows, to_light, 1)
            if kind == PART_EYE:
                lit = 0.35 + 0.65 * lit
            elif kind == PART_TEETH:
                lit = 0.45 + 0.55 * lit
            h0, h1, h2 = _unit(lights[0, 0] + v0, lights[0, 1] + v1, lights[0, 2] + v2)
            mirror = max(0.0, n0 * h0 + n1 * h1 + n2 * h2)
            grazing = (1 - max(0.0, n0 * v0 + n1 * v1 + n2 * v2)) ** 2
            shine = 0.0
            if facing_key > 0:
                shine = (
                    specular * _power(mirror, shininess) * (shininess + 8) / 25.0 * (0.85 + 0.75 * grazing * grazing)
                )
                shine *= _clamp(facing_key * 4) * lit
            place = min(sky_seen, 1.0) * FOLD_STEPS
            step = min(int(place), FOLD_STEPS - 1)
            in_folds = FOLDS[step] + (FOLDS[step + 1] - FOLDS[step]) * (place - step)
            rim = max(0.0, n0 * lights[4, 0] + n1 * lights[4, 1] + n2 * lights[4, 2])
            up = 0.5 + 0.5 * n1
            # diffuse light that wraps around, and shadow edges that bleed red, stand in for subsurface scattering
            for k in range(3):
                wrap = wrap0 if k == 0 else (wrap1 if k == 1 else wrap2)
                colour = c0 if k == 0 else (c1 if k == 1 else c2)
                diffuse = max(0.0, (facing_key + wrap) / (1 + wrap)) * (lit + (1 - lit) * lit * wrap * 1.5)
                reached = in_folds + (sky_seen - in_folds) * min(1.0, 2.3 * wrap)
                ambient = (lights[2, k] * up + lights[3, k] * (1 - up)) * reached
                light = lights[1, k] * diffuse + ambient + lights[5, k] * rim * (0.4 + 0.6 * sky_seen)
                out[row, column, k] = colour * light + shine * lights[1, k] + lights[5, k] * rim * grazing * 0.08


@compiled()
def shade_hair(
    triangle_id, barycentric, triangles, positions, normals, rest, layer, coverage, strands, hair_colour,
    lights, camera, shadows, to_light, turn, across, along, softness, depth, z_buffer, out,
):  # fmt: skip
    """Blend one layer of hair over `out` (in place); `layer` runs from 0 at the scalp to 1 outside.

    Opaque hair also enters `z_buffer`, so that later layers hide behind it.
    """
    height, width = triangle_id.shape
    for row in range(height):
        for column in range(width):
            t = triangle_id[row, column]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            w1, w2 = barycentric[row, column, 0], barycentric[row, column, 1]
            w0 = 1 - w1 - w2
            q0, q1, q2 = _mix(rest, a, b, c, w0, w1, w2)
            grown = coverage[a] * w0 + coverage[b] * w1 + coverage[c] * w2
            bare = layer * 1.3 - 0.45 + (1 - grown) * 1.6
            if 1 - bare <= 0.01 * softness:  # not even the thickest strand reaches this layer
                continue
            angle = angle_of(q0, q2 - AXIS_Z)
            top = _clamp((q1 - 7.9) / 0.5)
            # strands run down the sides and back over the crown
            u, v = (angle * (1 - top) + q0 * top) * across, (q1 * (1 - top) + q2 * top) * along
            strand = _sample(strands, u * 60, _remainder(v * 12, 512.0))
            alpha = _clamp((strand - bare) / softness)
            if alpha <= 0.01:
                continue
            p0, p1, p2 = _mix(positions, a, b, c, w0, w1, w2)
            n0, n1, n2 = _mix(normals, a, b, c, w0, w1, w2)
            n0, n1, n2 = _unit(n0, n1, n2)
            v0, v1, v2 = _unit(camera[0] - p0, camera[1] - p1, camera[2] - p2)
            facing = n0 * v0 + n1 * v1 + n2 * v2
            if facing < 0:
                n0, n1, n2, facing = -n0, -n1, -n2, -facing
            alpha *= 1 - layer * (1 - _clamp(facing * 2.5))  # outer layers thin out at the outline: no spikes
            lit = 0.45 + 0.55 * light_share(p0, p1, p2, shadows, to_light, 2)
            facing_key = n0 * lights[0, 0] + n1 * lights[0, 1] + n2 * lights[0, 2]
            # Kajiya-Kay highlight around the strand's direction
            h0, h1, h2 = _unit(lights[0, 0] + v0, lights[0, 1] + v1, lights[0, 2] + v2)
            tangent = 0.15 * (strand - 0.5)
            tangent += (turn[0, 1] * (1 - top) - turn[0, 2] * top) * h0
            tangent += (turn[1, 1] * (1 - top) - turn[1, 2] * top) * h1
            tangent += (turn[2, 1] * (1 - top) - turn[2, 2] * top) * h2
            shine = max(0.0, 1 - tangent * tangent) ** 24 * lit * max(0.0, facing_key + 0.2) * strand
            up = 0.5 + 0.5 * n1
            rim = max(0.0, n0 * lights[4, 0] + n1 * lights[4, 1] + n2 * lights[4, 2])
            body = (0.55 + 0.75 * strand) * (0.55 + 0.45 * layer)
            diffuse = max(0.0, (facing_key + 0.35) / 1.35) * lit * 1.25
            for k in range(3):
                ambient = (lights[2, k] * up + lights[3, k] * (1 - up)) * 0.9
                colour = hair_colour[k] * body * (lights[1, k] * diffuse + ambient + lights[5, k] * rim)
                colour += (0.035 + 0.25 * hair_colour[k]) * shine * lights[1, k]
                out[row, column, k] = out[row, column, k] * (1 - alpha) + colour * alpha
            if alpha > 0.5 and depth[row, column] < z_buffer[row, column]:
                z_buffer[row, column] = depth[row, column]
