/** The built-in image: a house on a hill, drawn with a few shapes. */

import { svg } from "./dom";

export function scene(x: number, y: number, width: number, height: number): SVGElement {
  const shape = (kind: "rect" | "circle" | "path" | "ellipse", attributes: Record<string, string | number>) => svg(kind, attributes);
  return svg(
    "svg",
    { x, y, width, height, viewBox: "0 0 100 100", preserveAspectRatio: "none" },
    shape("rect", { width: 100, height: 100, fill: "#a9cfe6" }),
    shape("rect", { y: 35, width: 100, height: 30, fill: "#d9e7ea" }),
    shape("circle", { cx: 80, cy: 17, r: 8, fill: "#f6d365" }),
    shape("path", { d: "M0 62L18 40L33 55L52 30L76 56L88 46L100 58V100H0Z", fill: "#8ba0ae" }),
    shape("path", { d: "M46 37L52 30L59 38L55 37L52 41L49 36Z", fill: "#f4f6f7" }),
    shape("path", { d: "M0 70Q30 56 60 66T100 64V100H0Z", fill: "#7fa05c" }),
    shape("path", { d: "M0 84Q40 72 100 82V100H0Z", fill: "#5f8745" }),
    shape("rect", { x: 33, y: 57, width: 20, height: 15, fill: "#d8b48a" }),
    shape("path", { d: "M30 58L43 47L56 58Z", fill: "#9c4a3c" }),
    shape("rect", { x: 41, y: 63, width: 5, height: 9, fill: "#5a3b2a" }),
    shape("rect", { x: 35, y: 60, width: 4, height: 4, fill: "#eef4f7" }),
    shape("rect", { x: 48, y: 60, width: 4, height: 4, fill: "#eef4f7" }),
    shape("rect", { x: 74, y: 58, width: 3, height: 17, fill: "#5b432f" }),
    shape("circle", { cx: 75.5, cy: 53, r: 9, fill: "#3f6b3a" }),
    shape("rect", { x: 13, y: 64, width: 2.4, height: 12, fill: "#5b432f" }),
    shape("path", { d: "M14.2 44L21 66H7.4Z", fill: "#35603a" }),
    shape("path", { d: "M41 72Q38 86 24 100H46Q50 84 46 72Z", fill: "#cbb993" }),
    shape("ellipse", { cx: 70, cy: 89, rx: 14, ry: 4.5, fill: "#6fa3c0" }),
  );
}
