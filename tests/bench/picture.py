# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's results as a picture: a small SVG writer of our own."""

import math
import shutil
import subprocess
from xml.sax.saxutils import escape

import table

COLOURS = {'floor': '#9bc2e6', 'stock': '#8a8f98', 'xen-9pfsd': '#d98324',
           'ours': '#1f6fb4', 'virtfs': '#3a9b5c'}
LABELS = {'stock': 'QEMU 10.0 (stock)', 'xen-9pfsd': 'xen-9pfsd 4.20',
          'ours': 'xen-9pfs (this project)',
          'virtfs': 'xen-9pfs, virtfs',
          'floor': "QEMU's server without a transport"}

# A panel's place is for its whole cell, the plot is inside.
COLUMNS = 4
CELL_W, CELL_H = 236, 206
PLOT_X, PLOT_Y, PLOT_W, PLOT_H = 48, 30, 172, 126
MARGIN, HEAD = 14, 74


class Svg:
    """Elements, in the order in which they are drawn."""

    def __init__(self, width, height):
        self.size = (width, height)
        self.parts = []

    def line(self, x1, y1, x2, y2, colour, width=1.0):
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-width="{width}"/>')

    def path(self, points, colour, width, dash='none'):
        text = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
        self.parts.append(
            f'<polyline points="{text}" fill="none" stroke="{colour}" '
            f'stroke-width="{width}" stroke-dasharray="{dash}" '
            'stroke-linejoin="round"/>')

    def dot(self, x, y, colour):
        self.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')

    def text(self, x, y, text, size=11, anchor='start', colour='#333',
             bold=False):
        weight = ' font-weight="bold"' if bold else ''
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" '
            f'text-anchor="{anchor}" fill="{colour}"{weight} '
            'stroke="white" stroke-width="3" paint-order="stroke">'
            f'{escape(text)}</text>')

    def write(self, path):
        width, height = self.size
        with open(path, 'w', encoding='utf-8') as out:
            out.write(
                '<svg xmlns="http://www.w3.org/2000/svg" '
                f'viewBox="0 0 {width} {height}" width="{width}" '
                f'height="{height}" font-family="DejaVu Sans, Verdana, '
                'sans-serif">\n'
                f'<rect width="{width}" height="{height}" fill="white"/>\n' +
                '\n'.join(self.parts) + '\n</svg>\n')


def nice_step(top):
    """A step that gives an axis up to @top three to five marks."""
    step = 10 ** math.floor(math.log10(top)) / 10
    return next(step * factor for factor in (2, 2.5, 5, 10, 20, 25)
                if top / (step * factor) <= 5)


def figure_of(rows):
    """What a panel shows: data where much of it moves, else operations."""
    if rows[0]['op'] in ('read', 'write') and rows[0]['size'] >= 65536:
        return 'mb_per_s', 1, 'MB/s'
    if max(r['ops_per_s'] for r in rows) < 1000:
        return 'ops_per_s', 1, '/s'
    return 'ops_per_s', 1000, '1,000/s'


def draw_axes(svg, x, y, top, depths):
    step = nice_step(top)
    mark = 0.0
    while mark <= top * 1.001:
        at = y + PLOT_H * (1 - mark / top)
        svg.line(x, at, x + PLOT_W, at, '#e3e5e8')
        svg.text(x - 6, at + 4, f'{mark:,.10g}', 10, 'end', '#666')
        mark += step
    for i, depth in enumerate(depths):
        at = x + PLOT_W * (i + 0.5) / len(depths)
        svg.text(at, y + PLOT_H + 15, str(depth), 10, 'middle', '#666')
    svg.line(x, y + PLOT_H, x + PLOT_W, y + PLOT_H, '#888')
    svg.text(x + PLOT_W / 2, y + PLOT_H + 29, 'requests in flight', 9,
             'middle', '#888')


def draw_panel(svg, left, upper, rows, depths):
    x, y = left + PLOT_X, upper + PLOT_Y
    figure, unit, unit_name = figure_of(rows)
    top = 1.08 * max(r[figure] for r in rows) / unit
    svg.text(x, upper + 16, table.op_name(rows[0]), 12, bold=True)
    svg.text(x + PLOT_W, upper + 16, unit_name, 10, 'end', '#666')
    draw_axes(svg, x, y, top, depths)
    for backend, colour in COLOURS.items():
        mine = [r for r in rows if r['backend'] == backend]
        points = [(x + PLOT_W * (depths.index(r['depth']) + 0.5) /
                   len(depths),
                   y + PLOT_H * (1 - r[figure] / unit / top)) for r in mine]
        svg.path(points, colour, 2.4 if backend == 'ours' else 1.6,
                 '5 4' if backend == 'floor' else 'none')
        for px, py in points:
            svg.dot(px, py, colour)
        for row, (px, py) in zip(mine, points):
            if backend == 'ours' and row.get('ratio_to_stock'):
                svg.text(px, py - 7, f'{row["ratio_to_stock"]:.1f}x', 10,
                         'middle', colour)


def draw_legend(svg, rows):
    x = MARGIN + PLOT_X
    for backend in ('ours', 'stock', 'xen-9pfsd', 'floor'):
        if any(r['backend'] == backend for r in rows):
            svg.line(x, 56, x + 22, 56, COLOURS[backend], 2.4)
            svg.dot(x + 11, 56, COLOURS[backend])
            svg.text(x + 28, 60, LABELS[backend], 11)
            x += 44 + 7 * len(LABELS[backend])


def draw(rows):
    panels = {}
    for row in rows:
        panels.setdefault((row['op'], row['size']), []).append(row)
    depths = sorted({r['depth'] for r in rows})
    columns = min(COLUMNS, len(panels))
    lines = (len(panels) + columns - 1) // columns
    svg = Svg(max(2 * MARGIN + columns * CELL_W, 700),
              HEAD + lines * CELL_H + MARGIN)
    first = rows[0]
    svg.text(MARGIN + PLOT_X, 24, '9P over Xen rings, on the loopback: what '
             'a guest gets, by requests in flight', 14, bold=True)
    svg.text(MARGIN + PLOT_X, 42, f'{first["rings"]} rings of order '
             f'{first["order"]}; {table.CPUS[first["cpus"]]}; the figures at '
             'the line are ours over stock in the same round', 11,
             colour='#666')
    draw_legend(svg, rows)
    for i, some in enumerate(panels.values()):
        draw_panel(svg, MARGIN + i % columns * CELL_W,
                   HEAD + i // columns * CELL_H, some, depths)
    return svg


def make(rows, folder):
    """bench.svg, and bench.png where there is a converter, of the largest
    group of rows; the names of what was made."""
    rows = [r for r in rows if 'ops_per_s' in r]
    groups = {}
    for row in rows:
        groups.setdefault((row['cpus'], row['rings']), []).append(row)
    if not groups:
        return []
    path = folder + '/bench.svg'
    draw(max(groups.values(), key=len)).write(path)
    made = ['bench.svg']
    if shutil.which('rsvg-convert'):
        subprocess.run(['rsvg-convert', '--zoom', '2', '--output',
                        folder + '/bench.png', path], check=True)
        made.append('bench.png')
    return made
