"""A z-buffer triangle rasteriser (numba): which triangle covers each pixel, where in it, and how far away."""

import numpy as np

from .compiled import compiled


@compiled()
def rasterize(xy, depth, triangles, cull, triangle_id, barycentric, z_buffer):
    """Draw triangles into three buffers, nearest first.

    Parameters
    ----------
    xy
        float64 (V, 2), vertex positions in pixels; x right, y down, pixel centres at .5.
    depth
        float64 (V,), smaller is nearer (decimetres).
    triangles
        int32 (F, 3), vertex indices; seen from the front they run counter-clockwise in a y-up world.
    cull
        uint8 (F,), 1 where the back of the triangle isn't drawn.
    triangle_id
        int32 (H, W), index of the covering triangle; the caller fills it with -1.
    barycentric
        float32 (H, W, 2), weights of the second and third vertex.
    z_buffer
        float32 (H, W), depth so far; the caller fills it with a large number.
    """
    height, width = triangle_id.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0 = xy[a, 0], xy[a, 1]
        x1, y1 = xy[b, 0], xy[b, 1]
        x2, y2 = xy[c, 0], xy[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if cull[t] != 0 and area >= 0.0:  # y is down: front faces have negative area
            continue
        if abs(area) < 1e-12:
            continue
        left = max(int(np.floor(min(x0, x1, x2) - 0.5)) + 1, 0)
        right = min(int(np.floor(max(x0, x1, x2) - 0.5)), width - 1)
        top = max(int(np.floor(min(y0, y1, y2) - 0.5)) + 1, 0)
        bottom = min(int(np.floor(max(y0, y1, y2) - 0.5)), height - 1)
        if left > right or top > bottom:  # outside the picture, or between pixel centres
            continue
        inverse = 1.0 / area
        z0, z1, z2 = depth[a], depth[b], depth[c]
        w1_right, w2_right = (y2 - y0) * inverse, (y0 - y1) * inverse  # how the weights grow with each pixel
        for row in range(top, bottom + 1):
            y = row + 0.5 - y0
            w1_row, w2_row = (x2 - x0) * y * inverse, (x1 - x0) * y * inverse
            for column in range(left, right + 1):
                x = column + 0.5 - x0
                w1 = x * w1_right - w1_row
                w2 = x * w2_right + w2_row
                if w1 < 0.0 or w2 < 0.0 or w1 + w2 > 1.0:
                    continue
                z = z0 + w1 * (z1 - z0) + w2 * (z2 - z0)
                if z < z_buffer[row, column]:
                    z_buffer[row, column] = z
                    triangle_id[row, column] = t
                    barycentric[row, column, 0] = w1
                    barycentric[row, column, 1] = w2


@compiled()
def vertex_normals(vertices, triangles):
    """Return unit normals, float64 (V, 3): the area-weighted mean over each vertex's triangles."""
    normals = np.zeros(vertices.shape)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for i in range(len(normals)):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        length = max(np.sqrt(x * x + y * y + z * z), 1e-9)
        normals[i, 0], normals[i, 1], normals[i, 2] = x / length, y / length, z / length
    return normals
