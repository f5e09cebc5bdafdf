/** The bar's colours, from the style sheet: a canvas cannot read CSS variables by itself. */
import type { Palette } from './scene';

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--bar-${name}`).trim() || '#888';
  return {
    ground: colour('ground'),
    future: colour('future'),
    line: colour('line'),
    text: colour('text'),
    footage: colour('footage'),
    footageEdge: colour('footage-edge'),
    gap: { source: colour('source'), recorder: colour('recorder'), planned: colour('planned') },
    gapGround: {
      source: colour('source-ground'),
      recorder: colour('recorder-ground'),
      planned: colour('planned-ground'),
    },
    playhead: colour('playhead'),
    cursor: colour('cursor'),
    mark: colour('mark'),
    markGround: colour('mark-ground'),
  };
}
